import HoldfastCodec
import HoldfastModel
import Testing

/// Nothing is sealed to a key that everybody can open.
@Suite struct WeakRecipientTests {
  /// The points of low order of Curve25519: whatever they are multiplied with, zero comes out.
  private static let points = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  ]

  private let refusal = KeyError("--recipient is not a usable key", hint: "Take another copy of the key.")

  @Test(arguments: points) func aRecipientOfLowOrderIsRefused(point: String) throws {
    let authority = try RecoveryIdentity().recipient.authority
    let text = "holdfast-recipient-" + point + authority.description
    let checksum = Hasher.digest(Array(text.utf8)).description.prefix(8)
    #expect(throws: refusal) { try Recipient(text: text + "-" + checksum) }
    let opening = try #require(PublicKey(bytes: bytes(point)))
    #expect(throws: refusal) { try Recipient(opening: opening, authority: authority).seal(SealingKey(), info: []) }
  }

  /// Keys that anybody could seal: what HPKE makes of a shared secret of zeros for the known recipient, computed apart
  /// from this project.
  private static let sealedByAnybody = [
    (
      "0000000000000000000000000000000000000000000000000000000000000000",
      "22c52ab1d4eb1ca5090feae6a81f19cc217b2b6b421b048a9c61f2567f4985c7c35fa5dc9761957ec876a9f585a23c43"
    ),
    (
      "0100000000000000000000000000000000000000000000000000000000000000",
      "092637f9482d72dcbb4aabf50f0d95b86cdd35c54e253092c1c4c22b3890b912d0ced0e27024f33d8ba52c5b3ccf47d4"
    ),
    (
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "6af9925e4435f3504b33cc3adc3f666438e6e57cdcb299c947b490309c08bb45a8b411f88fea461ab92c78639ab7d126"
    ),
  ]

  /// Nor is anything opened that anybody could have sealed.
  @Test(arguments: sealedByAnybody) func aSenderOfLowOrderOpensNothing(point: String, sealedKey: String) throws {
    let identity = try KnownKeys.makeIdentity()
    let slot = KeySlot(
      recipient: identity.recipient.id, encapsulatedKey: bytes(point), sealedKey: bytes(sealedKey))
    #expect(identity.open(slot, info: KnownKeys.objectInfo) == nil)
  }
}
