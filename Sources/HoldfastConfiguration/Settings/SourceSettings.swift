package import HoldfastModel

/// The configuration of a source: for its captures, their schedule, and the snapshots that they make.
package struct SourceSettings: Hashable, Sendable {
  /// The amount of stored data that is verified.
  package struct Verify: Hashable, Sendable {
    /// The minimum share that is verified in every run, 0 to 1.
    package internal(set) var share: Double?
    /// The time within which everything is verified.
    package internal(set) var within: TimeSpan?
  }

  /// The objectives that monitoring checks.
  package struct Objectives: Hashable, Sendable {
    package internal(set) var maxAge: TimeSpan?
    package internal(set) var maxChain: Int?
    package internal(set) var proveWithin: TimeSpan?
    package internal(set) var restoreWithin: TimeSpan?
    package internal(set) var drilledWithin: TimeSpan?
  }

  /// The part of the log of a PostgreSQL cluster that `wal push` and `wal fetch` move before the server asks for it.
  package struct Log: Hashable, Sendable {
    package static let aheadRange = 0...63
    package static let workersRange = 1...16

    /// The maximum number of further segments.
    package internal(set) var ahead: Int?
    /// The maximum number of segments at once.
    package internal(set) var workers: Int?
  }

  /// The data that is captured.
  package enum Subject: Hashable, Sendable {
    case directory(Path)
    /// The output of a command, as a file of this name.
    case command(String, fileName: String)
  }

  /// The default name of the file that gets the output of a command.
  package static let usualFileName = "stdin"

  package var name: SourceName
  /// True if the name was chosen, or is that of the directory.
  package internal(set) var isNameChosen = true
  package let subject: Subject
  /// The name of a configured repository, or the path of another one.
  package let repository: String
  package internal(set) var exclusions: [String] = []
  /// In the form of `--compression`.
  package internal(set) var compression = ""
  /// The share of lost pages that archives and bodies can repair by themselves; `nil` if nothing is said.
  package internal(set) var parity: ParityShare?
  package internal(set) var limitRate: ByteRate?
  package internal(set) var isParanoid = false
  package internal(set) var groupsDatabases = true
  package internal(set) var postgres: String?
  package internal(set) var log = Log()
  package internal(set) var tags: Set<Tag> = []
  package internal(set) var before: String?
  package internal(set) var after: String?
  package internal(set) var onFailure: String?
  /// For each kind of snapshot, the minimum time since the last snapshot of this or a bigger kind. A kind without a
  /// time is not taken.
  package internal(set) var schedule: [SnapshotKind: TimeSpan] = [:]
  /// The number of increments after which a chain is merged.
  package internal(set) var mergeAfter: Int?
  /// `nil` if nothing is pruned.
  package internal(set) var retention: RetentionPolicy?
  /// The duration for which a removal can be undone.
  package internal(set) var grace = TimeSpan.days(7)
  package internal(set) var verify = Verify()
  package internal(set) var drill = DrillSettings()
  package internal(set) var watch = WatchSettings()
  package internal(set) var failover = FailoverSettings()
  package internal(set) var objectives = Objectives()

  var runsCommands: Bool {
    if case .command = subject { return true }
    return before != nil || after != nil || onFailure != nil
  }

  /// Returns the settings under which what has diverged is kept: all of a directory, as a source of its own, without
  /// the commands around the backups of the service.
  /// - Parameter path: the directory.
  package func keptAside(as name: SourceName, _ path: Path) -> SourceSettings {
    var kept = SourceSettings(name: name, subject: .directory(path), repository: repository)
    (kept.compression, kept.parity, kept.limitRate) = (compression, parity, limitRate)
    return kept
  }

  init(name: SourceName, subject: Subject, repository: String) {
    (self.name, self.subject, self.repository) = (name, subject, repository)
  }
}
