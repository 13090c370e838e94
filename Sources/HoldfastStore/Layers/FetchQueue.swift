internal import HoldfastSystem
internal import Synchronization

/// Fetches blocks on as many threads as the store takes requests at once, within a limit of memory.
final class FetchQueue: Sendable {
  private struct State {
    var waiting: [FetchedBlock] = []
    var threads = 0
    /// The bytes of blocks that wait, are being fetched or are held.
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
  /// - Returns: `nil` when there is no room for it.
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
      // The reader of the block reads it instead.
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

  /// Withdraws a block whose fetch has not begun.
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

  /// - Parameter release: called when the block is no longer held in memory.
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

  /// Subtracts bytes from what will still be read of the block.
  /// - Returns: whether no more will be read.
  func isLastUse(_ count: Int) -> Bool {
    state.withLock { state in
      state.wantedBytes -= count
      return state.wantedBytes <= 0
    }
  }

  func fetch() {
    let buffer = Buffer(capacity: range.count)
    // On an error the reader reads the range once more, and gets the error itself.
    let isRead = (try? object.read(into: buffer.bytes, at: range.lowerBound)) != nil
    if isRead { state.withLock { $0.bytes = buffer } }
    isDone.open()
  }

  func giveUp() { isDone.open() }

  /// Waits until the block is fetched, and copies from it.
  /// - Returns: `false` when it was not fetched.
  func copy(into target: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Bool {
    isDone.wait()
    guard let bytes = state.withLock({ $0.bytes }) else { return false }
    let start = Int(offset - range.lowerBound)
    target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.bytes[start..<start + target.count]))
    return true
  }
}
