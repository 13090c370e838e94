package import HoldfastModel

/// A point in the log at which a recovery can be told to stop.
package enum WALEvent: Hashable, Sendable {
  /// A transaction committed or aborted at this time. Its number is `nil` for one that was prepared before (two-phase
  /// commit): its record has that elsewhere.
  case transactionEnd(at: LogSequenceNumber, time: Timestamp, number: UInt32?)
  /// A restore point, made by `pg_create_restore_point`.
  case restorePoint(at: LogSequenceNumber, time: Timestamp, name: [UInt8])

  /// The start of its record.
  package var lsn: LogSequenceNumber {
    switch self {
    case .transactionEnd(let lsn, _, _), .restorePoint(let lsn, _, _): lsn
    }
  }

  package var time: Timestamp {
    switch self {
    case .transactionEnd(_, let time, _), .restorePoint(_, let time, _): time
    }
  }
}

/// Something that a record requires of the server that replays it.
package enum WALDemand: Hashable, Sendable {
  case tablespace(WALTablespace)
  case parameters(WALParameters)

  /// The start of its record.
  package var lsn: LogSequenceNumber {
    switch self {
    case .tablespace(let tablespace): tablespace.lsn
    case .parameters(let parameters): parameters.lsn
    }
  }
}

/// A record that is complete by its checksum.
struct WALRecord {
  let head: WALRecordHead
  let start: LogSequenceNumber
  /// Its first bytes: all of it, or at least as many as its heads can have.
  let bytes: UnsafeRawBufferPointer
}

/// The head of a record (`access/xlogrecord.h`).
struct WALRecordHead {
  static let count = 24
  /// The longest record that PostgreSQL writes, in bytes.
  static let totalMax: UInt32 = 1020 << 20
  static let checksumOffset = 20

  let total: UInt32
  /// The number of the transaction that wrote the record; 0 for none.
  let transaction: UInt32
  let previous: LogSequenceNumber
  let info: UInt8
  let manager: UInt8
  let checksum: UInt32

  /// - Parameter bytes: at least 24 bytes.
  init(_ bytes: UnsafeRawBufferPointer) {
    total = bytes.littleEndian(at: 0)
    transaction = bytes.littleEndian(at: 4)
    previous = LogSequenceNumber(bytes.littleEndian(at: 8))
    info = bytes[16]
    manager = bytes[17]
    checksum = bytes.littleEndian(at: Self.checksumOffset)
  }

  enum Meaning {
    case transactionEnd, restorePoint, segmentSwitch, databaseCopy, parameterChange, tablespace, other

    /// True if the record requires something of the server that replays it.
    var isDemand: Bool { self == .parameterChange || self == .tablespace }
  }

  /// The record types have the same numbers in PostgreSQL 12 to 17.
  var meaning: Meaning {
    switch (manager, manager == 1 ? info & 0x70 : info & 0xf0) {
    case (1, 0x00), (1, 0x20), (1, 0x30), (1, 0x40): .transactionEnd
    case (0, 0x70): .restorePoint
    case (0, 0x60): .parameterChange
    case (0, 0x40): .segmentSwitch
    case (4, 0x00): .databaseCopy
    case (5, 0x00): .tablespace
    default: .other
    }
  }

  /// The number of the transaction that the record ends; `nil` for one that was prepared before.
  var endedTransaction: UInt32? { info & 0x70 < 0x30 ? transaction : nil }

  /// Returns true if the last third of a record head is that of a segment switch. For use if no more of the head is
  /// there.
  /// - Parameter bytes: at least 8 bytes.
  static func isSwitch(infoOn bytes: Slice<UnsafeRawBufferPointer>) -> Bool {
    let kind = bytes.prefix(4)
    return kind.first.map { $0 & 0xf0 == 0x40 } ?? false && kind.dropFirst().allSatisfy { $0 == 0 }
  }
}

/// Decodes the beginning of a record. The records that matter here have no page images, so their own data comes first.
enum WALRecordBody {
  /// The most bytes of a record that are needed: its heads, with those of all the blocks that it can name, or a path,
  /// which may have PostgreSQL's greatest length.
  static let neededCount = 128 + 1024
  private static let nameCount = 64
  private static let microsecondsPerSecond: Int64 = 1_000_000
  /// The seconds from 1970 to 2000, when PostgreSQL's time begins.
  private static let epochSeconds: Int64 = 946_684_800

  /// Decodes an event.
  /// - Parameter bytes: the record from its head on, as far as it was kept.
  /// - Returns: `nil` if the record has another layout.
  static func event(_ bytes: UnsafeRawBufferPointer, _ head: WALRecordHead, at lsn: LogSequenceNumber) -> WALEvent? {
    guard let data = ownData(bytes), data.count >= 8 else { return nil }
    let time = timestamp(data.littleEndian(at: 0))
    switch head.meaning {
    case .transactionEnd: return .transactionEnd(at: lsn, time: time, number: head.endedTransaction)
    case .restorePoint:
      guard data.count >= 8 + nameCount else { return nil }
      return .restorePoint(at: lsn, time: time, name: Array(data[8..<8 + nameCount].prefix { $0 != 0 }))
    case .parameterChange, .tablespace, .segmentSwitch, .databaseCopy, .other: return nil
    }
  }

  /// Decodes a demand.
  /// - Parameter bytes: the record from its head on, as far as it was kept.
  /// - Returns: `nil` if the record has another layout.
  static func demand(
    _ bytes: UnsafeRawBufferPointer, _ head: WALRecordHead, at lsn: LogSequenceNumber
  ) -> WALDemand? {
    guard let data = ownData(bytes) else { return nil }
    switch head.meaning {
    case .parameterChange:
      // `xl_parameter_change`: the settings, then wal_level.
      let names = WALParameters.names
      guard data.count >= 4 * (names.count + 1) else { return nil }
      let values = names.indices.map { data.littleEndian(at: 4 * $0) as Int32 }
      return .parameters(
        WALParameters(
          lsn: lsn, previous: head.previous, level: data.littleEndian(at: 4 * values.count),
          minima: Dictionary(uniqueKeysWithValues: zip(names, values))))
    case .tablespace:
      // `xl_tblspc_create_rec`: an OID, and a path that ends with a zero byte.
      guard data.count >= 5 else { return nil }
      return .tablespace(
        WALTablespace(
          lsn: lsn, previous: head.previous, oid: data.littleEndian(at: 0),
          location: Array(data.dropFirst(4).prefix { $0 != 0 })))
    case .transactionEnd, .restorePoint, .segmentSwitch, .databaseCopy, .other: return nil
    }
  }

  /// Decodes a copy of a database (`commands/dbcommands_xlog.h`: the new locator, then the old one).
  /// - Returns: `nil` if the record has another layout.
  static func databaseCopy(_ bytes: UnsafeRawBufferPointer) -> WALParser.DatabaseCopy? {
    guard let data = ownData(bytes), data.count >= 16 else { return nil }
    return WALParser.DatabaseCopy(
      origin: DatabaseLocator(database: data.littleEndian(at: 8), tablespace: data.littleEndian(at: 12)),
      copy: DatabaseLocator(database: data.littleEndian(at: 0), tablespace: data.littleEndian(at: 4)))
  }

  /// Returns the record's own data, cut at the end of `bytes`.
  static func ownData(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    var position = WALRecordHead.count
    while position < bytes.count {
      let start: Int
      switch bytes[position] {
      case 255: start = position + 2
      case 254: start = position + 5
      case 253:
        // The origin of a replicated transaction.
        position += 3
        continue
      case 252:
        // The parent of a subtransaction.
        position += 5
        continue
      default: return nil
      }
      return start <= bytes.count ? UnsafeRawBufferPointer(rebasing: bytes[start...]) : nil
    }
    return nil
  }

  /// - Parameter microseconds: the microseconds since 2000-01-01 UTC.
  private static func timestamp(_ microseconds: Int64) -> Timestamp {
    var (seconds, rest) = microseconds.quotientAndRemainder(dividingBy: microsecondsPerSecond)
    if rest < 0 { (seconds, rest) = (seconds - 1, rest + microsecondsPerSecond) }
    return Timestamp(seconds: seconds + epochSeconds, nanoseconds: UInt32(rest) * 1000)
  }
}
