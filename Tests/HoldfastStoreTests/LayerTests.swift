import Dispatch
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

  /// What is long is fetched with several requests of 4 MiB at once: as many as the store takes, and no more than there
  /// is memory for.
  @Test(arguments: [(64 << 20, 4), (12 << 20, 3), (1 << 20, 1)])
  func longStretchesAreFetchedWithSeveralRequestsAtOnce(bytesMax: Int, most: Int) throws {
    let length = 40 << 20
    let memory = faraway()
    try put([UInt8](repeating: 7, count: length), at: "a", in: memory)
    let gate = Gate(opensAt: most)
    let object = try ReadAheadStore(GatedStore(base: memory, gate: gate), bytesMax: bytesMax)
      .open("a", length: UInt64(length))
    let frames = stride(from: 0, to: length, by: 1 << 18).map { UInt64($0)..<UInt64($0 + 1 << 18) }
    object.expect(frames)
    let buffer = Buffer(capacity: 1 << 18)
    for frame in frames {
      buffer.bytes.initializeMemory(as: UInt8.self, repeating: 0)
      try object.read(into: buffer.bytes, at: frame.lowerBound)
      #expect(buffer.bytes.first == 7 && buffer.bytes.last == 7)
    }
    #expect(gate.most == most)
    #expect(memory.counts.reads == 10)
  }

  /// A block that is needed before its turn comes next, whatever memory the others take.
  @Test func whatIsNeededFirstIsFetchedFirst() throws {
    let memory = faraway()
    try put([UInt8](repeating: 7, count: 24 << 20), at: "a", in: memory)
    let object = try ReadAheadStore(memory, bytesMax: 8 << 20).open("a", length: 24 << 20)
    object.expect(stride(from: UInt64(0), to: 24 << 20, by: 1 << 20).map { $0..<$0 + 1 << 20 })
    let buffer = Buffer(capacity: 1 << 20)
    for megabyte in (UInt64(0)..<24).reversed() { try object.read(into: buffer.bytes, at: megabyte << 20) }
    #expect(memory.counts.reads == 6)
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

  /// One connection may be much slower than the others.
  @Test func aSlowPartHoldsUpNoOther() throws {
    let upload = OneSlowPart(waitsFor: 8)
    let writer = ObjectWriter(upload, connections: 3)
    let bytes = (0..<1000).map { UInt8($0 / 100) }
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
    #expect(upload.sent == bytes)
  }
}

/// Takes parts of 100 bytes. The first one is not taken before so many others.
private final class OneSlowPart: ObjectUpload {
  private let others: Int
  private let parts = Mutex<[UInt64: [UInt8]]>([:])
  private let othersAreHere = DispatchSemaphore(value: 0)

  init(waitsFor others: Int) { self.others = others }

  var partBytes: Int? { 100 }
  var sent: [UInt8] { parts.withLock { $0.sorted { $0.key < $1.key }.flatMap(\.value) } }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    if offset == 0 { #expect(othersAreHere.wait(timeout: .now() + 20) == .success) }
    let count = parts.withLock { parts in
      parts[offset] = Array(bytes)
      return parts.count
    }
    if count == others { othersAreHere.signal() }
  }

  func commit() {}
  func abort() {}
}

/// Holds back whoever comes until so many have come.
private final class Gate: Sendable {
  private let opensAt: Int
  private let state = Mutex((running: 0, most: 0))
  private let isOpen = Latch()

  init(opensAt: Int) { self.opensAt = opensAt }

  /// The most that were behind the gate at once.
  var most: Int { state.withLock { $0.most } }

  func pass(_ body: () throws -> Void) rethrows {
    let isComplete = state.withLock { state in
      state.running += 1
      state.most = max(state.most, state.running)
      return state.most >= opensAt
    }
    defer { state.withLock { $0.running -= 1 } }
    if isComplete { isOpen.open() }
    isOpen.wait()
    try body()
  }
}

/// A store of which each read passes a gate.
private struct GatedStore: StoreLayer {
  let base: any Store
  let gate: Gate

  func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    GatedObject(base: try base.open(key, length: length), gate: gate)
  }

  private struct GatedObject: ReadableBytes {
    let base: any ReadableBytes
    let gate: Gate
    var length: UInt64 { base.length }
    var name: String { base.name }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
      try gate.pass { try base.read(into: buffer, at: offset) }
    }
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
