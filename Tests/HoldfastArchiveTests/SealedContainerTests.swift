import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A sealed container gives its frames to who has a key for it; and without the key of the object nobody can make
/// another one of it, whatever an envelope vouches for (format.md, section 9).
@Suite struct SealedContainerTests {
  private static let frames: [[UInt8]] = [Array("one".utf8), Array("the second".utf8)]
  private let identity: RecoveryIdentity
  private let sample: SealedSample

  init() throws {
    identity = try RecoveryIdentity()
    sample = try SealedSample(frames: Self.frames, identity: identity, others: [RecoveryIdentity().recipient])
  }

  @Test(arguments: [Compression.none, .deflate(level: nil), .deflate(level: 6), .zstd(level: 1)])
  func framesComeBack(_ compression: Compression) throws {
    var random = SeededRandom(seed: 3)
    let frames = [random.text(5000), random.bytes(700), [UInt8](repeating: 0, count: 4096), [1]]
    let sample = try SealedSample(frames: frames, compression: compression, identity: identity)
    #expect(try sample.readAll() == [SealedSample.label] + frames)
    #expect(try sample.readAll(verifying: false) == [SealedSample.label] + frames)
    try sample.verifyStored()
    #expect(sample.reference.length == UInt64(sample.bytes.count))
  }

  @Test func everyRecipientOpensItAndNobodyElse() throws {
    let others = try (0..<3).map { _ in try RecoveryIdentity() }
    let sample = try SealedSample(frames: Self.frames, identity: identity, others: others.map(\.recipient))
    for reader in [identity] + others {
      let opened = try sample.open(SealedSample.access(reader))
      #expect(try opened.label() == SealedSample.label)
      #expect(opened.recipients == ([identity] + others).map(\.recipient.id))
      #expect(!opened.isClosed)
    }
    let stranger = try RecoveryIdentity()
    #expect(throws: KeyError("no slot opens", hint: nil)) { try sample.open(SealedSample.access(stranger)) }
  }

  @Test func everyFlippedByteIsFoundWithTheKeyAndWithout() throws {
    for index in sample.bytes.indices {
      var damaged = sample
      damaged.bytes[index] ^= 0x10
      #expect("byte \(index)") { try damaged.readAll() } throws: { $0 is any OperatorError }
      #expect(throws: DamageError.self, "byte \(index), closed") { try damaged.verifyStored() }
    }
  }

  /// Header, slots, the other recipient's among them, label, index, seal and trailer: the seal covers them all, and a
  /// frame has one of its own.
  @Test func everyFlippedByteIsRefusedThoughVouchedFor() throws {
    for index in sample.bytes.indices {
      for bits: UInt8 in [0x01, 0x80] {
        var damaged = sample
        damaged.bytes[index] ^= bits
        let hostile = damaged.vouchedFor()
        #expect("byte \(index) ^ \(bits)") { try hostile.readAll(verifying: false) } throws: { $0 is any OperatorError }
      }
    }
    #expect(try sample.vouchedFor().readAll(verifying: false) == [SealedSample.label] + Self.frames)
  }

  @Test func everyTruncationIsRefusedThoughVouchedFor() throws {
    for count in 0..<sample.bytes.count {
      var cut = sample
      cut.bytes = Array(sample.bytes.prefix(count))
      cut.reference.length = UInt64(count)
      #expect(throws: DamageError.self, "\(count) bytes") { try cut.readAll() }
      let hostile = cut.vouchedFor()
      #expect(throws: DamageError.self, "\(count) bytes, vouched for") { try hostile.readAll() }
      #expect(throws: DamageError.self, "\(count) bytes, closed") { try hostile.verifyStored() }
    }
  }

  /// Byte for byte what the document says, for who has the key of the object.
  @Test func itsPartsAreSealedAsDocumented() throws {
    let header = Array(sample.bytes[..<64])
    for (number, plain) in Self.frames.enumerated() {
      let associated = header + [1] + SealedSample.littleEndian(UInt32(plain.count)) + [0]
      #expect(try sample.stored(number) == sample.key.seal(plain, number: UInt32(number), associated: associated))
    }
    let label = SealedSample.label + [UInt8](repeating: 0, count: 128 - SealedSample.label.count)
    #expect(
      try Array(sample.bytes[(sample.framesStart - 144)..<sample.framesStart])
        == sample.key.seal(label, number: .max - 1, associated: header + [2]))
    #expect(try sample.sealedAnew().bytes == sample.bytes)
    let preambleCount = UInt32(8 + 2 * 96 + 144)
    var expected: [UInt8] = Array("HOLDFAST".utf8)
    expected += [1, 0, 1, 1] as [UInt8]
    expected += SealedSample.littleEndian(preambleCount)
    expected += sample.name.repository.bytes
    expected += sample.name.id.bytes
    expected += [UInt8](repeating: 0, count: 16)
    #expect(header == expected)
  }

  // MARK: What is taken for what

  /// Its key is bound to what it is: an archive that is shown as a body opens for nobody.
  @Test(arguments: [(ContainerKind.archive, UInt8(2)), (.body, 1)])
  func anArchiveIsNoBodyAndABodyNoArchive(kind: ContainerKind, other: UInt8) throws {
    let sample = try SealedSample(kind: kind, frames: Self.frames, identity: identity)
    let wanted = ContainerName(
      kind: kind == .archive ? .body : .archive, repository: sample.name.repository, id: sample.name.id)
    #expect(throws: DamageError("sample", "its header belongs to another object")) { try sample.open(as: wanted) }
    var relabelled = sample
    relabelled.bytes[10] = other
    #expect(throws: KeyError("no slot opens", hint: nil)) { try relabelled.vouchedFor().open(as: wanted) }
  }

  /// An object cannot take the place of another one of the same repository, nor of one of another repository that is
  /// sealed to the same recipient.
  @Test(arguments: [16, 32]) func anObjectIsNotTakenForAnother(offset: Int) throws {
    let other = identifier(0xcc)
    let wanted = ContainerName(
      kind: .archive, repository: offset == 16 ? other : sample.name.repository,
      id: offset == 32 ? other : sample.name.id)
    #expect(throws: DamageError("sample", "its header belongs to another object")) { try sample.open(as: wanted) }
    var renamed = sample
    renamed.bytes.replaceSubrange(offset..<offset + 16, with: other.bytes)
    renamed.name = wanted
    #expect(throws: KeyError("no slot opens", hint: nil)) { try renamed.vouchedFor().open() }
  }

  @Test func anUnsealedContainerIsRefusedInASealedRepository() throws {
    let plain = try SampleContainer(frames: Self.frames)
    for access in [SealedSample.access(identity), .closed] {
      #expect(throws: DamageError("sample", "it is not sealed in a sealed repository")) {
        try ContainerReader(
          MemoryBytes(plain.bytes, name: "sample"), kind: .archive, repository: SampleContainer.repository,
          reference: plain.reference, access: access)
      }
    }
  }

  @Test func aSealedContainerIsRefusedInAnUnsealedRepository() throws {
    #expect(throws: DamageError("sample", "it is sealed in an unsealed repository")) {
      try sample.open(.unsealed)
    }
  }

  /// A header that says unsealed before sealed bytes: an attempt to have them taken as they are.
  @Test func sealingCannotBeSwitchedOff() throws {
    var hostile = sample
    hostile.bytes[11] = 0
    // Without a seal before it, the index ends at the trailer: a frame more that nobody sealed.
    let vouched = hostile.vouchedFor()
    for access in [SealedSample.access(identity), .closed, .unsealed] {
      #expect(throws: DamageError.self) { try vouched.open(access) }
    }
  }

  @Test func aClosedContainerProvesItsBytesAndGivesNone() throws {
    let closed = try sample.open(.closed)
    #expect(closed.isClosed)
    #expect(closed.key == nil)
    #expect(try closed.label() == [])
    let buffers = (Buffer(capacity: 100), Buffer(capacity: 100))
    #expect(throws: DamageError("sample", "it is sealed and was not opened")) {
      try closed.readFrame(0, stored: buffers.0, plain: buffers.1, decompressor: Decompressor(), verifying: true)
    }
    try sample.verifyStored()
  }

  // MARK: Preamble

  @Test(arguments: [
    (64, [UInt8(0), 0]), (64, [1, 0]), (64, [3, 0]), (64, [65, 0]), (64, [0xff, 0xff]), (66, [15, 0]), (66, [0, 0]),
    (66, [0xff, 0xff]), (68, [1]), (71, [1]),
  ])
  func aPreambleThatIsNotSoundIsRefused(offset: Int, bytes: [UInt8]) throws {
    var damaged = sample
    damaged.bytes.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    let hostile = damaged.vouchedFor()
    for access in [SealedSample.access(identity), .closed] {
      #expect(throws: DamageError("sample", "its preamble is not sound")) { try hostile.open(access) }
    }
  }

  @Test(arguments: [[UInt8(0xff), 0xff, 0xff, 0xff], [0, 0, 1, 0]]) func aPreambleThatIsTooLongIsRefused(
    length: [UInt8]
  ) {
    var damaged = sample
    damaged.bytes.replaceSubrange(12..<16, with: length)
    let hostile = damaged.vouchedFor()
    #expect(throws: DamageError("sample", "its trailer is not sound")) { try hostile.open() }
  }
}
