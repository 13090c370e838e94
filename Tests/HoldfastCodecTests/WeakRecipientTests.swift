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
}
