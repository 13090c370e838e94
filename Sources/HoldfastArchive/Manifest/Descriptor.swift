package import HoldfastModel
package import HoldfastSystem

/// `holdfast.json` (format.md, section 2): identifies a repository, its format and whether it is sealed.
package struct Descriptor: Hashable, Sendable, Codable {
  /// Says if the contents of the repository are encrypted and signed.
  package enum Sealing: Hashable, Sendable, Codable, RawRepresentable {
    case none, sealed
    /// A word that this version does not know.
    case unknown(String)

    package init(rawValue: String) {
      switch rawValue {
      case "none": self = .none
      case "sealed": self = .sealed
      default: self = .unknown(rawValue)
      }
    }

    package var rawValue: String {
      switch self {
      case .none: "none"
      case .sealed: "sealed"
      case .unknown(let word): word
      }
    }
  }

  package var format: Int
  package var features: [String]
  package var repository: Identifier
  package var created: RecordedTime
  package var sealing: Sealing
  /// The digest of the first revision of the keyring, when the repository is sealed.
  package var keyring: Digest?

  package init(repository: Identifier, created: RecordedTime, keyring: Digest? = nil) {
    self.format = Envelope.formatVersion
    self.features = keyring == nil ? [] : [Feature.sealed]
    self.repository = repository
    self.created = created
    self.sealing = keyring == nil ? .none : .sealed
    self.keyring = keyring
  }

  package func serialized() throws -> [UInt8] { try ManifestJSON.encode(self) }

  /// - Throws: `FormatError` for a newer format, `DamageError` for anything but a valid descriptor.
  package init(parsing bytes: [UInt8], name: String) throws {
    let (line, _) = try ManifestJSON.verify(bytes, name: name)
    self = try ManifestJSON.decode(Descriptor.self, from: line, name: name)
    if case .unknown(let word) = sealing { throw FormatError(name, "its sealing is \"\(Path(word))\"") }
    guard (sealing == .sealed) == isSealed, isSealed == (keyring != nil) else {
      throw DamageError(name, "what it says about sealing contradicts itself")
    }
  }
}
