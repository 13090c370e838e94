/// The name of a source: 1 to 64 of `A-Z a-z 0-9 . _ -`, not beginning with `.` or `-`.
///
/// A source keeps the name under which it is stored; after a rename people call it by another one. Keys, records and
/// everything else that is stored use `key`; text for people and programs uses `text`, which is the description. Two
/// names are equal if they are stored under the same one.
package struct SourceName: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The name by which the source is called.
  package let text: String
  /// The name under which it is stored; `nil` until a repository says it (`SourceNameStore`).
  private let stored: String?

  /// The name under which the source is stored; for a name that no repository was asked about, the name itself.
  package var key: String { stored ?? text }

  /// True if a repository said under which name it is stored.
  package var isResolved: Bool { stored != nil }

  /// Makes the name of a source that is stored under one name and called by another.
  package init(stored: String, shown: String) { (self.stored, text) = (stored, shown) }

  package init?(_ text: String) {
    guard (1...64).contains(text.utf8.count), !text.hasPrefix("."), !text.hasPrefix("-"),
      text.utf8.allSatisfy(Self.isAllowed)
    else { return nil }
    (self.text, stored) = (text, nil)
  }

  /// Makes a valid name from the last component of `path`; `source` when no character of it can be kept.
  package init(from path: Path) {
    var kept = path.lastComponent.map { Self.isAllowed($0) ? $0 : UInt8(ascii: "_") }
    while let first = kept.first, first == UInt8(ascii: ".") || first == UInt8(ascii: "-") { kept.removeFirst() }
    let name = String(decoding: kept.prefix(64), as: UTF8.self)
    (text, stored) = (name.isEmpty ? "source" : name, nil)
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  package var description: String { text }
  package static func < (left: SourceName, right: SourceName) -> Bool {
    (left.text, left.key) < (right.text, right.key)
  }
  package static func == (left: SourceName, right: SourceName) -> Bool { left.key == right.key }
  package func hash(into hasher: inout Hasher) { hasher.combine(key) }
}

/// A name is encoded as the one under which the source is stored.
extension SourceName: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let name = SourceName(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a source name")
    }
    self = name
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(key)
  }
}
