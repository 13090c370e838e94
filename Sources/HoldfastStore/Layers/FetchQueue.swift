internal import HoldfastSystem
internal import Synchronization

/// Fetches announced blocks in their order, with one thread for each request that the store takes at once. A block
/// takes memory from the beginning of its fetch until it was read. No fetch begins if that would exceed the limit of
/// memory.
final class FetchQueue: Sendable {
  private struct State {
    var waiting: [FetchedBlock] = []
    /// The number of fetches that run.
    var running = 0
    /// The bytes of blocks that are being fetched or are held.
    var bytes = 0
    /// The number of blocks at the front that a reader waits for. They are fetched whatever memory they take.
    var needed = 0
    /// Buffers of the usual size, to be used again. Otherwise the allocator would keep a few large blocks of memory for
    /// each of many threads.
    var spare: [Buffer] = []

    /// Takes the next block, if there is room for it.
    mutating func next(bytesMax: Int) -> FetchedBlock? {
      guard let first = waiting.first, needed > 0 || bytes == 0 || bytes + first.memoryBytes <= bytesMax else {
        return nil
      }
      needed = max(0, needed - 1)
      bytes += first.memoryBytes
      return waiting.removeFirst()
    }
  }

  let connections: Int
  private let bytesMax: Int
  private let state = Mutex(State())

  init(connections: Int, bytesMax: Int) {
    self.connections = connections
    self.bytesMax = bytesMax
  }

  /// Announces a block.
  func add(_ block: FetchedBlock) {
    state.withLock { $0.waiting.append(block) }
    begin()
  }

  /// Starts a thread if there is something to fetch and room for it.
  private func begin() {
    let first: FetchedBlock? = state.withLock { state in
      guard state.running < connections, let block = state.next(bytesMax: bytesMax) else { return nil }
      state.running += 1
      return block
    }
    guard let first else { return }
    // If no thread can be started, the block is given up, and its reader reads the range itself.
    if !WorkerThread.detach({ [self] in work(first) }) { end(first, first.giveUp) }
  }

  private func work(_ first: FetchedBlock) {
    var next: FetchedBlock? = first
    while let block = next {
      block.fetch(reserve(block))
      next = state.withLock { state in
        let next = state.next(bytesMax: bytesMax)
        if next == nil { state.running -= 1 }
        return next
      }
    }
  }

  private func end(_ block: FetchedBlock, _ action: (Reservation) -> Void) {
    action(reserve(block))
    state.withLock { $0.running -= 1 }
    begin()
  }

  /// Makes sure that a block is fetched soon, if its fetch has not begun: on this thread, or as the next one.
  func need(_ block: FetchedBlock) {
    let isMine = state.withLock { state in
      guard let index = state.waiting.firstIndex(where: { $0 === block }) else { return false }
      if index < state.needed { return false }
      state.waiting.remove(at: index)
      guard state.running < connections else {
        state.waiting.insert(block, at: state.needed)
        state.needed += 1
        return false
      }
      state.running += 1
      state.bytes += block.memoryBytes
      return true
    }
    if isMine { end(block, block.fetch) }
  }

  /// Withdraws a block, unless its fetch has begun.
  func withdraw(_ block: FetchedBlock) {
    state.withLock { state in
      guard let index = state.waiting.firstIndex(where: { $0 === block }) else { return }
      state.waiting.remove(at: index)
      if index < state.needed { state.needed -= 1 }
    }
  }

  private func reserve(_ block: FetchedBlock) -> Reservation {
    let spare = block.memoryBytes == Self.usualBytes ? state.withLock { $0.spare.popLast() } : nil
    return Reservation(spare ?? Buffer(capacity: block.memoryBytes), of: self)
  }

  /// The memory of most large blocks.
  static let usualBytes = Int(ReadAheadStore.requestBytes)

  /// The memory of a block that is fetched or held.
  final class Reservation: Sendable {
    fileprivate let buffer: Buffer
    private let queue: FetchQueue

    fileprivate init(_ buffer: Buffer, of queue: FetchQueue) { (self.buffer, self.queue) = (buffer, queue) }

    deinit {
      queue.state.withLock { state in
        state.bytes -= buffer.capacity
        if buffer.capacity == FetchQueue.usualBytes { state.spare.append(buffer) }
      }
      queue.begin()
    }
  }
}

/// A range of an object that is fetched before it is needed.
final class FetchedBlock: Sendable {
  private struct State {
    var memory: FetchQueue.Reservation?
    var wantedBytes: Int
  }

  private let range: Range<UInt64>
  private let object: any ReadableBytes
  private let isDone = Latch()
  private let state: Mutex<State>

  /// - Parameter wantedBytes: the number of bytes that will be read from the block.
  init(_ range: Range<UInt64>, of object: any ReadableBytes, wantedBytes: Int) {
    self.range = range
    self.object = object
    state = Mutex(State(wantedBytes: wantedBytes))
  }

  /// The memory that it takes. Large blocks share buffers of one size.
  var memoryBytes: Int {
    let isLarge = range.count > FetchQueue.usualBytes / 2 && range.count <= FetchQueue.usualBytes
    return isLarge ? FetchQueue.usualBytes : range.count
  }

  func contains(_ offset: UInt64, _ count: Int) -> Bool {
    range.lowerBound <= offset && offset < range.upperBound && UInt64(count) <= range.upperBound - offset
  }

  /// Subtracts bytes from what will still be read from the block.
  /// - Returns: true if no more will be read.
  func isLastUse(_ count: Int) -> Bool {
    state.withLock { state in
      state.wantedBytes -= count
      return state.wantedBytes <= 0
    }
  }

  func fetch(_ memory: FetchQueue.Reservation) {
    let room = UnsafeMutableRawBufferPointer(rebasing: memory.buffer.bytes[..<range.count])
    // On an error the reader reads the range once more, and gets the error itself.
    let isRead = (try? object.read(into: room, at: range.lowerBound)) != nil
    if isRead { state.withLock { $0.memory = memory } }
    isDone.open()
  }

  /// Lets the reader read the range itself.
  func giveUp(_ memory: FetchQueue.Reservation) { isDone.open() }

  /// Waits until the block is fetched, and copies from it.
  /// - Returns: false if it was not fetched.
  func copy(into target: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Bool {
    isDone.wait()
    guard let memory = state.withLock({ $0.memory }) else { return false }
    let start = Int(offset - range.lowerBound)
    target.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory.buffer.bytes[start..<start + target.count]))
    return true
  }
}
