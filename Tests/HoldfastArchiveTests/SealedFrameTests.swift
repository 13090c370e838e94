import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Frames cannot be left out, exchanged, repeated or brought in from elsewhere, and each opens as what it was sealed
/// as.
@Suite struct SealedFrameTests {
  private static let frames = ["first orders", "other orders", "third orders"].map { Array($0.utf8) }
  private let identity: RecoveryIdentity
  private let sample: SealedSample

  init() throws {
    identity = try RecoveryIdentity()
    sample = try SealedSample(frames: Self.frames, identity: identity)
  }

  private func frame(_ number: Int, of other: SealedSample? = nil) -> (entry: [UInt8], stored: [UInt8]) {
    let from = other ?? sample
    return (from.indexEntry(number), from.stored(number))
  }

  private let misfit = DamageError("sample", "the seal over its index does not fit")

  @Test(arguments: [[], [0], [0, 1], [1, 2], [1, 0, 2], [2, 1, 0], [0, 1, 2, 2], [0, 0, 1, 2], [0, 0, 0]])
  func framesThatAreLeftOutExchangedOrRepeatedAreRefused(order: [Int]) throws {
    let hostile = sample.with(frames: order.map { frame($0) })
    #expect(throws: misfit) { try hostile.open() }
    // Nobody but who has the key of the object can tell.
    try hostile.verifyStored()
  }

  /// Their order in the object is of no meaning, and still none that an attacker may choose.
  @Test func framesThatOnlyLieElsewhereAreRefused() throws {
    var hostile = sample
    let (first, second) = (sample.stored(0), sample.stored(1))
    try #require(first.count == second.count)
    hostile.bytes.replaceSubrange(sample.framesStart..<sample.framesStart + 2 * first.count, with: second + first)
    hostile.bytes.swapAt(sample.indexStart, sample.indexStart + 56)
    #expect(throws: misfit) { try hostile.vouchedFor().open() }
  }

  @Test(arguments: [SampleContainer.repository, identifier(0x01)])
  func framesFromElsewhereAreRefused(repository: Identifier) throws {
    let other = try SealedSample(
      repository: repository, id: identifier(0x02), frames: Self.frames, identity: identity)
    let hostile = sample.with(frames: [frame(0), frame(1, of: other), frame(2)])
    #expect(throws: misfit) { try hostile.open() }
    // In their bytes alone, with the index as it was: a restore looks at no digest of a frame.
    var exchanged = sample
    let start = sample.framesStart
    exchanged.bytes.replaceSubrange(start..<start + sample.stored(0).count, with: other.stored(0))
    #expect(throws: DamageError("sample", "frame 0 cannot be opened: its seal does not fit")) {
      try exchanged.readAll(verifying: false)
    }
    #expect(throws: DamageError("sample", "frame 0 does not have its digest")) { try exchanged.verifyStored() }
  }

  @Test func framesThatChangedPlacesAreRefused() throws {
    var exchanged = sample
    let start = sample.framesStart
    exchanged.bytes.replaceSubrange(
      start..<start + 2 * sample.stored(0).count, with: sample.stored(1) + sample.stored(0))
    #expect(throws: DamageError("sample", "frame 0 cannot be opened: its seal does not fit")) {
      try exchanged.readAll(verifying: false)
    }
  }

  @Test func theLabelOfAnotherObjectIsRefused() throws {
    let other = try SealedSample(id: identifier(0x02), frames: [], identity: identity, label: Array("/srv/else".utf8))
    var hostile = sample
    let start = 64 + 8 + 96
    hostile.bytes.replaceSubrange(
      start..<sample.framesStart, with: other.bytes[start..<other.framesStart])
    #expect(throws: misfit) { try hostile.vouchedFor().open() }
  }

  /// All slots and the label of another object, whose key is known: what is under them does not open.
  @Test func thePreambleOfAnotherObjectIsRefused() throws {
    let other = try SealedSample(frames: [], identity: identity)
    var hostile = sample
    hostile.bytes.replaceSubrange(64..<sample.framesStart, with: other.bytes[64..<other.framesStart])
    #expect(throws: misfit) { try hostile.vouchedFor().open() }
  }

  // MARK: With the key of the object

  /// Offsets in the index entry of the first frame.
  @Test(arguments: [(12, [UInt8(11), 0, 0, 0]), (12, [13, 0, 0, 0]), (16, [1]), (16, [2]), (20, [1, 0, 0, 0])])
  func aFrameOpensAsWhatItWasSealedAsAndAsNothingElse(offset: Int, bytes: [UInt8]) throws {
    var altered = sample
    altered.bytes.replaceSubrange(sample.indexStart + offset..<sample.indexStart + offset + bytes.count, with: bytes)
    let hostile = try altered.sealedAnew()
    #expect(throws: DamageError("sample", "frame 0 cannot be opened: its seal does not fit")) {
      try hostile.readAll()
    }
  }

  @Test func aLabelIsSealedAsOne() throws {
    var altered = sample
    altered.bytes[sample.framesStart - 1] ^= 1
    let hostile = try altered.sealedAnew()
    #expect(throws: DamageError("sample", "its label cannot be opened")) { try hostile.open().label() }
  }

  /// The numbers of label and seal are no frame's; and a frame is never empty.
  @Test(arguments: [
    (20, [UInt8(0xfe), 0xff, 0xff, 0xff]), (20, [0xff, 0xff, 0xff, 0xff]), (8, [16, 0, 0, 0]), (8, [0, 0, 0, 0]),
  ])
  func anIndexEntryOutOfItsBoundsIsRefused(offset: Int, bytes: [UInt8]) throws {
    var altered = sample
    altered.bytes.replaceSubrange(sample.indexStart + offset..<sample.indexStart + offset + bytes.count, with: bytes)
    let hostile = try altered.sealedAnew()
    #expect(throws: DamageError("sample", "an entry of its index is not sound")) { try hostile.open() }
  }

  // MARK: Label

  /// How long the path is can be seen in steps of 128 bytes only.
  @Test(arguments: [(0, 1), (1, 1), (127, 1), (128, 2), (255, 2), (256, 3), (4095, 32)])
  func aLabelComesBackAndItsLengthIsRounded(count: Int, units: Int) throws {
    let label = [UInt8](repeating: UInt8(ascii: "x"), count: count)
    let sample = try SealedSample(kind: .body, frames: [], identity: identity, label: label)
    #expect(try sample.open().label() == label)
    #expect(sample.preambleCount == 8 + 96 + 128 * units + 16)
  }

  /// Of a path whose every byte is shown as four.
  @Test func theLongestLabelFitsBesideTheMostRecipients() throws {
    let label = [UInt8](repeating: UInt8(ascii: "x"), count: 4 * Limits.pathBytesMax)
    let others = [Recipient](repeating: identity.recipient, count: Limits.recipientsMax - 1)
    let sample = try SealedSample(kind: .body, frames: Self.frames, identity: identity, others: others, label: label)
    #expect(try sample.readAll() == [label] + Self.frames)
  }
}
