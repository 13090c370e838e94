package import HoldfastArchive
package import HoldfastModel

/// How one source is doing. What cannot be known is `nil`, never 0.
package struct SourceStatus: Sendable {
  /// The newest snapshot, by what it stands for.
  package struct Newest: Sendable, Hashable {
    package var id: Identifier
    package var sequence: UInt64
    package var kind: SnapshotKind
    package var started: Timestamp
    /// Seconds; `nil` where its time lies ahead of this machine's clock.
    package var age: Double?
    package var consistency: String
    /// Paths that it does not have whole.
    package var incomplete: UInt64
    package var stateBytes: UInt64
    package var stateFiles: UInt64
    /// Snapshots from the full to it; `nil` where one of them cannot be read.
    package var chainLength: Int?
    /// Stored bytes of its chain.
    package var chainBytes: UInt64?

    package var isComplete: Bool { incomplete == 0 }
  }

  /// A snapshot that does not look like a normal day.
  package struct Suspicion: Sendable, Hashable {
    package var id: Identifier
    package var text: String
  }

  /// A run that the journal remembers.
  package struct Run: Sendable, Hashable {
    package var command: RunCommand
    package var ended: Timestamp
    /// Seconds since; `nil` where its time lies ahead.
    package var age: Double?
    package var status: Int32
    package var text: String?
    package var share: Double?
    /// Of a verify of one snapshot with what it builds on.
    package var snapshot: Identifier?
  }

  /// How fast a restore is.
  package struct Speed: Sendable, Hashable {
    package enum Basis: String, Sendable {
      /// Restores into an empty target: what was restored, by how long it took.
      case restores
      /// Verifies that read data: less certain, because nothing was written.
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

  /// Something that somebody should look at.
  package struct Concern: Sendable, Hashable {
    package enum Level: Int, Sendable, Comparable {
      case warning = 1
      case critical = 2
      package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }
    package var level: Level
    package var text: String
  }

  /// What was promised of it.
  package internal(set) var objectives = Objectives()
  package let name: SourceName
  package var newest: Newest?
  /// Seconds since the newest complete snapshot was begun that does not lie ahead of this machine's clock.
  package var completeAge: Double?
  package var completeStarted: Timestamp?
  /// Snapshots whose manifests can be read, and those of them whose chain can.
  package var snapshots = 0
  package var restorable = 0
  /// On how many places, of which any one will do, the bytes of the newest snapshot lie.
  package var redundancyDegree = 0
  /// How many chains, each with a full of its own, can be restored from.
  package var backupDegree = 0
  package var storedBytes: UInt64 = 0
  /// Bytes stored a day, without the oldest snapshot that there is.
  package var growthPerDay: Double?
  package var damage: [String] = []
  /// What snapshots look like whose anomalies nobody has accepted, the newest first.
  package var suspicions: [Suspicion] = []
  package var journalDamage: [String] = []

  package var lastBackup: Run?
  package var lastVerify: Run?
  /// The last verify that found damage which costs data, until another one has read as much and found none.
  package var standingDamage: Run?
  /// Backups that failed since the last that did not.
  package var failedBackups = 0
  /// The share of the stored bytes that was proved within `verifySeconds`.
  package var provedShare: Double?
  package var verifySeconds = 0.0
  package var speed: Speed?
  /// How long a restore of the newest snapshot would take.
  package var restoreSeconds: Double?
  /// Runs that the journal remembers, without those that only found another one at work.
  package var runs = 0
  package var failedRuns = 0
  /// Seconds that the journal looks back.
  package var remembered: Double?
  /// The share of that time in which the newest complete snapshot was no older than the objective.
  package var availability: Double?

  package var missed: [Missed] = []
  package var concerns: [Concern] = []

  package init(_ name: SourceName) { self.name = name }

  package var failureRate: Double? { runs == 0 ? nil : Double(failedRuns) / Double(runs) }
  package var level: Concern.Level? { concerns.map(\.level).max() }
}
