internal import HoldfastModel

/// The blocks of relations that a part of the log may have changed. Only main forks are told of: the changes of a free
/// space map are not in the log, and not all of a visibility map.
package struct LoggedBlocks: Sendable {
  private struct File: Hashable {
    let relation: RelationLocator
    let segment: UInt32
  }

  /// The most memory for the blocks, in words of 64 blocks: 64 MiB.
  private static let wordsMax = 8 << 20
  private static let wordBits: UInt32 = 64

  /// A bit for each block of a file, as far as any is named.
  private var blocks: [File: [UInt64]] = [:]
  /// The block from which on all of a relation may have changed: it was made or cut there.
  private var ends: [RelationLocator: UInt32] = [:]
  /// The databases whose files were made or removed as a whole.
  private var databases: Set<UInt32> = []
  private var words = 0
  /// The number of blocks that are named.
  package private(set) var count: UInt64 = 0

  package init() {}

  /// Marks the blocks of a file that may have changed.
  /// - Parameters:
  ///   - segment: the number of the file within its relation.
  ///   - count: the blocks that the file has.
  ///   - mark: called for each of these blocks, by its number in the file, in ascending order.
  package func forEachBlock(of relation: RelationLocator, segment: UInt32, count: Int, _ mark: (Int) -> Void) {
    let first = UInt64(segment) * PostgresFile.blocksPerSegment
    let isAll = databases.contains(relation.database)
    let changed = isAll ? 0 : ends[relation].map { UInt64($0) < first ? 0 : Int(clamping: UInt64($0) - first) } ?? count
    for (index, word) in (blocks[File(relation: relation, segment: segment)] ?? []).enumerated() {
      var rest = word
      while rest != 0 {
        let block = index * Int(Self.wordBits) + rest.trailingZeroBitCount
        guard block < min(count, changed) else { break }
        mark(block)
        rest &= rest - 1
      }
    }
    for block in min(changed, count)..<count { mark(block) }
  }

  // MARK: Records

  /// Adds what a record may have changed.
  /// - Parameter compressed: the bits of an image's head that tell that it is compressed.
  /// - Throws: `LogRefusal` if it may have changed more than can be told from it.
  mutating func add(_ record: WALRecord, compressed: UInt8) throws(LogRefusal) {
    let (head, bytes) = (record.head, record.bytes)
    guard let manager = Manager(rawValue: head.manager) else {
      guard head.manager <= Manager.last else {
        throw .record(record, "an extension wrote it (resource manager \(head.manager))")
      }
      // A record that changes files in other ways than by blocks says so.
      guard head.info & Self.changesFiles == 0 else { throw .record(record, "it changes files in a way of its own") }
      return try addBlocks(of: record, compressed)
    }
    switch manager {
    case .log: try checkLog(record)
    case .transaction: break  // What it removes is gone, or was made again by a record of its own.
    case .storage: try addStorage(head, WALRecordBody.ownData(bytes), record)
    case .database:
      guard [0x00, 0x10, 0x20].contains(head.info & 0xf0), let data = WALRecordBody.ownData(bytes), data.count >= 4
      else { throw .record(record, "it is of an unknown kind") }
      databases.insert(data.littleEndian(at: 0))
    }
    try addBlocks(of: record, compressed)
  }

  /// The resource managers whose records need more than a look at the blocks that they name (`access/rmgrlist.h`). The
  /// numbers are the same in PostgreSQL 12 to 17.
  private enum Manager: UInt8 {
    case log = 0, transaction = 1, storage = 2, database = 4
    /// The highest number of a manager of PostgreSQL itself.
    static let last: UInt8 = 21
  }

  /// `XLR_SPECIAL_REL_UPDATE`
  private static let changesFiles: UInt8 = 0x01

  private func checkLog(_ record: WALRecord) throws(LogRefusal) {
    switch record.head.info & 0xf0 {
    case 0x00: throw .restarted(at: record.start)
    case 0x60, 0x90: throw .record(record, "the server began it with other settings, or on another timeline")
    case 0xc0, 0xf0: throw .record(record, "it is of an unknown kind")
    default: break
    }
  }

  /// `xl_smgr_create`, `xl_smgr_truncate` (`catalog/storage_xlog.h`)
  private mutating func addStorage(
    _ head: WALRecordHead, _ data: UnsafeRawBufferPointer?, _ record: WALRecord
  ) throws(LogRefusal) {
    guard let data, data.count >= 16 else { throw .record(record, "it is of an unknown kind") }
    switch head.info & 0xf0 {
    case 0x10: ends[BlockReference.relation(data, at: 0)] = 0
    case 0x20:
      let relation = BlockReference.relation(data, at: 4)
      ends[relation] = min(data.littleEndian(at: 0), ends[relation] ?? .max)
    default: throw .record(record, "it is of an unknown kind")
    }
    try checkMemory()
  }

  private mutating func addBlocks(of record: WALRecord, _ compressed: UInt8) throws(LogRefusal) {
    let isUnderstood = BlockReference.forEach(
      in: record.bytes, total: Int(record.head.total), compressed: compressed
    ) { reference in
      if reference.fork == BlockReference.mainFork { add(reference.block, of: reference.relation) }
    }
    guard isUnderstood else { throw .record(record, "its layout is unknown") }
    try checkMemory()
  }

  private mutating func add(_ block: UInt32, of relation: RelationLocator) {
    let perFile = UInt32(PostgresFile.blocksPerSegment)
    let file = File(relation: relation, segment: block / perFile)
    let (word, bit) = (Int(block % perFile / Self.wordBits), UInt64(1) << UInt64(block % Self.wordBits))
    let added = Self.set(bit, word, in: &blocks[file, default: []])
    words += added.words
    if added.isNew { count += 1 }
  }

  private static func set(_ bit: UInt64, _ word: Int, in bits: inout [UInt64]) -> (words: Int, isNew: Bool) {
    let missing = max(0, word + 1 - bits.count)
    if missing > 0 { bits.append(contentsOf: repeatElement(0, count: missing)) }
    defer { bits[word] |= bit }
    return (missing, bits[word] & bit == 0)
  }

  private func checkMemory() throws(LogRefusal) {
    // An estimate: what a table takes for each file and each relation is some words.
    guard words + 16 * (blocks.count + ends.count) + databases.count <= Self.wordsMax else { throw .tooManyBlocks }
  }
}

/// The reason why the log does not say which pages of a cluster have changed.
package struct LogRefusal: Error, Equatable {
  package let reason: String

  package init(_ reason: String) { self.reason = reason }

  static func record(_ record: WALRecord, _ what: String) -> LogRefusal {
    LogRefusal("the log has a record at \(record.start) that is not understood: \(what)")
  }

  static func restarted(at lsn: LogSequenceNumber) -> LogRefusal {
    LogRefusal(
      "the server was started again since the parent, as its log says at \(lsn), and while it is stopped, files can be changed without log"
    )
  }

  static let tooManyBlocks = LogRefusal("the log names more blocks than memory is taken for")
}
