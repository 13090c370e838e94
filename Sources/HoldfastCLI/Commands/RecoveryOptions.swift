internal import ArgumentParser
package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The options for what the server of a restored PostgreSQL cluster does when it starts.
package struct RecoveryOptions: ParsableArguments {
  /// `archive_mode` of the restored server.
  enum ArchiveMode: String, ExpressibleByArgument, CaseIterable { case off, preserve }

  @Option(
    help: ArgumentHelp(
      "Recover a PostgreSQL cluster to this time, with all transactions that ended by then, such as 2026-11-22T14:05:03.",
      valueName: "time"))
  var toTime: String?

  @Option(help: ArgumentHelp("Recover a PostgreSQL cluster to this position of its WAL.", valueName: "lsn"))
  var toLsn: LogSequenceNumber?

  @Option(
    help: ArgumentHelp(
      "Recover a PostgreSQL cluster to the end of this transaction, as pg_current_xact_id() tells its number: all archived WAL from the snapshot on is read to find it.",
      valueName: "number"))
  var toXid: UInt64?

  @Option(
    help: ArgumentHelp("Recover a PostgreSQL cluster to the restore point of this name.", valueName: "name"))
  var toName: String?

  @Flag(help: "Recover a PostgreSQL cluster to the end of the archived WAL.")
  var toEnd = false

  @Flag(help: "With --to-time, --to-lsn and --to-xid: end before what lies exactly there.")
  var exclusive = false

  @Option(
    help: ArgumentHelp(
      "At the recovery target: promote, pause (until pg_wal_replay_resume()) or shutdown. (default: promote)",
      valueName: "action"))
  var targetAction: RecoverySettings.Action?

  @Option(
    name: [.long, .customLong("target-timeline")],
    help: ArgumentHelp(
      "The timeline of the recovery target, or the one that a standby follows: latest, current (that of the snapshot) or a number. (default: latest, the newest that is archived)",
      valueName: "which"))
  var timeline: TimelineChoice?

  @Flag(help: "Make a standby of a PostgreSQL cluster: it replays the archived WAL, then follows --primary-conninfo.")
  var standby = false

  @Option(
    help: ArgumentHelp(
      "The connection string with which a standby follows its primary; leave the password to ~/.pgpass.",
      valueName: "conninfo"))
  var primaryConninfo: String?

  @Option(help: ArgumentHelp("The replication slot that a standby uses on its primary.", valueName: "name"))
  var primarySlot: String?

  @Option(
    help: ArgumentHelp(
      "A further setting of the server that recovers, such as recovery_min_apply_delay=5min. May be repeated.",
      valueName: "name=value"))
  var recoveryOption: [String] = []

  @Option(
    help: ArgumentHelp(
      "off: the restored server archives no WAL, as a copy must that is only looked at. (default: preserve)",
      valueName: "mode"))
  var archiveMode: ArchiveMode?

  package init() {}

  /// The options that name a target.
  static let targets = "--to-time, --to-lsn, --to-xid, --to-name and --to-end"

  package func validate() throws {
    let count = [toTime != nil, toLsn != nil, toXid != nil, toName != nil, toEnd].count { $0 }
    guard count <= 1 else { throw ValidationError("\(Self.targets) exclude each other") }
    guard !standby || count == 0 else {
      throw ValidationError("a --standby follows its primary without an end: it excludes \(Self.targets)")
    }
    guard !exclusive || toTime != nil || toLsn != nil || toXid != nil else {
      throw ValidationError("--exclusive is for --to-time, --to-lsn and --to-xid")
    }
    guard targetAction == nil || count == 1 && !toEnd else {
      throw ValidationError("--target-action is for --to-time, --to-lsn, --to-xid and --to-name")
    }
    if let toTime { try Self.check(time: toTime) }
    if let toXid, toXid < 3 { throw ValidationError("--to-xid is the number of a transaction: 3 or more") }
    if let toName, !(1...63).contains(toName.utf8.count) {
      throw ValidationError("--to-name is the name of a restore point: 1 to 63 bytes")
    }
    try checkStandby()
    try checkSettings()
  }

  /// Checks that there is a target or a standby where an option needs one. A command may have a target of its own.
  func checkPurpose() throws {
    guard target == nil && !standby else { return }
    guard timeline == nil else {
      throw ValidationError(
        "--timeline says where --to-time, --to-lsn, --to-xid, --to-name or --to-end lies, or what a --standby follows")
    }
    guard recoveryOption.isEmpty else {
      throw ValidationError("--recovery-option is for --standby, \(Self.targets)")
    }
  }

  private static func check(time: String) throws {
    if TimeText.parse(time) == nil {
      throw ValidationError(
        "--to-time \(time) is not a time such as 2026-11-22T14:05, 2026-11-22T14:05:03+01:00 or 2026-11-22")
    }
    // The mistake that must not be recovered may lie in the hour between the two.
    if let (earlier, later) = WrittenTime(time)?.twice {
      let (first, second) = (Self.text(earlier), Self.text(later))
      throw ValidationError(
        "--to-time \(time) came twice, because the clock was put back: say --to-time \"\(first)\" or --to-time \"\(second)\""
      )
    }
  }

  private func checkStandby() throws {
    guard standby || (primaryConninfo == nil && primarySlot == nil) else {
      throw ValidationError("--primary-conninfo and --primary-slot are for a --standby")
    }
    if let primaryConninfo, primaryConninfo.isEmpty {
      throw ValidationError("--primary-conninfo is a connection string such as 'host=db1 user=replicator'")
    }
    if let primarySlot, primarySlot.wholeMatch(of: /[a-z0-9_]{1,63}/) == nil {
      throw ValidationError("--primary-slot is a name of lower case letters, digits and underscores")
    }
  }

  private func checkSettings() throws {
    var names: Set<String> = []
    if primaryConninfo != nil { names.insert("primary_conninfo") }
    if primarySlot != nil { names.insert("primary_slot_name") }
    if archiveMode == .off { names.insert("archive_mode") }
    for text in recoveryOption {
      guard let setting = Self.setting(text) else {
        throw ValidationError("--recovery-option \(text) is not like recovery_min_apply_delay=5min")
      }
      let name = setting.name.lowercased()
      guard !name.hasPrefix("recovery_target") else {
        throw ValidationError(
          "--recovery-option cannot set \(setting.name): --to-…, --exclusive, --target-action and --timeline do")
      }
      guard names.insert(name).inserted else { throw ValidationError("\(setting.name) is set twice") }
    }
  }

  private static func setting(_ text: String) -> RecoverySettings.Setting? {
    text.firstMatch(of: /^([A-Za-z_][A-Za-z0-9_.]*)=/).map {
      RecoverySettings.Setting(String($0.1), String(text[$0.range.upperBound...]))
    }
  }

  /// Returns a time as exact as it was written, with its zone.
  private static func text(_ time: Timestamp) -> String {
    time.nanoseconds == 0 ? TimeText.local(time) : TimeText.exact(time)
  }

  package var target: RecoveryTarget? {
    if let time = toTime.flatMap({ TimeText.parse($0) }) { return .time(time) }
    if let toLsn { return .lsn(toLsn) }
    // The log has the lower half of the number that pg_current_xact_id() tells.
    if let toXid { return .transaction(UInt32(truncatingIfNeeded: toXid)) }
    if let toName { return .restorePoint(toName) }
    return toEnd ? .end : nil
  }

  /// Returns what the server is told; `nil` if it starts as the snapshot says.
  /// - Parameters:
  ///   - plan: the recovery to the target, or the part of the log that is archived for a standby.
  ///   - restoreCommand: `nil` if the server needs none.
  func settings(_ plan: RecoveryPlan?, from snapshot: Identifier, restoreCommand: String?) -> RecoverySettings? {
    let purpose: RecoverySettings.Purpose
    if standby {
      purpose = .standby(
        RecoverySettings.StandbyWishes(
          primary: primaryConninfo, slot: primarySlot, timeline: timeline?.wanted, archived: plan))
    } else if let plan {
      purpose = .recovery(plan)
    } else if archiveMode == .off {
      purpose = .unchanged
    } else {
      return nil
    }
    return RecoverySettings(
      purpose, from: snapshot, restoreCommand: restoreCommand, action: targetAction ?? .promote,
      others: recoveryOption.compactMap(Self.setting), archivesNothing: archiveMode == .off)
  }
}

extension LogSequenceNumber: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

extension RecoverySettings.Action: ExpressibleByArgument {}

/// A timeline as an operator names it.
package struct TimelineChoice: ExpressibleByArgument {
  /// `nil` for the newest.
  let wanted: RecoveryTimeline?

  package init?(argument: String) {
    switch argument {
    case "latest": wanted = nil
    case "current": wanted = .ofSnapshot
    default:
      guard let number = UInt32(argument), number > 0 else { return nil }
      wanted = .number(number)
    }
  }
}
