internal import Crypto
internal import FoundationEssentials
internal import HoldfastModel

/// An Ed25519 key that signs.
package struct SigningKey: Sendable {
  private let key: Curve25519.Signing.PrivateKey
  package let publicKey: PublicKey

  init(derived key: SymmetricKey) throws {
    self.key = try key.withUnsafeBytes { try Curve25519.Signing.PrivateKey(rawRepresentation: $0) }
    publicKey = PublicKey(self.key.publicKey.rawRepresentation)
  }

  package func sign(_ message: [UInt8]) throws -> Signature {
    Signature(key: publicKey, value: Array(try key.signature(for: message)))
  }
}

/// A public key of Ed25519 or X25519; 64 hexadecimal digits in JSON.
package struct PublicKey: Hashable, Sendable, Codable, CustomStringConvertible {
  package static let byteCount = 32
  package let bytes: [UInt8]

  /// `nil` unless there are exactly 32 bytes.
  package init?(bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = bytes
  }

  /// Wraps a key that the library made.
  init(_ raw: Data) {
    precondition(raw.count == Self.byteCount, "such a key has 32 bytes")
    bytes = Array(raw)
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let bytes = Hex.decode(try container.decode(String.self)), let key = PublicKey(bytes: bytes) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "a key is 64 hexadecimal digits")
    }
    self = key
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }

  package var description: String { Hex.encode(bytes) }
  /// The first eight digits, for people.
  package var short: String { String(description.prefix(8)) }

  /// Its text form as a writer's public key.
  package var writerText: String { KeyText.encode(.writer, bytes) }

  package init(writerText: String) throws {
    let bytes = try KeyText.decode(writerText, as: .writer, name: "--writer")
    guard let key = PublicKey(bytes: bytes) else { throw KeyError.unusable("--writer") }
    self = key
  }
}

/// The signer's public key, and a signature of 64 bytes.
package struct Signature: Hashable, Sendable, Codable {
  package let key: PublicKey
  package let value: [UInt8]

  private enum CodingKeys: String, CodingKey { case key, value }

  init(key: PublicKey, value: [UInt8]) {
    self.key = key
    self.value = value
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    key = try container.decode(PublicKey.self, forKey: .key)
    guard let value = Hex.decode(try container.decode(String.self, forKey: .value)), value.count == 64 else {
      throw DecodingError.dataCorruptedError(
        forKey: .value, in: container, debugDescription: "a signature is 128 hexadecimal digits")
    }
    self.value = value
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(key, forKey: .key)
    try container.encode(Hex.encode(value), forKey: .value)
  }

  /// True if the key made this signature over `message`.
  package func isValid(for message: [UInt8]) -> Bool {
    guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: key.bytes) else { return false }
    return key.isValidSignature(value, for: message)
  }
}

/// The secret of a machine that takes backups. It signs the machine's snapshots and seals what the machine keeps for
/// itself; it opens no snapshot.
package struct WriterKey: Sendable {
  private let seed: SecretBytes
  /// True if the seed itself signs, as in keys from before signing keys were derived.
  private let isRaw: Bool
  package let signing: SigningKey
  /// Seals the local cache of states.
  package let cacheKey: SealingKey

  /// Makes a new key.
  package init() throws {
    try self.init(seed: SecretBytes.random(count: 32), isRaw: false)
  }

  private init(seed: SecretBytes, isRaw: Bool) throws {
    self.seed = seed
    self.isRaw = isRaw
    signing =
      isRaw
      ? try seed.withUnsafeBytes { try SigningKey(derived: SymmetricKey(data: $0)) }
      : try SigningKey(derived: seed.derive("writer signing"))
    cacheKey = SealingKey(seed.derive("writer cache"))
  }

  /// - Parameter name: the origin of the text, for messages.
  package init(file text: SecretBytes, name: String) throws {
    var (bytes, isRaw) = try KeyText.decodeWriterFile(text, name: name)
    try self.init(seed: SecretBytes(taking: &bytes), isRaw: isRaw)
  }

  /// The key of `contentCode`.
  var contentKey: SymmetricKey { seed.derive("writer content") }

  /// Returns the text of its key file: the secret, and comments that say what it is.
  package func fileText(created: String) -> SecretBytes {
    let secret = seed.withUnsafeBytes { KeyText.encode(isRaw ? .rawWriterSecret : .writerSecret, $0) }
    var text = Array(
      """
      # A holdfast writer key: this machine signs its snapshots with it. It opens nothing.
      # created: \(created)
      # writer: \(signing.publicKey.writerText)
      \(secret)

      """.utf8)
    return SecretBytes(taking: &text)
  }
}
