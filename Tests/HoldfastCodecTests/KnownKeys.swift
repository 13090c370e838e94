import HoldfastCodec
import HoldfastModel

/// Keys with fixed seeds, and what belongs to them. All of it was computed apart from this project, with the
/// `cryptography` package of Python, from format.md, section 9.
enum KnownKeys {
  /// The seed is 00 01 02 … 1f.
  static let identity =
    "holdfast-identity-000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f-ad018f0d"
  static let recipient =
    "holdfast-recipient-476256bc7326cc6377c2c3c79a806f322dadb448f40582abc9ee6ebcd62df940"
    + "2b5f24236239041a7998c08bd39219a61381bd7c19900ab63860cb21b35c2065-4ee454c5"
  static let recipientID = "d321fb3745c70e02ed90b3f9fc803ece"
  /// The seed is 20 21 22 … 3f, and signing keys are derived of it.
  static let derivingWriterKey =
    "holdfast-writer-secret-2-202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f-631bc4b2"
  static let derivedWriter =
    "holdfast-writer-39f31f1ad59a3f73251a6d28ba538a08220472a289bc8c8645b2c3f393cc6179-52982d1f"
  /// The same seed as it was written before: it signs itself.
  static let writerKey =
    "holdfast-writer-secret-202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f-0e7d6d27"
  static let writer = "holdfast-writer-29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7-48f6c51d"

  /// The key 77 77 … 77, sealed to the recipient with the ephemeral private key 42 42 … 42, for `objectInfo`.
  static let encapsulatedKey = "132c442be010fbd57e72603328aa76e71fccc1503aae219327d14d9c9993f472"
  static let sealedKey =
    "ad4a54904fcce10db65e677e6c807cd8d7bfb39449ceb4dda17b10e8393b629fee30b1c7403823b2340848d2f537e852"
  /// Of the archive bb bb … in the repository aa aa ….
  static let objectInfo =
    Array("holdfast-1 object key".utf8) + [UInt8](repeating: 0xaa, count: 16) + [UInt8](repeating: 0xbb, count: 16)
    + [1]

  static func makeIdentity() throws -> RecoveryIdentity { try RecoveryIdentity(file: secret(identity), name: "known") }

  static func makeWriter() throws -> WriterKey { try WriterKey(file: secret(writerKey), name: "known") }

  static func slot(sealedKey: String = sealedKey) throws -> KeySlot {
    try KeySlot(
      recipient: makeIdentity().recipient.id, encapsulatedKey: bytes(encapsulatedKey), sealedKey: bytes(sealedKey))
  }
}

func secret(_ text: String) -> SecretBytes {
  var bytes = Array(text.utf8)
  return SecretBytes(taking: &bytes)
}

func bytes(_ hex: String) -> [UInt8] {
  guard let bytes = Hex.decode(hex) else { preconditionFailure("\(hex) is not hexadecimal") }
  return bytes
}
