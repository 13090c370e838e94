internal import HoldfastCodec
package import HoldfastModel

/// One object in the catalog cache. It is written like this:
///
/// | bytes | what |
/// |---|---|
/// | 32 | SHA-256 of the ID of the repository and of everything that follows |
/// | 2, 2, 4 | lengths of key, tag and object, little-endian |
/// | | key, tag (empty for none), the object as it is stored |
package struct CatalogRecord {
  /// The number of bytes before the key.
  package static let headCount = Digest.byteCount + 8
  private static let keyBytesMax = 1 << 10
  private static let tagBytesMax = 1 << 8
  /// Larger objects are not kept: they are few, and are read in parts.
  package static let objectBytesMax = 256 << 10

  let key: String
  /// The tag in listings; `nil` for none.
  let tag: String?
  let bytes: [UInt8]

  /// - Returns: `nil` when it is too long to be kept.
  package init?(key: String, tag: String?, bytes: [UInt8]) {
    guard (1...Self.keyBytesMax).contains(key.utf8.count), (tag?.utf8.count ?? 1) <= Self.tagBytesMax, tag != "",
      bytes.count <= Self.objectBytesMax
    else { return nil }
    (self.key, self.tag, self.bytes) = (key, tag, bytes)
  }

  package func serialized(for repository: Identifier) -> [UInt8] {
    let names = (key: Array(key.utf8), tag: Array((tag ?? "").utf8))
    var rest: [UInt8] = []
    for (count, width) in [(names.key.count, 2), (names.tag.count, 2), (bytes.count, 4)] {
      rest += (0..<width).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
    }
    rest += names.key + names.tag + bytes
    return Hasher.digest(repository.bytes + rest).bytes + rest
  }

  /// True if the bytes of a record are whole and unchanged.
  package static func isWhole(_ record: [UInt8], for repository: Identifier) -> Bool {
    record.count >= headCount
      && Hasher.digest(repository.bytes + record[Digest.byteCount...]).bytes == Array(record[..<Digest.byteCount])
  }

  /// The lengths in the beginning of a record.
  package struct Lengths {
    package let key: Int
    package let tag: Int
    package let object: Int

    /// - Returns: `nil` when no record begins with these bytes.
    package init?(_ head: [UInt8]) {
      func number(_ range: Range<Int>) -> Int { range.reversed().reduce(0) { $0 << 8 | Int(head[$1]) } }
      guard head.count == headCount else { return nil }
      let first = Digest.byteCount
      (key, tag, object) = (number(first..<first + 2), number(first + 2..<first + 4), number(first + 4..<first + 8))
      guard (1...keyBytesMax).contains(key), tag <= tagBytesMax, object <= objectBytesMax else { return nil }
    }

    var objectOffset: Int { headCount + key + tag }
    /// The bytes of the whole record.
    var record: Int { objectOffset + object }
  }
}
