package import HoldfastModel

/// `holdfast.json` (format.md, section 2): what a repository is.
package struct Descriptor: Hashable, Sendable, Codable {
  package var format: Int
  package var features: [String]
  package var repository: Identifier
  package var created: String
  package var sealing: String

  package init(repository: Identifier, created: String) {
    self.format = Envelope.formatVersion
    self.features = []
    self.repository = repository
    self.created = created
    self.sealing = "none"
  }

  package func serialized() throws -> [UInt8] { try ManifestJSON.encode(self) }

  /// - Throws: `FormatError` for a newer format, `DamageError` for what is no sound descriptor.
  package init(parsing bytes: [UInt8], name: String) throws {
    let (line, _) = try ManifestJSON.prove(bytes, name: name)
    self = try ManifestJSON.decode(Descriptor.self, from: line, name: name)
    guard sealing == "none" else { throw FormatError(name, "its sealing is \"\(sealing)\"") }
  }
}
