/// Bytes per second, as an operator writes them: `500K`, `20M`, `20MiB`, `1G`, or a plain number of bytes. K, M and G
/// are powers of 1024.
package struct ByteRate: Sendable, Hashable, CustomStringConvertible {
  private static let shifts: [Character: UInt64] = ["K": 10, "M": 20, "G": 30]
  /// Possible values, for messages and help.
  package static let examples = "500K, 20M or 1GiB"
  package let bytesPerSecond: UInt64

  /// `nil` for a text that is no rate, and for zero.
  package init?(_ text: String) {
    var digits = Substring(text)
    if digits.hasSuffix("iB") {
      digits.removeLast(2)
      guard let unit = digits.last, Self.shifts[unit] != nil else { return nil }
    }
    var shift: UInt64 = 0
    if let unit = digits.last, let known = Self.shifts[unit] {
      shift = known
      digits.removeLast()
    }
    guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = UInt64(digits), number > 0,
      number <= UInt64(Limits.sizeMax) >> shift
    else { return nil }
    bytesPerSecond = number << shift
  }

  package var description: String { Amount.bytes(bytesPerSecond) + "/s" }
}
