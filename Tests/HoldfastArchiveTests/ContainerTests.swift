import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// A container gives back its frames, and no byte of it can change unseen (format.md, section 4).
@Suite(.timeLimit(.minutes(30))) struct ContainerTests {
  private static let small: [[UInt8]] = [Array("one".utf8), Array("the second".utf8), [0, 0, 0, 0]]

  @Test(arguments: [Compression.none, .deflate(level: nil), .deflate(level: 6), .zstd(level: 1)])
  func framesWrittenInAnyOrderComeBackUnderTheirNumbers(_ compression: Compression) throws {
    for seed in UInt64(0)..<5 {
      var random = SeededRandom(seed: seed)
      let frames = (0..<Int.random(in: 1...20, using: &random)).map { number in
        number.isMultiple(of: 3) ? random.bytes(1 + number * 7) : random.text(1 + number * 500)
      }
      let order = frames.indices.shuffled(using: &random)
      let container = try SampleContainer(frames: frames, compression: compression, order: order)
      #expect(try container.readAll() == frames, "seed \(seed)")
      #expect(container.reference.length == UInt64(container.bytes.count))
    }
  }

  /// Far away each read costs a request: head and tail of a container come with one each, and from a store that joins
  /// them with one.
  @Test(arguments: [1, 50, 400]) func aContainerIsOpenedWithTwoReads(frames: Int) throws {
    var random = SeededRandom(seed: 14)
    let container = try SampleContainer(
      frames: (0..<frames).map { _ in random.bytes(70_000) }, compression: .none)
    let bytes = CountedBytes(MemoryBytes(container.bytes, name: "sample"))
    let reader = try ContainerReader(
      bytes, kind: .archive, repository: SampleContainer.repository, reference: container.reference,
      access: .unsealed)
    #expect(reader.frames.count == frames)
    #expect(bytes.reads == 2)
    #expect(bytes.calls == 1)
  }

  @Test func aContainerMayHaveNoFrames() throws {
    let container = try SampleContainer(frames: [])
    #expect(container.bytes.count == 96)
    #expect(try container.readAll() == [])
  }

  @Test func everyFlippedByteIsDetected() throws {
    let container = try SampleContainer(frames: Self.small)
    for index in container.bytes.indices {
      var damaged = container
      damaged.bytes[index] ^= 0x01
      #expect(throws: DamageError.self, "byte \(index)") { _ = try damaged.readAll() }
    }
    #expect(try container.readAll() == Self.small)
  }

  @Test func everyTruncationIsDetected() throws {
    let container = try SampleContainer(frames: Self.small)
    for count in 0..<container.bytes.count {
      let cut = Array(container.bytes.prefix(count))
      let found = SampleContainer(bytes: cut, reference: container.reference)
      #expect(throws: DamageError.self, "\(count) bytes") { _ = try found.open() }
      var shortened = container.reference
      shortened.length = UInt64(count)
      let claimed = SampleContainer(bytes: cut, reference: shortened)
      #expect(throws: DamageError.self, "\(count) bytes, as claimed") { _ = try claimed.open() }
    }
  }

  @Test func bytesMoreAreDetected() throws {
    var container = try SampleContainer(frames: Self.small)
    container.bytes.append(0)
    #expect(
      throws: DamageError("sample", "it has \(container.bytes.count) bytes instead of \(container.reference.length)")
    ) {
      _ = try container.open()
    }
  }

  @Test func aContainerIsNotTakenForAnother() throws {
    let container = try SampleContainer(kind: .archive, frames: Self.small)
    let bytes = MemoryBytes(container.bytes, name: "sample")
    let foreign = DamageError("sample", "its header belongs to another object")
    var otherID = container.reference
    otherID.id = identifier(0x01)
    #expect(throws: foreign) {
      try ContainerReader(
        bytes, kind: .body, repository: SampleContainer.repository, reference: container.reference, access: .unsealed)
    }
    #expect(throws: foreign) {
      try ContainerReader(
        bytes, kind: .archive, repository: identifier(0x01), reference: container.reference,
        access: .unsealed)
    }
    #expect(throws: foreign) {
      try ContainerReader(
        bytes, kind: .archive, repository: SampleContainer.repository, reference: otherID, access: .unsealed)
    }
  }

  @Test func aFrameThatIsNotThereIsDamage() throws {
    let reader = try SampleContainer(frames: Self.small).open()
    #expect(throws: DamageError("sample", "it has no frame 3")) {
      try reader.readFrame(
        3, stored: Buffer(capacity: 0), plain: Buffer(capacity: 0), decompressor: Decompressor(), verifying: true)
    }
  }

  // MARK: Hostile: the reference vouches for the bytes

  /// Offsets from the start of the index entry of frame 0, and what is written there.
  private static let hostileEntries: [(offset: Int, bytes: [UInt8])] = [
    (0, [63]), (0, [65]), (0, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), (8, [0, 0, 0, 0]), (8, [4]),
    (8, [0xff, 0xff, 0xff, 0xff]), (12, [0, 0, 0, 0]), (12, [0xff, 0xff, 0xff, 0xff]), (12, [1, 0, 0x40, 0]), (16, [3]),
    (16, [0xff]), (17, [1]), (23, [1]),
  ]

  @Test(arguments: hostileEntries.indices)
  func anIndexThatIsNotSoundIsRefusedThoughVouchedFor(_ number: Int) throws {
    let entry = Self.hostileEntries[number]
    var container = try SampleContainer(frames: Self.small)
    let start = container.bytes.count - 32 - 3 * 56 + entry.offset
    container.bytes.replaceSubrange(start..<start + entry.bytes.count, with: entry.bytes)
    let hostile = container.vouchedFor()
    #expect(throws: DamageError.self) { _ = try hostile.readAll() }
  }

  @Test(arguments: [
    (0, 0xff), (8, 2), (10, 3), (11, 1), (12, 1), (16, 0), (47, 0), (48, 1), (63, 1),
    (-32, 1), (-24, 2), (-24, 4), (-21, 0xff), (-20, 57), (-16, 1), (-1, 0),
  ])
  func aHeaderOrTrailerThatIsNotSoundIsRefusedThoughVouchedFor(_ offset: Int, _ value: UInt8) throws {
    var container = try SampleContainer(frames: Self.small)
    let index = offset < 0 ? container.bytes.count + offset : offset
    try #require(container.bytes[index] != value)
    container.bytes[index] = value
    let hostile = container.vouchedFor()
    #expect(throws: DamageError.self) { _ = try hostile.readAll() }
  }

  @Test func mutationsThatAreVouchedForNeverCrash() throws {
    let container = try SampleContainer(
      frames: Self.small + [[UInt8](repeating: 7, count: 500)], compression: .standard)
    let ends = Array(0..<64) + Array((container.bytes.count - 32 - 4 * 56)..<container.bytes.count)
    for seed in UInt64(0)..<1500 {
      var random = SeededRandom(seed: seed)
      var hostile = container
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let index = ends[Int.random(in: 0..<ends.count, using: &random)]
        hostile.bytes[index] = Bool.random(using: &random) ? 0xff : UInt8.random(in: 0...255, using: &random)
      }
      let vouched = hostile.vouchedFor()
      do {
        _ = try vouched.readAll()
      } catch is DamageError {
      } catch {
        Issue.record("seed \(seed): \(error)")
      }
    }
  }
}

/// Counts what is read of other bytes.
private final class CountedBytes: ReadableBytes {
  private let bytes: MemoryBytes
  private let counts = Mutex((reads: 0, calls: 0))

  init(_ bytes: MemoryBytes) { self.bytes = bytes }

  var reads: Int { counts.withLock { $0.reads } }
  var calls: Int { counts.withLock { $0.calls } }
  var length: UInt64 { bytes.length }
  var name: String { bytes.name }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    counts.withLock { $0 = ($0.reads + 1, $0.calls + 1) }
    try bytes.read(into: buffer, at: offset)
  }

  func read(_ parts: [ReadPart]) throws {
    counts.withLock { $0 = ($0.reads + parts.count, $0.calls + 1) }
    try bytes.read(parts)
  }
}
