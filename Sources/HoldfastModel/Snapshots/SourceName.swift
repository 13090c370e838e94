/// The name under which a source's snapshots are kept: 1 to 64 of `A-Z a-z 0-9 . _ -`, not beginning with `.` or `-`.
package struct SourceName: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let text: String

  package init?(_ text: String) {
    guard (1...64).contains(text.utf8.count), !text.hasPrefix("."), !text.hasPrefix("-"),
      text.utf8.allSatisfy(Self.isAllowed)
    else { return nil }
    self.text = text
  }

  /// Makes a valid name from the last component of `path`; `source` when no character of it can be kept.
  package init(from path: Path) {
    var kept = path.lastComponent.map { Self.isAllowed($0) ? $0 : UInt8(ascii: "_") }
    while let first = kept.first, first == UInt8(ascii: ".") || first == UInt8(ascii: "-") { kept.removeFirst() }
    let name = String(decoding: kept.prefix(64), as: UTF8.self)
    self.text = name.isEmpty ? "source" : name
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
  package static func < (left: SourceName, right: SourceName) -> Bool { left.text < right.text }
}

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
    try container.encode(text)
  }
}
