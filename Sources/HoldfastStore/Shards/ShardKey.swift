package import HoldfastModel

/// The key of a shard: the key of its object, and behind it the scheme and the position: `KEY.4-2.0` (format.md,
/// section 16).
package struct ShardKey: Hashable, Sendable {
  /// The key, or the name in a listing, of the object.
  package let object: String
  package let scheme: ErasureScheme
  /// The number of the shard, from 0: first those of data, then those of parity.
  package let position: Int

  package init(_ object: String, _ scheme: ErasureScheme, _ position: Int) {
    (self.object, self.scheme, self.position) = (object, scheme, position)
  }

  /// Parses a key; `nil` if it is not that of a shard.
  package init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count > 2, let scheme = ErasureScheme(parts[parts.count - 2].replacing("-", with: "+")),
      let position = Int(parts[parts.count - 1]), (0..<scheme.shards).contains(position)
    else { return nil }
    self.init(parts.dropLast(2).joined(separator: "."), scheme, position)
    guard description == text else { return nil }
  }

  /// The first name in listings behind all shards of an object.
  static func end(of object: String) -> String { object + ".:" }
}

extension ShardKey: CustomStringConvertible {
  package var description: String { "\(object).\(scheme.data)-\(scheme.parity).\(position)" }
}
