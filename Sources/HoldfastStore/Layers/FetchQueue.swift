internal import HoldfastSystem
internal import Synchronization

/// Fetches blocks on as many threads as a store takes requests side by side, and no more of them than memory is given
/// for.
final class FetchQueue: Sendable {
  private struct State {
    var waiting: [FetchedBlock] = []
    var threads = 0
    /// Of blocks that wait, are on their way or are held.
    var bytes = 0
  }

  let connections: Int
  private let bytesMax: Int
  private let state = Mutex(State())

  init(connections: Int, bytesMax: Int) {
    self.connections = connections
    self.bytesMax = bytesMax
  }

  /// - Parameter wantedBytes: how many bytes will be read from the block.
  /// - Returns: `nil` where there is no room for it.
  func fetch(_ range: Range<UInt64>, of object: any ReadableBytes, wantedBytes: Int) -> FetchedBlock? {
    let isRoom = state.withLock { state in
      guard state.bytes + range.count <= bytesMax else { return false }
      state.bytes += range.count
      return true
    }
    guard isRoom else { return nil }
    let block = FetchedBlock(range, of: object, wantedBytes: wantedBytes) { [weak self] in self?.release(range.count) }
    let needsThread = state.withLock { state in
      state.waiting.append(block)
      guard state.threads < connections else { return false }
      state.threads += 1
      return true
    }
    if needsThread, !WorkerThread.detach({ [self] in work() }) {
      // Whoever needs the block reads it.
      state.withLock { $0.threads -= 1 }
    }
    return block
  }

  private func work() {
    while let block = next() { block.fetch() }
  }

  private func next() -> FetchedBlock? {
    state.withLock { state in
      guard !state.waiting.isEmpty else {
        state.threads -= 1
        return nil
      }
      return state.waiting.removeFirst()
    }
  }

  /// Lets a block go that nobody has begun to fetch.
  func withdraw(_ block: FetchedBlock) {
    let isWaiting = state.withLock { state in
      guard let index = state.waiting.firstIndex(where: { $0 === block }) else { return false }
      state.waiting.remove(at: index)
      return true
    }
    if isWaiting { block.giveUp() }
  }

  private func release(_ bytes: Int) { state.withLock { $0.bytes -= bytes } }
}

/// A range of an object that is fetched before it is needed.
final class FetchedBlock: Sendable {
  private let range: Range<UInt64>
  private let object: any ReadableBytes
  private let isDone = Latch()
  private let state: Mutex<(bytes: Buffer?, wantedBytes: Int)>
  private let release: @Sendable () -> Void

  /// - Parameter release: called when it is no longer held in memory.
  init(
    _ range: Range<UInt64>, of object: any ReadableBytes, wantedBytes: Int, release: @escaping @Sendable () -> Void
  ) {
    self.range = range
    self.object = object
    self.release = release
    state = Mutex((nil, wantedBytes))
  }

  deinit { release() }

  func contains(_ offset: UInt64, _ count: Int) -> Bool {
    range.lowerBound <= offset && offset < range.upperBound && UInt64(count) <= range.upperBound - offset
  }

  /// Takes bytes from what is wanted of it.
  /// - Returns: whether nothing more is.
  func isLastUse(_ count: Int) -> Bool {
    state.withLock { state in
      state.wantedBytes -= count
      return state.wantedBytes <= 0
    }
  }

  func fetch() {
    let buffer = Buffer(capacity: range.count)
    // Who needs it reads it once more, and is told what is wrong.
    let isRead = (try? object.read(into: buffer.bytes, at: range.lowerBound)) != nil
    if isRead { state.withLock { $0.bytes = buffer } }
    isDone.open()
  }

  func giveUp() { isDone.open() }

  /// Waits for the block where it is on its way.
  /// - Returns: `false` where it was not fetched.
  func copy(into target: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Bool {
    isDone.wait()
    guard let bytes = state.withLock({ $0.bytes }) else { return false }
    let start = Int(offset - range.lowerBound)
    target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.bytes[start..<start + target.count]))
    return true
  }
}
