package import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// Something that a repository as a whole says in revisions without a gap, each of which names the one before: the list
/// of targets, the names of sources.
package protocol RevisedManifest: Hashable, Sendable {
  /// The prefix of the keys of its revisions.
  static var folder: String { get }
  /// The words for it in messages.
  static var title: String { get }
  /// True if the title is a plural.
  static var areMany: Bool { get }

  var repository: Identifier { get }
  var revision: UInt64 { get set }
  /// The digest of the revision before; `nil` in the first.
  var previous: Digest? { get set }
  var time: RecordedTime { get set }
  var program: String { get set }
  var signature: Signature? { get }
  var isSealed: Bool { get }

  /// The key of a revision.
  static func key(_ revision: UInt64) -> String
  /// Parses the bytes of an object, and checks the signature if it says that it has one.
  static func parse(_ bytes: [UInt8], name: String) throws -> (contents: Self, digest: Digest)
  /// Checks what it says, and that it may follow the revision before.
  func check(after previous: Self?, _ name: String) throws
  /// Returns the bytes of its object.
  /// - Parameter key: the key of the writer, when the repository is sealed.
  func serialized(signedBy key: SigningKey?) throws -> [UInt8]
}

/// A revision as it is stored: its contents and its digest.
package struct SignedRevision<Contents: RevisedManifest>: Hashable, Sendable {
  package let contents: Contents
  package let digest: Digest

  /// - Parameter previous: the revision before; `nil` for the first.
  /// - Throws: `FormatError` for a newer format, `DamageError` for contents that are not valid. The keyring
  ///   decides whether the signer is allowed to write it.
  package init(parsing bytes: [UInt8], after previous: Self?, of descriptor: Descriptor, name: String) throws {
    (contents, digest) = try Contents.parse(bytes, name: name)
    guard contents.repository == descriptor.repository else {
      throw DamageError(name, "it belongs to another repository")
    }
    guard contents.isSealed == (contents.signature != nil), contents.isSealed == descriptor.isSealed else {
      throw DamageError(
        name, "it is \(descriptor.isSealed ? "not signed in a sealed" : "signed in an unsealed") repository")
    }
    guard contents.revision == (previous?.contents.revision ?? 0) + 1, contents.previous == previous?.digest else {
      throw DamageError(name, "it does not follow the revision before it")
    }
    guard (1...Limits.revisionsMax).contains(contents.revision), contents.time.isSound,
      contents.program.utf8.count <= Limits.manifestTextBytesMax
    else {
      throw DamageError(name, "its revision, its time or its program is not sound")
    }
    try contents.check(after: previous?.contents, name)
  }
}

extension RevisedManifest where Self: SignedManifest {
  /// `parse`, for a manifest with a signature over its own line.
  static func parseSigned(_ bytes: [UInt8], name: String) throws -> (contents: Self, digest: Digest) {
    let (line, digest) = try ManifestJSON.verify(bytes, name: name)
    let contents = try ManifestJSON.decode(Self.self, from: line, name: name)
    if contents.isSealed, contents.signature != nil { try contents.checkSignature(line: line, name: name) }
    return (contents, digest)
  }

  /// `serialized`, for a manifest with a signature over its own line.
  func serializedSigned(by key: SigningKey?) throws -> [UInt8] {
    var unsigned = self
    unsigned.signature = nil
    return try ManifestJSON.encode(key.map { try unsigned.signed(by: $0) } ?? unsigned)
  }
}
