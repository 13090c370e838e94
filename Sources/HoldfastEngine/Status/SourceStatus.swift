package import HoldfastArchive
package import HoldfastModel

/// The status of one source. What cannot be known is `nil`, never 0.
package struct SourceStatus: Sendable {
  /// The newest snapshot, in the order of what snapshots stand for.
  package struct Newest: Sendable, Hashable {
    package var id: Identifier
    package var sequence: UInt64
    package var kind: SnapshotKind
    package var started: Timestamp
    /// `nil` when its time is later than this machine's clock.
    package var age: TimeSpan?
    package var consistency: ConsistencyClass
    /// Number of paths that it does not contain whole.
    package var incomplete: UInt64
    package var stateBytes: UInt64
    package var stateFiles: UInt64
    /// Number of snapshots from the full to it; `nil` when one of them cannot be read.
    package var chainLength: Int?
    /// Stored bytes of its chain.
    package var chainBytes: UInt64?

    package var isComplete: Bool { incomplete == 0 }
  }

  /// A snapshot with anomalies.
  package struct Suspicion: Sendable, Hashable {
    package var id: Identifier
    package var text: String
  }

  /// A run that the journal contains.
  package struct Run: Sendable, Hashable {
    package var command: RunCommand
    package var ended: Timestamp
    /// The time since; `nil` when its time is later than this machine's clock.
    package var age: TimeSpan?
    package var status: Int32
    package var text: String?
    package var share: Double?
    /// For a verify of one snapshot with what it builds on, that snapshot.
    package var snapshot: Identifier?
  }

  /// The speed of a restore.
  package struct Speed: Sendable, Hashable {
    package enum Basis: String, Sendable {
      /// Measured with restores into an empty target.
      case restores
      /// Measured with verifies that read data: less certain, because nothing was written.
      case verifies
    }
    package var basis: Basis
    package var runs: Int
    package var bytesPerSecond: Double
  }

  /// An objective that is not met.
  package struct Missed: Sendable, Hashable {
    package var objective: Objective
    package var text: String
  }

  /// A fact that somebody should look at.
  package struct Concern: Sendable, Hashable {
    package enum Level: Int, Sendable, Comparable {
      case warning = 1
      case critical = 2
      package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }
    package var level: Level
    package var text: String
  }

  /// The objectives of the source.
  package internal(set) var objectives = Objectives()
  package let name: SourceName
  package var newest: Newest?
  /// The time since the start of the newest complete snapshot whose time is not later than this machine's clock.
  package var completeAge: TimeSpan?
  package var completeStarted: Timestamp?
  /// Snapshots whose manifests can be read; `restorable` of them have a complete chain.
  package var snapshots = 0
  package var restorable = 0
  /// Number of independent copies of the newest snapshot's bytes.
  package var redundancyDegree = 0
  /// Number of chains, each with its own full, from which the source can be restored.
  package var backupDegree = 0
  package var storedBytes: UInt64 = 0
  /// Bytes stored per day, without the oldest snapshot.
  package var growthPerDay: Double?
  package var damage: [String] = []
  /// The snapshots with anomalies that nobody has accepted, the newest first.
  package var suspicions: [Suspicion] = []
  package var journalDamage: [String] = []

  package var lastBackup: Run?
  package var lastVerify: Run?
  /// The last verify that found damage to data, until another one has read as much and found none.
  package var standingDamage: Run?
  /// Failed backups since the last one that succeeded.
  package var failedBackups = 0
  /// The share of the stored bytes that was verified within `provedWindow`.
  package var provedShare: Double?
  package var provedWindow = TimeSpan.zero
  package var speed: Speed?
  /// The expected duration of a restore of the newest snapshot.
  package var restoreDuration: TimeSpan?
  /// Runs that the journal contains, without those that only found another one at work.
  package var runs = 0
  package var failedRuns = 0
  /// How far the journal goes back.
  package var remembered: TimeSpan?
  /// The share of that time in which the newest complete snapshot was no older than the objective.
  package var availability: Double?

  package var missed: [Missed] = []
  package var concerns: [Concern] = []

  package init(_ name: SourceName) { self.name = name }

  package var failureRate: Double? { runs == 0 ? nil : Double(failedRuns) / Double(runs) }
  package var level: Concern.Level? { concerns.map(\.level).max() }
}
