package import HoldfastModel

/// `holdfast.json` (format.md, section 2): identifies a repository, its format and whether it is sealed.
package struct Descriptor: Hashable, Sendable, Codable {
  package var format: Int
  package var features: [String]
  package var repository: Identifier
  package var created: String
  package var sealing: String
  /// The digest of the first revision of the keyring, when the repository is sealed.
  package var keyring: Digest?

  package init(repository: Identifier, created: String, keyring: Digest? = nil) {
    self.format = Envelope.formatVersion
    self.features = keyring == nil ? [] : [Feature.sealed]
    self.repository = repository
    self.created = created
    self.sealing = keyring == nil ? "none" : "sealed"
    self.keyring = keyring
  }

  package func serialized() throws -> [UInt8] { try ManifestJSON.encode(self) }

  /// - Throws: `FormatError` for a newer format, `DamageError` for anything but a valid descriptor.
  package init(parsing bytes: [UInt8], name: String) throws {
    let (line, _) = try ManifestJSON.verify(bytes, name: name)
    self = try ManifestJSON.decode(Descriptor.self, from: line, name: name)
    guard ["none", "sealed"].contains(sealing) else { throw FormatError(name, "its sealing is \"\(Path(sealing))\"") }
    guard (sealing == "sealed") == isSealed, isSealed == (keyring != nil) else {
      throw DamageError(name, "what it says about sealing contradicts itself")
    }
  }
}
