internal import FoundationEssentials
internal import HoldfastCodec
internal import HoldfastModel

/// Thrown when a decoded manifest contains an impossible value.
struct UnsoundValue: Error {
  let finding: String
}

/// The form of all manifests, such as descriptor, envelope and keyring: a line of JSON with sorted keys and no white
/// space, and a line with its SHA-256.
enum ManifestJSON {
  private static let newline = UInt8(ascii: "\n")

  static func encode(_ value: some Encodable) throws -> [UInt8] {
    let line = try self.line(of: value)
    return line + Array("\"\(Hasher.digest(line))\"\n".utf8)
  }

  /// Returns the first line, as bytes.
  static func line(of value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value)) + [newline]
  }

  /// Checks the first line against the digest in the second; returns both.
  static func verify(_ bytes: [UInt8], name: String) throws -> (line: [UInt8], digest: Digest) {
    guard bytes.count <= Limits.envelopeBytesMax else { throw DamageError(name, "it is too long") }
    guard let end = bytes.firstIndex(of: newline) else { throw DamageError(name, "it is cut short") }
    let line = Array(bytes[...end])
    let digest = Hasher.digest(line)
    guard bytes[(end + 1)...].elementsEqual("\"\(digest)\"\n".utf8) else {
      throw DamageError(name, "its first line does not have the digest on its second")
    }
    return (line, digest)
  }

  /// - Throws: `FormatError` for a newer format, `DamageError` for contents that are not valid.
  static func decode<Value: VersionedManifest>(_ type: Value.Type, from line: [UInt8], name: String) throws -> Value {
    do {
      let value = try JSONDecoder().decode(type, from: Data(line))
      try refuseNewer(value, name: name)
      return value
    } catch let error as DecodingError {
      throw try damage(explanation(error), line, name: name)
    } catch let error as UnsoundValue {
      throw try damage(error.finding, line, name: name)
    }
  }

  /// Checks the version first: a newer format may have other fields, and the error must name its version, not the
  /// missing fields.
  private static func damage(_ finding: String, _ line: [UInt8], name: String) throws -> DamageError {
    if let version = try? JSONDecoder().decode(Version.self, from: Data(line)) {
      try refuseNewer(version, name: name)
    }
    return DamageError(name, finding)
  }

  private struct Version: VersionedManifest {
    let format: Int
    let features: [String]
  }

  private static func refuseNewer(_ version: some VersionedManifest, name: String) throws {
    guard version.format == Envelope.formatVersion else {
      throw FormatError(
        name, "it has format \(version.format), and this version reads format \(Envelope.formatVersion)")
    }
    guard version.features.count <= Limits.featuresMax else { throw DamageError(name, "it has too many features") }
    if let feature = version.features.first(where: { !Feature.known.contains($0) }) {
      throw FormatError(name, "it needs the feature \"\(Path(feature))\"")
    }
  }

  private static func explanation(_ error: DecodingError) -> String {
    let path: [any CodingKey]
    switch error {
    case .keyNotFound(let key, let context): path = context.codingPath + [key]
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      path = context.codingPath
    @unknown default: path = []
    }
    if path.isEmpty { return "it is not sound JSON" }
    return "its field \(path.map(\.stringValue).joined(separator: ".")) is missing or not sound"
  }
}

/// Features that a reader must understand in addition to the version of the format.
package enum Feature {
  /// Objects are sealed and manifests are signed (format.md, section 9).
  package static let sealed = "sealed"
  /// Containers of the snapshot may have parity (format.md, section 4).
  package static let parity = "parity"
  /// Containers are in shards over the targets (format.md, section 16).
  package static let erasure = "erasure"
  /// Notes say that a snapshot is removed at some targets and not at others (format.md, section 12).
  static let removalsByTarget = "removals-by-target"
  /// Notes that name the hosts which have taken turns in serving the source.
  static let eras = "eras"
  /// The snapshot is an increment that was merged of several (format.md, section 5).
  package static let mergedIncrement = "merged-increment"
  static let known: Set = [sealed, parity, erasure, removalsByTarget, eras, mergedIncrement]
}

/// A manifest that states the version of its format.
protocol VersionedManifest: Decodable {
  var format: Int { get }
  var features: [String] { get }
}

extension Envelope: VersionedManifest {
  package var isSealed: Bool { features.contains(Feature.sealed) }
}

extension Descriptor: VersionedManifest {
  package var isSealed: Bool { features.contains(Feature.sealed) }
}

extension Keyring: VersionedManifest {}

extension TargetList: VersionedManifest {}

extension SourceNames: VersionedManifest {}

/// A manifest with a signature over its own line (format.md, section 9).
protocol SignedManifest: VersionedManifest, Encodable {
  var signature: Signature? { get set }
  /// Separates the signatures of different kinds of manifest: it is part of what is signed.
  static var domain: String { get }
}

extension SignedManifest {
  private static func message(_ line: [UInt8]) -> [UInt8] { Array("\(domain)\n".utf8) + line }

  func signed(by key: SigningKey) throws -> Self {
    var copy = self
    copy.signature = nil
    copy.signature = try key.sign(Self.message(ManifestJSON.line(of: copy)))
    return copy
  }

  /// Checks that the key named in the signature signed this line. The keyring decides if that key is allowed to.
  func checkSignature(line: [UInt8], name: String) throws {
    guard let signature else { throw DamageError(name, "it is not signed") }
    let field = Array("\"signature\":".utf8)
    let written = field + (try ManifestJSON.line(of: signature)).dropLast()
    guard let range = line.onlyRange(of: written) else { throw DamageError(name, "its signature is not sound") }
    let unsigned = line[..<range.lowerBound] + field + Array("null".utf8) + line[range.upperBound...]
    guard signature.isValid(for: Self.message(Array(unsigned))) else {
      throw DamageError(name, "its signature does not fit what it signs")
    }
  }
}

extension [UInt8] {
  /// The range of `part`; `nil` unless it occurs exactly once.
  fileprivate func onlyRange(of part: [UInt8]) -> Range<Int>? {
    var found: Range<Int>?
    guard let first = part.first, count >= part.count else { return nil }
    for start in 0...(count - part.count) where self[start] == first {
      guard self[start..<start + part.count].elementsEqual(part) else { continue }
      guard found == nil else { return nil }
      found = start..<start + part.count
    }
    return found
  }
}
