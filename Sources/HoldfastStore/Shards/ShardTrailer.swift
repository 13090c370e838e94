internal import HoldfastCodec
internal import HoldfastModel

/// The end of a shard (format.md, section 16): which shard of which object it is. Nobody signs it. What is read through
/// shards is checked by the digests of the object; the trailer only tells which shard is wrong, or at a wrong place.
struct ShardTrailer: Equatable {
  static let byteCount = 96
  private static let magic = Array("HOLDFAST-SHARD-1".utf8)
  /// The bytes that are covered by the digest, together with the table.
  private static let describedCount = 64

  let repository: Identifier
  let object: Identifier
  let layout: ShardLayout
  let position: Int

  static func == (left: ShardTrailer, right: ShardTrailer) -> Bool { left.described == right.described }

  init(repository: Identifier, object: Identifier, _ layout: ShardLayout, _ position: Int) {
    (self.repository, self.object, self.layout, self.position) = (repository, object, layout, position)
  }

  /// Parses the bytes behind the payload: the table of checksums, and the trailer.
  /// - Parameter bytes: they end with the shard, and may begin before the table.
  /// - Returns: the trailer and the table; `nil` if they are not sound.
  static func parse(_ bytes: [UInt8]) -> (trailer: ShardTrailer, table: [UInt32])? {
    guard let trailer = described(in: bytes) else { return nil }
    let tableCount = trailer.layout.tableLength(trailer.position)
    guard tableCount <= UInt64(bytes.count - byteCount) else { return nil }
    let end = bytes.count - byteCount
    let table = bytes[(end - Int(tableCount))..<end]
    guard Array(bytes.suffix(byteCount - describedCount)) == trailer.digest(over: table) else { return nil }
    let checksums = stride(from: table.startIndex, to: table.endIndex, by: 4).map {
      littleEndian(table[$0..<$0 + 4], as: UInt32.self)
    }
    return (trailer, checksums)
  }

  /// Parses the last bytes of a shard, of which the digest is not checked.
  static func described(in bytes: [UInt8]) -> ShardTrailer? {
    guard bytes.count >= byteCount else { return nil }
    let part = Array(bytes.suffix(byteCount).prefix(describedCount))
    guard Array(part[..<16]) == magic, let repository = Identifier(bytes: part[16..<32]),
      let object = Identifier(bytes: part[32..<48]),
      let scheme = ErasureScheme(data: Int(part[60]), parity: Int(part[61])),
      littleEndian(part[56..<60], as: UInt32.self) == UInt32(ShardLayout.unitBytes), Int(part[62]) < scheme.shards,
      part[63] == 0
    else { return nil }
    let length = littleEndian(part[48..<56], as: UInt64.self)
    guard length <= lengthMax else { return nil }
    return ShardTrailer(
      repository: repository, object: object, ShardLayout(scheme, length: length), Int(part[62]))
  }

  /// No object is longer: sums of lengths below it cannot overflow.
  private static let lengthMax: UInt64 = 1 << 60

  private static func littleEndian<Number: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>, as: Number.Type) -> Number {
    bytes.reversed().reduce(0) { $0 << 8 | Number($1) }
  }

  /// Returns the bytes behind the payload.
  func serialized(_ table: [UInt8]) -> [UInt8] { table + described + digest(over: table[...]) }

  private var described: [UInt8] {
    Self.magic + repository.bytes + object.bytes + layout.length.littleEndianBytes
      + UInt32(ShardLayout.unitBytes).littleEndianBytes
      + [UInt8(layout.scheme.data), UInt8(layout.scheme.parity), UInt8(position), 0]
  }

  private func digest(over table: ArraySlice<UInt8>) -> [UInt8] {
    var hasher = Hasher()
    hasher.update(Array(table))
    hasher.update(described)
    return hasher.finish().bytes
  }
}

extension FixedWidthInteger {
  /// The bytes of the number, the least significant first.
  var littleEndianBytes: [UInt8] { withUnsafeBytes(of: littleEndian) { Array($0) } }
}
