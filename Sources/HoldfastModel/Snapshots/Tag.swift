/// A word that an operator adds to a snapshot: 1 to 64 bytes of printable characters, without white space and commas.
package struct Tag: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let text: String

  package init?(_ text: String) {
    guard (1...64).contains(text.utf8.count), !text.hasPrefix("-"),
      text.unicodeScalars.allSatisfy({ Path.isPrintable($0) && !$0.properties.isWhitespace && $0 != "," })
    else { return nil }
    self.text = text
  }

  package var description: String { text }
  package static func < (left: Tag, right: Tag) -> Bool { left.text < right.text }
}

extension Tag: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let tag = Tag(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a tag")
    }
    self = tag
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}
