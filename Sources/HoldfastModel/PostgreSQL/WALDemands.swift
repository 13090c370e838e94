/// The requirements of a part of a write-ahead log on the server that replays it, beyond the files of its cluster.
package struct WALDemands: Hashable, Sendable, Codable {
  /// The maximum number of tablespaces, and of changes of parameters. When there are more, nothing is listed, and the
  /// log itself is read instead.
  package static let countMax = 1024

  /// In the order of the log.
  package var tablespaces: [WALTablespace] = []
  /// In the order of the log.
  package var parameters: [WALParameters] = []
  /// True if the record that continues in the next segment may be one of these.
  package var isOpen = false

  package init() {}

  private enum CodingKeys: String, CodingKey {
    case tablespaces
    case parameters
    case isOpen = "open"
  }
}

/// A `CREATE TABLESPACE` record. A server that replays it makes the tablespace in the same directory again, whatever is
/// in there.
package struct WALTablespace: Hashable, Sendable, Codable {
  /// The position at which its record begins.
  package var lsn: LogSequenceNumber
  /// The position at which the record before it begins: the last one at which a recovery that must not replay this one
  /// can end.
  package var previous: LogSequenceNumber
  /// The OID of the tablespace, as the names in `pg_tblspc` have it.
  package var oid: UInt32
  /// The absolute path of its directory, as bytes in hexadecimal, because it may contain any byte.
  package var location: String

  package init(lsn: LogSequenceNumber, previous: LogSequenceNumber, oid: UInt32, location: [UInt8]) {
    (self.lsn, self.previous, self.oid) = (lsn, previous, oid)
    self.location = Hex.encode(location)
  }

  private enum CodingKeys: String, CodingKey {
    case lsn = "place"
    case previous, oid, location
  }

  /// The directory; empty when `location` is not hexadecimal.
  package var directory: Path { Path(bytes: Hex.decode(location) ?? []) }
}

/// Settings of the server that wrote the log, as it recorded them when they changed.
package struct WALParameters: Hashable, Sendable, Codable {
  /// The position at which the record begins.
  package var lsn: LogSequenceNumber
  /// The position at which the record before it begins: the last one at which a recovery that must not replay this one
  /// can end.
  package var previous: LogSequenceNumber
  /// `wal_level`; 0 is `minimal`.
  package var level: Int32
  /// The least value of each setting in `names` with which a server can replay the log.
  package var minima: [String: Int32]

  /// The settings in the order in which the record has them (`access/xlog_internal.h`).
  package static let names = [
    "max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions",
    "max_locks_per_transaction",
  ]

  package init(
    lsn: LogSequenceNumber, previous: LogSequenceNumber, level: Int32, minima: [String: Int32]
  ) {
    (self.lsn, self.previous, self.level, self.minima) = (lsn, previous, level, minima)
  }

  private enum CodingKeys: String, CodingKey {
    case lsn = "place"
    case previous, level, minima
  }

  /// True if the log after this record is incomplete: it lacks some of the changes that were made, and no server
  /// replays it.
  package var isMinimal: Bool { level == 0 }
}
