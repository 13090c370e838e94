/// Digits by which somebody who has them from elsewhere recognises the one thing that is meant: so many that nobody makes another thing with the same.
package struct Pin: Hashable, Sendable {
  /// Hexadecimal digits: 128 bits.
  package static let digitsMin = 32
  private static let digitsMax = 64
  /// In lower case.
  package let digits: String

  /// - Parameter text: a whole ID or digest, or the beginning of a digest.
  package init?(_ text: String) {
    guard (Self.digitsMin...Self.digitsMax).contains(text.utf8.count), text.allSatisfy({ $0.isASCII && $0.isHexDigit })
    else { return nil }
    digits = text.lowercased()
  }

  /// Whether a whole ID or digest, in hexadecimal digits, begins with the pin.
  package func fits(_ whole: some CustomStringConvertible) -> Bool { whole.description.hasPrefix(digits) }
}
