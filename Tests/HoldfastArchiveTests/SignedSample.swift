import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem

/// A sealed envelope, and what an attacker can make of its text: the digest on the second line always fits.
enum SignedSample {
  static let name = "manifest.json"

  static func envelope(_ change: (inout Envelope) -> Void = { _ in }) throws -> Envelope {
    guard let source = SourceName("shop") else { preconditionFailure("it is a sound name") }
    var envelope = Envelope(
      repository: identifier(0x11), snapshot: identifier(0x22), source: Envelope.Source(name: source, path: ""),
      sequence: 1, kind: .full, parent: nil,
      time: Envelope.Time(
        started: RecordedTime(text: "2026-11-22T14:05:03.123Z"),
        finished: RecordedTime(text: "2026-11-22T14:05:04.000Z")), archives: [],
      body: ObjectReference(id: identifier(0x77), length: 200, digest: digest(0x88)),
      state: Envelope.State(root: digest(0x99), entries: 10, files: 9, bytes: 100), changes: Envelope.Changes(),
      consistency: .stable, incomplete: 0, program: "holdfast 0.1.0",
      keyring: Envelope.KeyringReference(revision: 1, digest: digest(0x33)))
    change(&envelope)
    return envelope
  }

  static func line(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self) }

  /// The two lines of an object with this first line.
  static func object(_ line: String) -> [UInt8] {
    let bytes = Array(line.utf8) + [10]
    return bytes + Array("\"\(Hasher.digest(bytes))\"\n".utf8)
  }

  /// The text behind `"signature":`.
  static func signature(_ signature: Signature) -> String {
    #"{"key":"\#(signature.key)","value":"\#(Hex.encode(signature.value))"}"#
  }

  /// The line with another text in the place of its signature.
  static func replacingSignature(of line: String, by text: String) -> String {
    guard let parts = split(line) else { return line }
    return parts.before + text + parts.after
  }

  private static func split(_ line: String) -> (before: Substring, after: Substring)? {
    let bytes = Array(line.utf8)
    let field = Array(#""signature":"#.utf8)
    guard let start = bytes.indices.first(where: { bytes[$0...].starts(with: field) }).map({ $0 + field.count }),
      let end = bytes[start] == UInt8(ascii: "{") ? bytes[start...].firstIndex(of: UInt8(ascii: "}")) : start + 3
    else { return nil }
    let text = line.utf8
    let first = text.index(text.startIndex, offsetBy: start)
    let last = text.index(text.startIndex, offsetBy: end + 1)
    return (line[..<first], line[last...])
  }
}
