/// The beginning of an ID or digest, so long that nobody can make another object with the same one. It identifies an
/// object to an operator who knows it from elsewhere.
package struct Pin: Hashable, Sendable {
  /// The least number of hexadecimal digits: 128 bits.
  package static let digitsMin = 32
  private static let digitsMax = 64
  /// Lower-case hexadecimal.
  package let digits: String

  /// - Parameter text: a whole ID or digest, or the beginning of a digest.
  package init?(_ text: String) {
    guard (Self.digitsMin...Self.digitsMax).contains(text.utf8.count), text.allSatisfy({ $0.isASCII && $0.isHexDigit })
    else { return nil }
    digits = text.lowercased()
  }

  /// True if a whole ID or digest, in hexadecimal, begins with the pin.
  package func fits(_ whole: some CustomStringConvertible) -> Bool { whole.description.hasPrefix(digits) }
}
