/// Sixteen random bytes that name a repository, a snapshot or an object; 32 hexadecimal digits in text.
package struct Identifier: Hashable, Sendable, CustomStringConvertible {
  package static let byteCount = 16
  package let bytes: [UInt8]

  /// `nil` unless there are exactly sixteen bytes.
  package init?(bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = Array(bytes)
  }

  package init?(_ text: some StringProtocol) {
    guard let bytes = Hex.decode(text), let identifier = Identifier(bytes: bytes) else { return nil }
    self = identifier
  }

  package var description: String { Hex.encode(bytes) }
  /// The first eight digits, which people read and type.
  package var short: String { String(description.prefix(8)) }
}

extension Identifier: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let identifier = Identifier(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "an ID is 32 hexadecimal digits")
    }
    self = identifier
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
