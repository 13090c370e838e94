internal import Crypto
internal import FoundationEssentials
package import HoldfastModel

/// The HPKE suite of this format.
private let suite = HPKE.Ciphersuite(kem: .Curve25519_HKDF_SHA256, kdf: .HKDF_SHA256, aead: .AES_GCM_256)

/// The secret that opens a repository and signs its keyring: one seed, kept away from the machines that take backups.
package struct RecoveryIdentity: Sendable {
  private let seed: SecretBytes
  private let opening: Curve25519.KeyAgreement.PrivateKey
  /// Signs revisions of the keyring.
  package let authority: SigningKey
  package let recipient: Recipient

  /// Makes a new identity.
  package init() throws {
    try self.init(seed: SecretBytes.random(count: 32))
  }

  init(seed: SecretBytes) throws {
    self.seed = seed
    opening = try seed.derive("identity opening").withUnsafeBytes {
      try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: $0)
    }
    authority = try SigningKey(derived: seed.derive("identity authority"))
    recipient = Recipient(opening: PublicKey(opening.publicKey.rawRepresentation), authority: authority.publicKey)
  }

  /// - Parameter name: the origin of the text, for messages.
  package init(file text: SecretBytes, name: String) throws {
    var bytes = try KeyText.decodeFile(text, as: .identity, name: name)
    try self.init(seed: SecretBytes(taking: &bytes))
  }

  /// Returns the text of its key file: the secret, and comments that say what it is.
  package func fileText(created: String) -> SecretBytes {
    let secret = seed.withUnsafeBytes { KeyText.encode(.identity, $0) }
    var text = Array(
      """
      # A holdfast identity: it opens every snapshot that was sealed to it. Keep it away from the machines that take backups, twice.
      # created: \(created)
      # recipient: \(recipient.text)
      \(secret)

      """.utf8)
    return SecretBytes(taking: &text)
  }

  /// Opens the key of an object from its slot; `nil` when it was not sealed to this identity for this object.
  package func open(_ slot: KeySlot, info: [UInt8]) -> SealingKey? {
    guard
      let sender = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: slot.encapsulatedKey),
      opening.agrees(with: sender),
      var context = try? HPKE.Recipient(
        privateKey: opening, ciphersuite: suite, info: Data(info), encapsulatedKey: Data(slot.encapsulatedKey)),
      let key = try? context.open(slot.sealedKey), key.count == SealingKey.byteCount
    else { return nil }
    return SealingKey(SymmetricKey(data: key))
  }

  /// Seals the seed under a passphrase.
  func sealed(by key: SealingKey, associated: [UInt8]) throws -> [UInt8] {
    var plain = seed.withUnsafeBytes { Array($0) }
    defer { SecretBytes.wipe(&plain) }
    return try key.seal(plain, number: 0, associated: associated)
  }
}

extension Curve25519.KeyAgreement.PrivateKey {
  /// True if an agreement with this public key gives a secret. With a point of low order every agreement gives zero:
  /// anybody could open what is sealed to it, and seal in its name. RFC 9180 (7.1.4) requires this check on both sides,
  /// and the library does not make it.
  fileprivate func agrees(with key: Curve25519.KeyAgreement.PublicKey) -> Bool {
    guard let secret = try? sharedSecretFromKeyAgreement(with: key) else { return false }
    return !secret.withUnsafeBytes { $0.allSatisfy { $0 == 0 } }
  }
}

/// The public part of an identity, to which objects are sealed.
package struct Recipient: Hashable, Sendable {
  /// X25519.
  package let opening: PublicKey
  /// Ed25519.
  package let authority: PublicKey

  package init(opening: PublicKey, authority: PublicKey) {
    self.opening = opening
    self.authority = authority
  }

  package init(text: String) throws {
    let bytes = try KeyText.decode(text, as: .recipient, name: "--recipient")
    guard let opening = PublicKey(bytes: Array(bytes[..<32])), let authority = PublicKey(bytes: Array(bytes[32...]))
    else {
      throw KeyError.unusable("--recipient")
    }
    self.init(opening: opening, authority: authority)
    _ = try openingKey()
  }

  package var text: String { KeyText.encode(.recipient, opening.bytes + authority.bytes) }

  package var id: Identifier {
    guard let id = Identifier(bytes: Hasher.digest(opening.bytes + authority.bytes).bytes.prefix(Identifier.byteCount))
    else {
      preconditionFailure("a digest is longer than an ID")
    }
    return id
  }

  /// Seals the key of an object to this recipient.
  package func seal(_ key: SealingKey, info: [UInt8]) throws -> KeySlot {
    var sender = try HPKE.Sender(recipientKey: openingKey(), ciphersuite: suite, info: Data(info))
    let sealed = try key.withUnsafeBytes { try sender.seal($0) }
    return KeySlot(recipient: id, encapsulatedKey: Array(sender.encapsulatedKey), sealedKey: Array(sealed))
  }

  private func openingKey() throws -> Curve25519.KeyAgreement.PublicKey {
    guard let key = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: opening.bytes),
      Curve25519.KeyAgreement.PrivateKey().agrees(with: key)
    else { throw KeyError.unusable("--recipient") }
    return key
  }
}

/// The key of an object, sealed to one recipient.
package struct KeySlot: Hashable, Sendable {
  package static let encapsulatedByteCount = 32
  package static let sealedByteCount = SealingKey.byteCount + SealingKey.tagByteCount
  package let recipient: Identifier
  package let encapsulatedKey: [UInt8]
  package let sealedKey: [UInt8]

  package init(recipient: Identifier, encapsulatedKey: [UInt8], sealedKey: [UInt8]) {
    self.recipient = recipient
    self.encapsulatedKey = encapsulatedKey
    self.sealedKey = sealedKey
  }
}
