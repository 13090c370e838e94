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
  /// A restore point, by the name given to `pg_create_restore_point`.
  case restorePoint(String)
  /// The end of the archived log.
  case end

  /// The target in words.
  package var text: String {
    switch self {
    case .time(let time): TimeText.exact(time)
    case .lsn(let lsn): lsn.description
    case .restorePoint(let name): "the restore point \"\(Path(name))\""
    case .end: "the end of the archive"
    }
  }

  /// The command line option for the target, and its value.
  var words: [String] {
    switch self {
    case .time(let time): ["--to-time", TimeText.exact(time)]
    case .lsn(let lsn): ["--to-lsn", lsn.description]
    case .restorePoint(let name): ["--to-name", name]
    case .end: ["--to-end"]
    }
  }

  /// True if a cluster that was replaced by another one may have this target as well.
  var isOfAnyCluster: Bool {
    switch self {
    case .time, .restorePoint: true
    case .lsn, .end: false
    }
  }

  /// Returns true if recovery stops at this event; never for a position and for the end.
  func isMet(by event: WALEvent) -> Bool {
    switch (self, event) {
    case (.time(let time), .transactionEnd(_, let ended)): ended > time
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
    case .restorePoint(let name): ("recovery_target_name", name)
    case .end: nil
    }
  }
}

/// A recovery that was proved to be possible: its snapshot, its timeline, and the part of the log that it needs.
package struct RecoveryPlan: Sendable {
  package let snapshot: Snapshot
  package let target: RecoveryTarget
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
}

/// The PostgreSQL settings for a recovery.
package struct RecoverySettings: Sendable {
  package let plan: RecoveryPlan
  private let restoreCommand: String

  /// - Parameter restoreCommand: a shell command that contains PostgreSQL's %f and %p.
  package init(_ plan: RecoveryPlan, restoreCommand: String) {
    self.plan = plan
    self.restoreCommand = restoreCommand
  }

  /// The lines of `postgresql.auto.conf`, except for settings that are raised.
  package var lines: [String] {
    var settings = [("restore_command", restoreCommand)]
    if let target = plan.target.setting {
      settings += [target, ("recovery_target_inclusive", "on"), ("recovery_target_action", "promote")]
    }
    // PostgreSQL accepts the number of a timeline only if it has a history; otherwise the timeline is that of the
    // snapshot.
    settings.append(("recovery_target_timeline", plan.hasHistory ? String(plan.timeline) : "current"))
    return settings.map { "\($0) = \(Self.quoted($1))" }
  }

  /// Returns a value in the syntax of postgresql.conf.
  private static func quoted(_ value: String) -> String {
    "'" + value.replacing("\\", with: "\\\\").replacing("'", with: "''").replacing("\n", with: "\\n") + "'"
  }

  /// Returns the settings file with these settings appended. Settings that an earlier recovery left are commented out,
  /// because a server with two targets does not start.
  /// - Parameter raised: the settings that the log requires to be higher than in the snapshot.
  func appended(to file: [UInt8], raising raised: [(name: String, value: String)]) -> [UInt8] {
    var lines = file.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
      Self.isOfRecovery(line) ? Array("# before a restore: ".utf8) + line : Array(line)
    }
    if lines.last?.isEmpty ?? false { lines.removeLast() }
    let title = "# Recovery to \(plan.target.text), from snapshot \(plan.snapshot.id) of holdfast."
    let settings = self.lines + raised.map { "\($0.name) = \(Self.quoted($0.value))" }
    lines += ([title] + settings).map { Array($0.utf8) }
    return Array(lines.joined(separator: [UInt8(ascii: "\n")])) + [UInt8(ascii: "\n")]
  }

  private static func isOfRecovery(_ line: ArraySlice<UInt8>) -> Bool {
    let text = String(decoding: line.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }, as: UTF8.self)
      .lowercased()
    return text.hasPrefix("recovery_target") || text.hasPrefix("restore_command")
  }
}
