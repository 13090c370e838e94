/// A way to divide an object into shards, of which any `data` are enough to read it. Its text is `4+2`.
package struct ErasureScheme: Hashable, Sendable, CustomStringConvertible {
  /// The most shards of an object: one for each target that a list of targets can have.
  package static let shardsMax = 16

  /// The number of shards that contain the bytes of the object.
  package let data: Int
  /// The number of shards that may be lost.
  package let parity: Int

  /// `nil` unless both numbers are positive, and there are at most `shardsMax` shards.
  package init?(data: Int, parity: Int) {
    guard data >= 1, parity >= 1, data <= Self.shardsMax, parity <= Self.shardsMax - data else { return nil }
    (self.data, self.parity) = (data, parity)
  }

  /// Parses `4+2`: two decimal numbers without leading zeros.
  package init?(_ text: some StringProtocol) {
    let numbers = text.split(separator: "+", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let data = numbers[0], let parity = numbers[1],
      let scheme = Self(data: data, parity: parity),
      scheme.description == text
    else { return nil }
    self = scheme
  }

  /// The number of shards of an object.
  package var shards: Int { data + parity }

  package var description: String { "\(data)+\(parity)" }
}

extension ErasureScheme: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let scheme = ErasureScheme(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "a scheme is two numbers, as in 4+2")
    }
    self = scheme
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
