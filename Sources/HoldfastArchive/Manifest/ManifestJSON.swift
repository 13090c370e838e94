internal import FoundationEssentials
internal import HoldfastCodec
internal import HoldfastModel

/// The two lines of descriptor and manifest: an object with sorted keys and no white space, and the SHA-256 of that line.
enum ManifestJSON {
  private static let newline = UInt8(ascii: "\n")

  static func encode(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let line = Array(try encoder.encode(value)) + [newline]
    return line + Array("\"\(Hasher.digest(line))\"\n".utf8)
  }

  /// The first line, proved against the second, and its digest.
  static func prove(_ bytes: [UInt8], name: String) throws -> (line: [UInt8], digest: Digest) {
    guard bytes.count <= Limits.envelopeBytesMax else { throw DamageError(name, "it is too long") }
    guard let end = bytes.firstIndex(of: newline) else { throw DamageError(name, "it is cut short") }
    let line = Array(bytes[...end])
    let digest = Hasher.digest(line)
    guard bytes[(end + 1)...].elementsEqual("\"\(digest)\"\n".utf8) else {
      throw DamageError(name, "its first line does not have the digest on its second")
    }
    return (line, digest)
  }

  /// - Throws: `FormatError` for a newer format, `DamageError` for what is not sound.
  static func decode<Value: VersionedManifest>(_ type: Value.Type, from line: [UInt8], name: String) throws -> Value {
    do {
      let value = try JSONDecoder().decode(type, from: Data(line))
      try refuseNewer(value, name: name)
      return value
    } catch let error as DecodingError {
      // Fields of a newer format may be others: its version speaks before what is missing.
      if let version = try? JSONDecoder().decode(Version.self, from: Data(line)) {
        try refuseNewer(version, name: name)
      }
      throw DamageError(name, explanation(error))
    }
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
    if let feature = version.features.first {
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

/// What says which version of the format it is of.
protocol VersionedManifest: Decodable {
  var format: Int { get }
  var features: [String] { get }
}

extension Envelope: VersionedManifest {}
extension Descriptor: VersionedManifest {}
