package import HoldfastModel

/// The configuration of a source: how and when it is captured, and what happens to its snapshots.
package struct SourceSettings: Hashable, Sendable {
  /// How much of what is stored is verified.
  package struct Verify: Hashable, Sendable {
    /// At least this share in every run, 0 to 1.
    package internal(set) var share: Double?
    /// Enough that everything is verified within this time.
    package internal(set) var within: TimeSpan?
  }

  /// The objectives that monitoring checks.
  package struct Objectives: Hashable, Sendable {
    package internal(set) var maxAge: TimeSpan?
    package internal(set) var maxChain: Int?
    package internal(set) var proveWithin: TimeSpan?
  }

  /// How much of the log of a PostgreSQL cluster `wal push` and `wal fetch` move before the server asks for it.
  package struct Log: Hashable, Sendable {
    package static let aheadRange = 0...63
    package static let workersRange = 1...16

    /// The most further segments.
    package internal(set) var ahead: Int?
    /// The most segments at once.
    package internal(set) var workers: Int?
  }

  /// What is captured.
  package enum Subject: Hashable, Sendable {
    case directory(Path)
    /// The output of a command, as a file of this name.
    case command(String, fileName: String)
  }

  /// The default name of the file that gets the output of a command.
  package static let usualFileName = "stdin"

  package let name: SourceName
  /// Whether the name was chosen, or is that of the directory.
  package internal(set) var isNameChosen = true
  package let subject: Subject
  /// The name of a configured repository, or the path of another one.
  package let repository: String
  package internal(set) var exclusions: [String] = []
  /// In the form of `--compression`.
  package internal(set) var compression = ""
  package internal(set) var limitRate: ByteRate?
  package internal(set) var isParanoid = false
  package internal(set) var groupsDatabases = true
  package internal(set) var postgres: String?
  package internal(set) var log = Log()
  package internal(set) var tags: Set<Tag> = []
  package internal(set) var before: String?
  package internal(set) var after: String?
  package internal(set) var onFailure: String?
  /// For each kind of snapshot, the least time after a snapshot of this kind or a bigger one. A kind without a time is
  /// not taken.
  package internal(set) var schedule: [SnapshotKind: TimeSpan] = [:]
  /// The number of increments after which a chain is merged.
  package internal(set) var mergeAfter: Int?
  /// `nil`: nothing is pruned.
  package internal(set) var retention: RetentionPolicy?
  /// How long a removal can be undone.
  package internal(set) var grace = TimeSpan.days(7)
  package internal(set) var verify = Verify()
  package internal(set) var objectives = Objectives()

  var runsCommands: Bool {
    if case .command = subject { return true }
    return before != nil || after != nil || onFailure != nil
  }

  init(name: SourceName, subject: Subject, repository: String) {
    (self.name, self.subject, self.repository) = (name, subject, repository)
  }
}
