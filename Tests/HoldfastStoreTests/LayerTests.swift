import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// What each layer is for.
@Suite(.timeLimit(.minutes(30))) struct LayerTests {
  private func put(_ bytes: [UInt8], at key: String, in store: any Store) throws {
    let writer = try store.create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  private func faraway() -> MemoryStore {
    var traits = MemoryStore.Traits()
    (traits.connections, traits.isNear) = (4, false)
    return MemoryStore(traits)
  }

  // MARK: Reading ahead

  @Test func neighbouringRangesComeWithOneRequest() throws {
    let memory = faraway()
    var random = SeededRandom(seed: 1)
    let bytes = random.bytes(200_000)
    try put(bytes, at: "a", in: memory)
    let object = try ReadAheadStore(memory).open("a", length: 200_000)
    let buffers = (0..<12).map { _ in Buffer(capacity: 1000) }
    // Two groups: the second begins far behind the first.
    let offsets = (0..<12).map { UInt64($0 * 1500 + ($0 < 6 ? 0 : 100_000)) }
    try object.read(zip(offsets, buffers).map { ReadPart(at: $0, into: $1.bytes) })
    #expect(memory.counts.reads == 2)
    for (offset, buffer) in zip(offsets, buffers) {
      #expect(Array(buffer.bytes) == Array(bytes[Int(offset)..<Int(offset) + 1000]))
    }
  }

  @Test func whatIsExpectedIsFetchedAheadWithFewRequests() throws {
    let memory = faraway()
    var random = SeededRandom(seed: 2)
    let bytes = random.bytes(1 << 20)
    try put(bytes, at: "a", in: memory)
    let object = try ReadAheadStore(memory).open("a", length: 1 << 20)
    let frames = stride(from: UInt64(0), to: 1 << 20, by: 4096).map { $0..<$0 + 4096 }
    object.expect(frames)
    // Begun by another thread, however long that takes to start.
    while memory.counts.reads == 0 { Pause.forAnotherThread() }
    let buffer = Buffer(capacity: 4096)
    for frame in frames {
      try object.read(into: buffer.bytes, at: frame.lowerBound)
      #expect(Array(buffer.bytes) == Array(bytes[Int(frame.lowerBound)..<Int(frame.upperBound)]))
    }
    #expect(memory.counts.reads == 1)
  }

  /// Whatever is said to be needed, no more is held than was allowed, and everything can be read all the same.
  @Test func noMoreIsFetchedAheadThanThereIsMemoryFor() throws {
    let memory = faraway()
    let bytes = [UInt8](repeating: 7, count: 1 << 20)
    try put(bytes, at: "a", in: memory)
    let object = try ReadAheadStore(memory, bytesMax: 100_000).open("a", length: 1 << 20)
    for start in stride(from: UInt64(0), to: 1 << 20, by: 1 << 16) { object.expect([start..<start + (1 << 16)]) }
    var read = [UInt8](repeating: 0, count: 1 << 20)
    try read.withUnsafeMutableBytes { read in
      for start in stride(from: 0, to: 1 << 20, by: 1 << 16) {
        let part = UnsafeMutableRawBufferPointer(rebasing: read[start..<start + (1 << 16)])
        try object.read(into: part, at: UInt64(start))
      }
    }
    #expect(read == bytes)
    // What was given up or read is free again.
    object.expect([0..<100_000])
    var again = [UInt8](repeating: 0, count: 100_000)
    try again.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
    #expect(again == Array(bytes[..<100_000]))
  }

  @Test func whatCannotBeFetchedAheadIsToldWhenItIsRead() throws {
    let memory = faraway()
    try put([1, 2, 3], at: "a", in: memory)
    let object = try ReadAheadStore(memory).open("a", length: 3)
    try memory.remove("a")
    object.expect([0..<3])
    let buffer = Buffer(capacity: 3)
    #expect(throws: StoreError.notFound(key: "a", location: "memory")) { try object.read(into: buffer.bytes, at: 0) }
  }

  // MARK: Cache

  @Test func whatNeverChangesIsAskedForOnce() throws {
    let memory = faraway()
    for key in ["m.json", "journal"] { try put([1], at: key, in: memory) }
    let store = CachingStore(memory) { $0.hasSuffix(".json") }
    let buffer = Buffer(capacity: 1)
    for _ in 1...3 {
      for key in ["m.json", "journal"] { try store.open(key).read(into: buffer.bytes, at: 0) }
    }
    #expect(memory.opened == ["m.json", "journal", "journal", "journal"])
    try store.remove("m.json")
    #expect(throws: StoreError.notFound(key: "m.json", location: "memory")) { try store.open("m.json") }
  }

  @Test func theCacheIsBounded() throws {
    let memory = faraway()
    let store = CachingStore(memory, bytesMax: 10_000) { _ in true }
    for number in 0..<20 { try put([UInt8](repeating: 1, count: 1000), at: "\(number)", in: memory) }
    for _ in 1...2 { for number in 0..<20 { _ = try store.open("\(number)") } }
    #expect(memory.opened.count == 40)
    try put([UInt8](repeating: 1, count: 300_000), at: "long", in: memory)
    for _ in 1...2 { _ = try store.open("long") }
    #expect(memory.opened.count == 42)
  }

  // MARK: Limit

  @Test(arguments: [true, false]) func bothWaysAreLimited(isReading: Bool) throws {
    let waited = Mutex(TimeSpan.zero)
    let time = TestClock("2026-11-22T14:00:00Z")
    let rate = try #require(ByteRate("1M"))
    let limit = RateLimit(rate, clock: time.clock, cancellation: Cancellation()) { span in
      waited.withLock { $0 += span }
      time.advance(span)
    }
    let memory = MemoryStore()
    let store = RateLimitedStore(memory, reading: isReading ? limit : nil, writing: isReading ? nil : limit)
    let writer = try store.create("a")
    let block = [UInt8](repeating: 0, count: 500_000)
    for _ in 1...8 { try block.withUnsafeBytes { try writer.append($0) } }
    try writer.commit()
    let written = waited.withLock { $0 }
    let object = try store.open("a")
    var bytes = block
    for part in 0..<8 { try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: UInt64(part * 500_000)) } }
    let read = waited.withLock { $0 } - written
    // 4 MB at 1 MB a second, of which a second's worth may be saved up, and nobody waits for the last part.
    #expect(isReading ? written == .zero : written > .seconds(2))
    #expect(isReading ? read > .seconds(2) : read == .zero)
  }

  // MARK: Writing in parts

  @Test func partsAreSentSideBySide() throws {
    let upload = MeetingUpload()
    let writer = ObjectWriter(upload, connections: 3)
    let bytes = [UInt8](repeating: 1, count: 900)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
    #expect(upload.most == 3)
  }
}

/// An upload of which each part waits until three are under way.
private final class MeetingUpload: ObjectUpload {
  private let state = Mutex((running: 0, most: 0))
  private let isMet = Latch()

  var partBytes: Int? { 100 }
  var most: Int { state.withLock { $0.most } }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {
    let isComplete = state.withLock { state in
      state.running += 1
      state.most = max(state.most, state.running)
      return state.most == 3
    }
    if isComplete { isMet.open() }
    isMet.wait()
    state.withLock { $0.running -= 1 }
  }

  func commit() {}
  func abort() {}
}
