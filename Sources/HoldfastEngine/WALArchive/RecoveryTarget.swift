package import HoldfastArchive
package import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The point at which an operator wants recovery to end.
package enum RecoveryTarget: Hashable, Sendable {
  /// After the last transaction that ended at or before this time.
  case time(Timestamp)
  /// After the first record that begins at this position or later.
  case lsn(LogSequenceNumber)
  /// The end of the transaction of this number, as `pg_current_xact_id()` tells it.
  case transaction(UInt32)
  /// A restore point, by the name given to `pg_create_restore_point`.
  case restorePoint(String)
  /// The end of the archived log.
  case end

  /// The target in words.
  package var text: String {
    switch self {
    case .time(let time): TimeText.exact(time)
    case .lsn(let lsn): lsn.description
    case .transaction(let number): "the end of transaction \(number)"
    case .restorePoint(let name): "the restore point \"\(Path(name))\""
    case .end: "the end of the archive"
    }
  }

  /// The command line option for the target, and its value.
  var words: [String] {
    switch self {
    case .time(let time): ["--to-time", TimeText.exact(time)]
    case .lsn(let lsn): ["--to-lsn", lsn.description]
    case .transaction(let number): ["--to-xid", String(number)]
    case .restorePoint(let name): ["--to-name", name]
    case .end: ["--to-end"]
    }
  }

  /// True if a cluster that was replaced by another one may have this target as well.
  var isOfAnyCluster: Bool {
    switch self {
    case .time, .restorePoint: true
    case .lsn, .transaction, .end: false
    }
  }

  /// True if it lies at a record that may be replayed or not (`recovery_target_inclusive`).
  package var mayBeExclusive: Bool {
    switch self {
    case .time, .lsn, .transaction: true
    case .restorePoint, .end: false
    }
  }

  /// Returns true if recovery stops at this event; never for a position and for the end.
  /// - Parameter isExclusive: true if what lies exactly at the target is not replayed.
  func isMet(by event: WALEvent, isExclusive: Bool) -> Bool {
    switch (self, event) {
    case (.time(let time), .transactionEnd(_, let ended, _)): isExclusive ? ended >= time : ended > time
    case (.transaction(let number), .transactionEnd(_, _, let found)): found == number
    case (.restorePoint(let name), .restorePoint(_, _, let found)): found == Array(name.utf8)
    default: false
    }
  }

  /// The name of PostgreSQL's setting, and its value; `nil` for the end, which needs none.
  var setting: (name: String, value: String)? {
    switch self {
    case .time(let time):
      // Without the name of a time zone: PostgreSQL knows none while it reads its settings.
      ("recovery_target_time", TimeText.exact(time).replacing("T", with: " ").replacing("Z", with: "+00"))
    case .lsn(let lsn): ("recovery_target_lsn", lsn.description)
    case .transaction(let number): ("recovery_target_xid", String(number))
    case .restorePoint(let name): ("recovery_target_name", name)
    case .end: nil
    }
  }
}

/// The timeline on which an operator wants recovery to end.
package enum RecoveryTimeline: Hashable, Sendable {
  /// The timeline of the snapshot; if none is named, of the newest one.
  case ofSnapshot
  case number(UInt32)

  /// The value of the command line option.
  var word: String {
    switch self {
    case .ofSnapshot: "current"
    case .number(let number): String(number)
    }
  }
}

/// A recovery that was proved to be possible: its snapshot, its timeline, and the part of the log that it needs.
package struct RecoveryPlan: Sendable {
  package let snapshot: Snapshot
  package let target: RecoveryTarget
  /// True if what lies exactly at the target is not replayed.
  package let isExclusive: Bool
  package let system: SystemIdentifier
  package let timeline: UInt32
  /// True if the history of the timeline is archived; the first timeline has none.
  package let hasHistory: Bool
  /// The first and the last segment that the recovery reads, and the number of segments.
  package let first: WALFileName
  package let last: WALFileName
  package let count: UInt64
  /// The tablespaces that the log makes, in their original directories.
  package let tablespaces: [WALTablespace]
  /// The lowest values of settings with which a server can recover, by the names of the settings.
  package let minima: [String: Int32]

  /// The command line options for the target.
  var words: [String] { target.words + (isExclusive ? ["--exclusive"] : []) }
}
