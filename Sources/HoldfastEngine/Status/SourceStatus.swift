package import HoldfastArchive
package import HoldfastModel

/// The status of one source. A value that is not known is `nil`, never 0.
package struct SourceStatus: Sendable {
  /// The newest snapshot; a merged one counts as the snapshot that it stands for.
  package struct Newest: Sendable, Hashable {
    package var id: Identifier
    package var sequence: UInt64
    package var kind: SnapshotKind
    package var started: Timestamp
    /// The time since its start; `nil` if that is later than this machine's clock.
    package var age: TimeSpan?
    package var consistency: ConsistencyClass
    /// The number of paths that it does not contain whole.
    package var incomplete: UInt64
    package var stateBytes: UInt64
    package var stateFiles: UInt64
    /// The number of snapshots from the full to it; `nil` if one of them cannot be read.
    package var chainLength: Int?
    /// The stored bytes of its chain; `nil` if one of its snapshots cannot be read.
    package var chainBytes: UInt64?

    package var isComplete: Bool { incomplete == 0 }
  }

  /// A snapshot with anomalies.
  package struct Suspicion: Sendable, Hashable {
    package var id: Identifier
    package var text: String

    package init(id: Identifier, text: String) { (self.id, self.text) = (id, text) }
  }

  /// A run that the journal contains.
  package struct Run: Sendable, Hashable {
    package var command: RunCommand
    package var ended: Timestamp
    /// The time since its end; `nil` if that is later than this machine's clock.
    package var age: TimeSpan?
    package var status: Int32
    package var text: String?
    package var share: Double?
    /// The snapshot whose chain was verified, if the run was a verify of one snapshot.
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

  /// A snapshot of the newest snapshot's chain.
  package struct ChainLink: Sendable, Hashable {
    /// The time at which its bytes were stored.
    package var madeAt: Timestamp
    /// The share of its stored bytes that was verified at home within `provedWindow`, 0 to 1.
    package var provedShare: Double

    package init(madeAt: Timestamp, provedShare: Double) { (self.madeAt, self.provedShare) = (madeAt, provedShare) }
  }

  /// A fact that an operator should look at.
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
  /// The time since the start of the newest snapshot that can be relied on (`Snapshot.lastGood`); `nil` if there is
  /// none, or its time is later than this machine's clock.
  package var lastGoodAge: TimeSpan?
  /// The number of snapshots whose manifests can be read, and the number of these that have a complete chain.
  package var snapshots = 0
  package var restorable = 0
  /// The number of independent copies of the newest snapshot's bytes.
  package var redundancyDegree = 0
  /// The number of chains, each with its own full, from which the source can be restored.
  package var backupDegree = 0
  package var storedBytes: UInt64 = 0
  /// The parity among them.
  package var parityBytes: UInt64 = 0
  /// The bytes that are stored per day, without the oldest snapshot.
  package var growthPerDay: Double?
  package var damage: [String] = []
  /// The snapshots with anomalies that nobody has accepted, the newest first.
  package var suspicions: [Suspicion] = []
  package var journalDamage: [String] = []

  /// The host that serves the source; `nil` if none was ever announced.
  package var serving: ServingRole?
  /// The snapshots that were under way when another host took over. They count for nothing else here.
  package var diverged: [Identifier] = []
  /// The watch of the source; `nil` if nobody watches it.
  package var watch: WatchStatus?
  /// The archived write-ahead log of a PostgreSQL source; `nil` if none is archived.
  package var log: LogStatus?
  package var lastBackup: Run?
  package var lastVerify: Run?
  /// The last verify that found damage to data; `nil` if a later one has shown that it is gone.
  package var standingDamage: Run?
  /// The snapshots that the notes call damaged, and of which no verify has read all since; without removed snapshots.
  package var notedDamage: [Identifier] = []
  /// The number of failed backups since the last one that succeeded.
  package var failedBackups = 0
  /// The share of the stored bytes that was verified within `provedWindow`.
  package var provedShare: Double?
  package var provedWindow = TimeSpan.zero
  /// The snapshots of the newest snapshot's chain, the newest first; empty if one of them is missing.
  package var chain: [ChainLink] = []
  package var drills = DrillStatus()
  package var speed: Speed?
  /// The expected duration of a restore of the newest snapshot.
  package var restoreDuration: TimeSpan?
  /// The number of runs in the journal, without those that only found another run at work.
  package var runs = 0
  package var failedRuns = 0
  /// The time since the first entry of the journal.
  package var remembered: TimeSpan?
  /// The share of that time in which the newest complete snapshot was no older than the objective.
  package var availability: Double?

  package var missed: [Missed] = []
  package var concerns: [Concern] = []

  package init(_ name: SourceName) { self.name = name }

  package var failureRate: Double? { runs == 0 ? nil : Double(failedRuns) / Double(runs) }
  package var level: Concern.Level? { concerns.map(\.level).max() }
}
