/// Bytes per second, as an operator writes them: `500K`, `20M`, `20MiB`, `1G`, or a plain number of bytes.
package struct ByteRate: Sendable, Hashable, CustomStringConvertible {
  /// Possible values, for messages and help.
  package static let examples = "500K, 20M or 1GiB"
  package let bytesPerSecond: UInt64

  /// `nil` for a text that is no rate, and for zero.
  package init?(_ text: String) {
    guard let size = ByteSize(text) else { return nil }
    bytesPerSecond = size.bytes
  }

  package var description: String { Amount.bytes(bytesPerSecond) + "/s" }
}
