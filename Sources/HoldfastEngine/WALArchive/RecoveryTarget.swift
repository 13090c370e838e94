package import HoldfastArchive
package import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Where an operator wants recovery to end.
package enum RecoveryTarget: Hashable, Sendable {
  /// Behind the last transaction that ended at or before this time.
  case time(Timestamp)
  /// Behind the first record that begins there or later.
  case place(LogSequenceNumber)
  /// A restore point, by the name that `pg_create_restore_point` was given.
  case restorePoint(String)
  /// Behind all that is archived.
  case end

  /// For people.
  package var text: String {
    switch self {
    case .time(let time): TimeText.exact(time)
    case .place(let place): place.description
    case .restorePoint(let name): "the restore point \"\(Path(name))\""
    case .end: "the end of the archive"
    }
  }

  /// The option of the command line that names it, and its value.
  var words: [String] {
    switch self {
    case .time(let time): ["--to-time", TimeText.exact(time)]
    case .place(let place): ["--to-lsn", place.description]
    case .restorePoint(let name): ["--to-name", name]
    case .end: ["--to-end"]
    }
  }

  /// Whether a cluster that was replaced by another one may have it as well.
  var isOfAnyCluster: Bool {
    switch self {
    case .time, .restorePoint: true
    case .place, .end: false
    }
  }

  /// Whether recovery stops at an event. Places and the end are no matter of events.
  func isMet(by event: WALEvent) -> Bool {
    switch (self, event) {
    case (.time(let time), .transactionEnd(_, let ended)): ended.microseconds > time.microseconds
    case (.restorePoint(let name), .restorePoint(_, _, let found)): found == Array(name.utf8)
    default: false
    }
  }

  /// The name of PostgreSQL's setting, and its value; `nil` for the end, which needs none.
  var setting: (name: String, value: String)? {
    switch self {
    case .time(let time):
      // Without a name of a time zone: PostgreSQL knows none while it reads its settings.
      ("recovery_target_time", TimeText.exact(time).replacing("T", with: " ").replacing("Z", with: "+00"))
    case .place(let place): ("recovery_target_lsn", place.description)
    case .restorePoint(let name): ("recovery_target_name", name)
    case .end: nil
    }
  }
}

/// A recovery that was proved to be possible: from which snapshot, along which timeline, with which part of the log.
package struct RecoveryPlan: Sendable {
  package let snapshot: Snapshot
  package let target: RecoveryTarget
  package let system: SystemIdentifier
  package let timeline: UInt32
  /// Whether it is archived where that timeline comes from; the first one comes from none.
  package let hasHistory: Bool
  /// The segments that it reads.
  package let first: WALFileName
  package let last: WALFileName
  package let count: UInt64
  /// What the log makes on its way, in the directories that the server had them in.
  package let tablespaces: [WALTablespace]
  /// What the server that recovers needs at least as much of, by the name of the setting.
  package let minima: [String: Int32]
}

/// What the server needs to know for a recovery, as settings of PostgreSQL.
package struct RecoverySettings: Sendable {
  package let plan: RecoveryPlan
  private let restoreCommand: String

  /// - Parameter restoreCommand: for the shell, with PostgreSQL's %f and %p in it.
  package init(_ plan: RecoveryPlan, restoreCommand: String) {
    self.plan = plan
    self.restoreCommand = restoreCommand
  }

  /// The lines of `postgresql.auto.conf`, but for settings that are raised.
  package var lines: [String] {
    var settings = [("restore_command", restoreCommand)]
    if let target = plan.target.setting {
      settings += [target, ("recovery_target_inclusive", "on"), ("recovery_target_action", "promote")]
    }
    // PostgreSQL takes no number without a history: then it is the timeline that the snapshot was taken on.
    settings.append(("recovery_target_timeline", plan.hasHistory ? String(plan.timeline) : "current"))
    return settings.map { "\($0) = \(Self.quoted($1))" }
  }

  /// A value as postgresql.conf has it.
  private static func quoted(_ value: String) -> String {
    "'" + value.replacing("\\", with: "\\\\").replacing("'", with: "''").replacing("\n", with: "\\n") + "'"
  }

  /// The file with these settings behind what is in it. What an earlier recovery has left there is made a comment: two targets keep a server from
  /// starting.
  /// - Parameter raised: settings that the log asks for, and the snapshot has not.
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

/// Words for the shell.
package enum ShellText {
  /// One word, whatever is in it.
  package static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }

  /// The same, as it is where the shell takes nothing in it for its own.
  package static func word(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
        || UInt8(ascii: "+")...UInt8(ascii: ":") ~= byte || byte == UInt8(ascii: "=") || byte == UInt8(ascii: "_")
    }
    return isPlain && !text.isEmpty ? text : quoted(text)
  }

  /// One word of a command of PostgreSQL's, to which a percent sign means something.
  package static func quotedForServer(_ text: String) -> String { quoted(text).replacing("%", with: "%%") }
}
