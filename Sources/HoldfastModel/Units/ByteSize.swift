/// A number of bytes, as an operator writes it: `500K`, `20M`, `20MiB`, `1G`, `2TiB`, or a plain number of bytes. K, M,
/// G and T are powers of 1024.
package struct ByteSize: Sendable, Hashable {
  private static let shifts: [Character: UInt64] = ["K": 10, "M": 20, "G": 30, "T": 40]
  /// Possible values, for messages and help.
  package static let examples = "500M, 20GiB or 1T"
  package let bytes: UInt64

  /// `nil` for a text that is no number of bytes, for zero, and for more than a file can have.
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
    bytes = number << shift
  }
}
