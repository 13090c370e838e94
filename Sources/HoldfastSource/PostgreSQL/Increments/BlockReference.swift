internal import HoldfastModel

/// The numbers of a relation, which determine its files.
package struct RelationLocator: Hashable, Sendable {
  package let tablespace: UInt32
  /// 0 for a relation of the whole cluster.
  package let database: UInt32
  package let node: UInt32

  package init(tablespace: UInt32, database: UInt32, node: UInt32) {
    (self.tablespace, self.database, self.node) = (tablespace, database, node)
  }
}

/// A block that a record names because it changes it (`access/xlogrecord.h`, `XLogRecordBlockHeader`).
struct BlockReference: Hashable {
  static let mainFork: UInt8 = 0

  let relation: RelationLocator
  let fork: UInt8
  let block: UInt32

  /// The least number of a part of a record that is no block.
  private static let blocksMax: UInt8 = 33
  private static let forksMax: UInt8 = 4

  private struct Flags: OptionSet {
    let rawValue: UInt8
    static let image = Flags(rawValue: 0x10)
    static let sameRelation = Flags(rawValue: 0x80)
  }

  /// Passes all blocks that a record names to `body`. The lengths in its heads must give its length.
  /// - Parameters:
  ///   - bytes: the record, with all its heads.
  ///   - total: its length.
  ///   - compressed: the bits of an image's head that tell that it is compressed.
  /// - Returns: false if the record has another layout.
  static func forEach(
    in bytes: UnsafeRawBufferPointer, total: Int, compressed: UInt8, _ body: (BlockReference) -> Void
  ) -> Bool {
    var position = WALRecordHead.count
    var dataCount = 0
    var relation: RelationLocator?
    var next: UInt8 = 0
    func has(_ count: Int) -> Bool { position + count <= bytes.count }
    while position + dataCount < total {
      guard has(1) else { return false }
      let kind = bytes[position]
      switch kind {
      case 255:
        guard has(2) else { return false }
        dataCount += Int(bytes[position + 1])
        return position + 2 + dataCount == total
      case 254:
        guard has(5) else { return false }
        dataCount += Int(bytes.littleEndian(at: position + 1) as UInt32)
        return position + 5 + dataCount == total
      // The origin of a replicated transaction; the parent of a subtransaction.
      case 253: position += 3
      case 252: position += 5
      case next..<blocksMax:
        guard has(4) else { return false }
        next = kind + 1
        let flags = Flags(rawValue: bytes[position + 1])
        let fork = bytes[position + 1] & 0x0f
        dataCount += Int(bytes.littleEndian(at: position + 2) as UInt16)
        position += 4
        if flags.contains(.image) {
          guard has(5) else { return false }
          dataCount += Int(bytes.littleEndian(at: position) as UInt16)
          let info = bytes[position + 4]
          // A compressed image with a hole has the length of the hole, too.
          position += info & compressed != 0 && info & 1 != 0 ? 7 : 5
        }
        if !flags.contains(.sameRelation) {
          guard has(12) else { return false }
          relation = self.relation(bytes, at: position)
          position += 12
        }
        guard has(4), fork < forksMax, let relation else { return false }
        body(BlockReference(relation: relation, fork: fork, block: bytes.littleEndian(at: position)))
        position += 4
      default: return false
      }
    }
    return position + dataCount == total
  }

  /// Decodes a `RelFileLocator`. The caller must have checked that there are enough bytes.
  static func relation(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> RelationLocator {
    RelationLocator(
      tablespace: bytes.littleEndian(at: offset), database: bytes.littleEndian(at: offset + 4),
      node: bytes.littleEndian(at: offset + 8))
  }
}
