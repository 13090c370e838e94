/// A position in the write-ahead log of a PostgreSQL cluster, in bytes from its beginning. Text is `HIGH/LOW`, both
/// halves in hexadecimal: `0/2000028`.
package struct LogSequenceNumber: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let value: UInt64

  package init(_ value: UInt64) {
    self.value = value
  }

  /// Parses what PostgreSQL prints and reads: one to eight hexadecimal digits, in either case, on both sides of the
  /// slash; otherwise `nil`.
  package init?(_ text: some StringProtocol) {
    let halves = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard halves.count == 2, let high = Self.half(halves[0]), let low = Self.half(halves[1]) else { return nil }
    value = UInt64(high) << 32 | UInt64(low)
  }

  private static func half(_ digits: some Collection<UInt8>) -> UInt32? {
    // Swift's own parser would accept a sign.
    guard (1...8).contains(digits.count), !digits.contains(UInt8(ascii: "+")), !digits.contains(UInt8(ascii: "-"))
    else {
      return nil
    }
    return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
  }

  package var description: String {
    String(value >> 32, radix: 16, uppercase: true) + "/" + String(value & 0xffff_ffff, radix: 16, uppercase: true)
  }

  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

extension LogSequenceNumber: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let number = LogSequenceNumber(text), number.description == text else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "an LSN is written HIGH/LOW")
    }
    self = number
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
