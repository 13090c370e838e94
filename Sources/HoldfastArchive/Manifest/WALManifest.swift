package import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// States that a WAL file is archived, and where its bytes are (format.md, section 11).
package struct WALManifest: Hashable, Sendable, Codable {
  /// The largest size of a file without log, such as a timeline history.
  package static let textBytesMax: UInt64 = 1 << 20

  package var format = Envelope.formatVersion
  package var features: [String]
  package var repository: Identifier
  package var source: SourceName
  package var system: SystemIdentifier
  package var file: WALFileName
  /// The size of the file in bytes.
  package var size: UInt64
  /// The segment size of the cluster in bytes; `nil` for a file without log.
  package var segmentSize: UInt64?
  package var object: ObjectReference
  /// Identifies the same file when it is pushed again: its SHA-256; in a sealed repository a code that only the writer
  /// can compute.
  package var content: Digest
  /// The time at which it was archived.
  package var time: RecordedTime
  package var program: String
  package var keyring: Envelope.KeyringReference?
  package var signature: Signature?

  package init(
    repository: Identifier, source: SourceName, system: SystemIdentifier, file: WALFileName, size: UInt64,
    segmentSize: WALSegmentSize?, object: ObjectReference, content: Digest, time: RecordedTime, program: String,
    keyring: Envelope.KeyringReference?
  ) {
    features = keyring == nil ? [] : [Feature.sealed]
    self.repository = repository
    self.source = source
    self.system = system
    self.file = file
    self.size = size
    self.segmentSize = segmentSize?.bytes
    self.object = object
    self.content = content
    self.time = time
    self.program = program
    self.keyring = keyring
  }

  package var segment: WALSegmentSize? { segmentSize.flatMap { WALSegmentSize($0) } }
  package var objectKey: String { Keys.walObject(source, system, file, object.id) }

  /// The context that a code of the file's contents is bound to.
  package static func context(_ source: SourceName, _ system: SystemIdentifier, _ file: WALFileName) -> [UInt8] {
    Array("\(source.key)\n\(system)\n\(file)\n".utf8)
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(format, forKey: .format)
    try container.encode(features, forKey: .features)
    try container.encode(repository, forKey: .repository)
    try container.encode(source, forKey: .source)
    try container.encode(system, forKey: .system)
    try container.encode(file, forKey: .file)
    try container.encode(size, forKey: .size)
    try container.encode(segmentSize, forKey: .segmentSize)
    try container.encode(object, forKey: .object)
    try container.encode(content, forKey: .content)
    try container.encode(time, forKey: .time)
    try container.encode(program, forKey: .program)
    try container.encodeIfPresent(keyring, forKey: .keyring)
    try container.encode(signature, forKey: .signature)
  }

  /// The bytes of the manifest's object.
  /// - Parameter key: the key of the writer, when the repository is sealed.
  package func serialized(signedBy key: SigningKey?) throws -> [UInt8] {
    try ManifestJSON.encode(key.map { try signed(by: $0) } ?? self)
  }
}

extension WALManifest: SignedManifest {
  static var domain: String { "holdfast-1 wal" }
  package var isSealed: Bool { features.contains(Feature.sealed) }
}

/// A WAL file as it is archived: its manifest, and the digest of that.
package struct ArchivedWAL: Hashable, Sendable {
  package let manifest: WALManifest
  package let digest: Digest
  /// The key of its manifest.
  package let key: String

  package var file: WALFileName { manifest.file }

  /// - Throws: `FormatError` for a newer format, `DamageError` for anything but a valid manifest.
  package init(parsing bytes: [UInt8], name: String) throws {
    let (line, digest) = try ManifestJSON.verify(bytes, name: name)
    manifest = try ManifestJSON.decode(WALManifest.self, from: line, name: name)
    self.digest = digest
    key = name
    guard manifest.isSealed || manifest.signature == nil else {
      throw FormatError(name, "it is signed and not sealed")
    }
    guard manifest.isSealed == (manifest.keyring != nil) else {
      throw DamageError(name, "what it says about sealing contradicts itself")
    }
    if manifest.isSealed { try manifest.checkSignature(line: line, name: name) }
    guard manifest.file.isLog == (manifest.segmentSize != nil), Self.hasSoundSize(manifest) else {
      throw DamageError(name, "its sizes are not sound")
    }
    guard !manifest.time.isTooLong, manifest.program.utf8.count <= Limits.manifestTextBytesMax else {
      throw DamageError(name, "a text in it is too long")
    }
    guard manifest.time.isSound else { throw DamageError(name, "its time is not sound") }
  }

  private static func hasSoundSize(_ manifest: WALManifest) -> Bool {
    guard manifest.object.length <= Limits.sizeMax else { return false }
    guard manifest.file.isLog else { return (1...WALManifest.textBytesMax).contains(manifest.size) }
    guard let segment = manifest.segment else { return false }
    return manifest.size == segment.bytes && manifest.file.number(segment) != nil
  }
}
