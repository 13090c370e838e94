internal import CScrypt
internal import Crypto
package import HoldfastModel

/// An identity that is sealed under a passphrase (format.md, section 9), as the keyring contains it.
package struct PassphraseSeal: Hashable, Sendable, Codable {
  private static let logNRange = 15...18
  private static let saltByteCount = 32
  /// Takes 128 MiB of memory and some tenths of a second.
  package static let standardLogN = 17

  package let salt: String
  package let logN: Int
  package let r: Int
  package let p: Int
  package let sealed: String

  /// - Parameters:
  ///   - logN: the cost of one guess, as a power of two: 15 to 18.
  ///   - repository: the repository that the seal is bound to.
  package init(
    _ identity: RecoveryIdentity, passphrase: SecretBytes, repository: Identifier, logN: Int = standardLogN
  ) throws {
    let salt = SecretBytes.random(count: Self.saltByteCount).withUnsafeBytes { Array($0) }
    self.salt = Hex.encode(salt)
    (self.logN, r, p) = (logN, 8, 1)
    let key = try Self.derive(passphrase, salt: salt, logN: logN)
    sealed = Hex.encode(try identity.sealed(by: key, associated: Self.associated(repository)))
  }

  /// True if the parameters are within their bounds. With any others no key is derived, whoever wrote them.
  package var isSound: Bool {
    Self.logNRange.contains(logN) && r == 8 && p == 1 && Hex.decode(salt)?.count == Self.saltByteCount
      && Hex.decode(sealed)?.count == 32 + SealingKey.tagByteCount
  }

  /// `nil` when the passphrase is wrong.
  package func open(passphrase: SecretBytes, repository: Identifier) throws -> RecoveryIdentity? {
    guard isSound, let salt = Hex.decode(salt), let sealed = Hex.decode(sealed) else { return nil }
    let key = try Self.derive(passphrase, salt: salt, logN: logN)
    guard var seed = key.open(sealed, number: 0, associated: Self.associated(repository)) else { return nil }
    return try RecoveryIdentity(seed: SecretBytes(taking: &seed))
  }

  private static func derive(_ passphrase: SecretBytes, salt: [UInt8], logN: Int) throws -> SealingKey {
    var key = [UInt8](repeating: 0, count: SealingKey.byteCount)
    defer { SecretBytes.wipe(&key) }
    let isDerived = passphrase.withUnsafeBytes { bytes in
      holdfast_scrypt(bytes.baseAddress, bytes.count, salt, salt.count, 1 << logN, 8, 1, &key, key.count)
    }
    guard isDerived else {
      throw EngineError(
        .machine, "there is not enough memory to try a passphrase: it takes \(1 << (logN - 10)) MiB",
        hint: "Free some, or raise the limit of this process (ulimit -v).")
    }
    return SealingKey(SymmetricKey(data: key))
  }

  private static func associated(_ repository: Identifier) -> [UInt8] {
    Array("holdfast-1 passphrase".utf8) + repository.bytes
  }
}
