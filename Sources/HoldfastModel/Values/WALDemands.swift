/// What a piece of a write-ahead log asks of the server that replays it, beyond the files of its cluster.
package struct WALDemands: Hashable, Sendable, Codable {
  /// More of one kind than any log has: then they are not noted, and the log itself is read.
  package static let countMax = 1024

  /// In the order of the log.
  package var tablespaces: [WALTablespace] = []
  /// In the order of the log.
  package var parameters: [WALParameters] = []
  /// Whether the record that goes on in the next segment may be one of these.
  package var isOpen = false

  package init() {}

  private enum CodingKeys: String, CodingKey {
    case tablespaces
    case parameters
    case isOpen = "open"
  }
}

/// `CREATE TABLESPACE`. A server that replays it makes the tablespace again in the very same directory, whatever is in there.
package struct WALTablespace: Hashable, Sendable, Codable {
  /// Where its record begins.
  package var place: LogSequenceNumber
  /// Where the record before it begins: the last one that a recovery can end with which must not replay this one.
  package var previous: LogSequenceNumber
  /// Of the tablespace, as the names in `pg_tblspc` have it.
  package var oid: UInt32
  /// The bytes of an absolute path, in hexadecimal: any name may be in it.
  package var location: String

  package init(place: LogSequenceNumber, previous: LogSequenceNumber, oid: UInt32, location: [UInt8]) {
    (self.place, self.previous, self.oid) = (place, previous, oid)
    self.location = Hex.encode(location)
  }

  /// The directory; empty for what is no text of hexadecimal digits.
  package var directory: Path { Path(bytes: Hex.decode(location) ?? []) }
}

/// Settings of the server that wrote the log, as it noted them when they changed.
package struct WALParameters: Hashable, Sendable, Codable {
  /// Where the record begins.
  package var place: LogSequenceNumber
  /// Where the record before it begins: the last one that a recovery can end with which must not replay this one.
  package var previous: LogSequenceNumber
  /// `wal_level`: 0 is `minimal`.
  package var level: Int32
  /// What a server needs at least as much of to replay the log, by the name of the setting: each of `names`.
  package var minima: [String: Int32]

  /// In the order in which a record of changed parameters has them (`access/xlog_internal.h`).
  package static let names = [
    "max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions",
    "max_locks_per_transaction",
  ]

  package init(
    place: LogSequenceNumber, previous: LogSequenceNumber, level: Int32, minima: [String: Int32]
  ) {
    (self.place, self.previous, self.level, self.minima) = (place, previous, level, minima)
  }

  /// Whether what follows is no whole log: changes were made that are not in it, and no server replays it.
  package var isMinimal: Bool { level == 0 }
}
