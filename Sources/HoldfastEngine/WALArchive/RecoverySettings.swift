internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastSource

/// The signal and the settings that a restore adds to a PostgreSQL cluster: for a server that recovers to a target, for
/// one that follows a primary, or only for one with other settings.
package struct RecoverySettings: Sendable {
  package enum Purpose: Sendable {
    /// The server recovers as the plan says (`recovery.signal`).
    case recovery(RecoveryPlan)
    /// The server follows a primary (`standby.signal`).
    case standby(StandbyWishes)
    /// The server starts as the snapshot says.
    case unchanged
  }

  /// The action of a server that has reached its recovery target (`recovery_target_action`).
  package enum Action: String, Sendable, CaseIterable { case pause, promote, shutdown }

  /// The sources from which a standby gets its log.
  package struct StandbyWishes: Sendable {
    /// The connection string of the primary; `nil` if only the archive is read.
    package var primary: String?
    /// The replication slot of the primary.
    package var slot: String?
    /// The timeline to follow; `nil` for the newest, also across later promotions.
    package var timeline: RecoveryTimeline?
    /// The part of the log that is archived now, if it leads on from the snapshot.
    package var archived: RecoveryPlan?

    package init(primary: String?, slot: String?, timeline: RecoveryTimeline?, archived: RecoveryPlan?) {
      (self.primary, self.slot, self.timeline, self.archived) = (primary, slot, timeline, archived)
    }
  }

  /// One setting of PostgreSQL.
  package struct Setting: Hashable, Sendable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
  }

  package let purpose: Purpose
  /// The snapshot that is restored.
  private let snapshot: Identifier
  /// `nil` if the server needs none.
  private let restoreCommand: String?
  private let action: Action
  /// The settings that the operator adds, or has in the place of one of these.
  private let others: [Setting]
  /// True if the restored server archives nothing.
  private let archivesNothing: Bool

  /// - Parameter restoreCommand: a shell command that contains PostgreSQL's %f and %p.
  package init(
    _ purpose: Purpose, from snapshot: Identifier, restoreCommand: String?, action: Action = .promote,
    others: [Setting] = [], archivesNothing: Bool = false
  ) {
    (self.purpose, self.snapshot, self.restoreCommand, self.action) = (purpose, snapshot, restoreCommand, action)
    (self.others, self.archivesNothing) = (others, archivesNothing)
  }

  /// Settings for a recovery that ends with a promotion.
  package init(_ plan: RecoveryPlan, restoreCommand: String) {
    self.init(.recovery(plan), from: plan.snapshot.id, restoreCommand: restoreCommand)
  }

  /// The part of the archived log that the server is known to replay; `nil` if none is.
  package var plan: RecoveryPlan? {
    switch purpose {
    case .recovery(let plan): plan
    case .standby(let wishes): wishes.archived
    case .unchanged: nil
    }
  }

  /// True if the operator lets the replay pass over pages that are missing.
  var ignoresInvalidPages: Bool {
    others.contains {
      $0.name.lowercased() == "ignore_invalid_pages" && ["on", "true", "yes", "1"].contains($0.value.lowercased())
    }
  }

  // MARK: Settings

  /// The settings, except for those that are raised.
  private var settings: [Setting] {
    var settings = restoreCommand.map { [Setting("restore_command", $0)] } ?? []
    switch purpose {
    case .recovery(let plan):
      if let target = plan.target.setting {
        settings += [
          Setting(target.name, target.value), Setting("recovery_target_inclusive", plan.isExclusive ? "off" : "on"),
          Setting("recovery_target_action", action.rawValue),
        ]
      }
      // PostgreSQL accepts the number of a timeline only if it has a history; otherwise the timeline is that of the
      // snapshot.
      settings.append(Setting("recovery_target_timeline", plan.hasHistory ? String(plan.timeline) : "current"))
    case .standby(let wishes):
      settings += wishes.primary.map { [Setting("primary_conninfo", $0)] } ?? []
      settings += wishes.slot.map { [Setting("primary_slot_name", $0)] } ?? []
      settings.append(Setting("recovery_target_timeline", wishes.timeline?.word ?? "latest"))
    case .unchanged: break
    }
    if archivesNothing { settings.append(Setting("archive_mode", "off")) }
    let names = Set(others.map { $0.name.lowercased() })
    return settings.filter { !names.contains($0.name) } + others
  }

  /// The lines of `postgresql.auto.conf`, except for settings that are raised.
  package var lines: [String] { settings.map(Self.line) }

  /// The lines for people, without what may be a password.
  package var shownLines: [String] {
    settings.map { ConnectionText.holdsPassword($0.value) ? "\($0.name) = (it may hold a password)" : Self.line($0) }
  }

  private static func line(_ setting: Setting) -> String { "\(setting.name) = \(quoted(setting.value))" }

  /// Returns a value in the syntax of postgresql.conf.
  private static func quoted(_ value: String) -> String {
    "'" + value.escaping(["\\": "\\\\", "'": "''", "\n": "\\n", "\r": "\\r"]) + "'"
  }

  /// Returns the settings file with these settings appended. Settings that an earlier recovery left are commented out,
  /// because a server with two targets does not start; so are earlier values of these settings.
  /// - Parameter raised: the settings that the log requires to be higher than in the snapshot.
  func appended(to file: [UInt8], raising raised: [(name: String, value: String)]) -> [UInt8] {
    let names = Set(settings.map { $0.name.lowercased() })
    let settings = self.lines + raised.map { Self.line(Setting($0.name, $0.value)) }
    let added = ([title] + settings).map { $0 + "\n" }.joined()
    return SettingsText.silenced(file) { isReplaced($0, by: names) } + Array(added.utf8)
  }

  private var title: String {
    let what =
      switch purpose {
      case .recovery(let plan): "Recovery to \(plan.target.text)"
      case .standby: "Standby"
      case .unchanged: "Settings"
      }
    return "# \(what), from snapshot \(snapshot) of holdfast."
  }

  private func isReplaced(_ name: String, by names: Set<String>) -> Bool {
    if names.contains(name) { return true }
    let isOfRecovery = name.hasPrefix("recovery_target") || name == "restore_command"
    switch purpose {
    case .recovery: return isOfRecovery
    // Two standbys must not use one slot.
    case .standby: return isOfRecovery || name == "primary_conninfo" || name == "primary_slot_name"
    case .unchanged: return false
    }
  }

  // MARK: As a command

  /// The command line options for all of this, each on one line and without what may be a password.
  var words: [String] {
    var words: [String]
    switch purpose {
    case .recovery(let plan):
      words = plan.words
      if action != .promote { words += ["--target-action", action.rawValue] }
    case .standby(let wishes):
      words = ["--standby"] + option("--primary-conninfo", wishes.primary) + option("--primary-slot", wishes.slot)
      words += option("--timeline", wishes.timeline?.word)
    case .unchanged: words = []
    }
    words += others.flatMap { ["--recovery-option", "\($0.name)=\(Self.shown($0.value))"] }
    return words + (archivesNothing ? ["--archive-mode", "off"] : [])
  }

  private func option(_ name: String, _ value: String?) -> [String] { value.map { [name, Self.shown($0)] } ?? [] }

  private static func shown(_ value: String) -> String {
    ConnectionText.holdsPassword(value) ? "…" : value.escaping(["\n": "\\n", "\r": "\\r"])
  }
}
