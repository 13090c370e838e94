package import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel
internal import HoldfastRepository

extension Drill {
  /// The phases of a drill, in their order.
  package enum Phase: String, CaseIterable, Sendable {
    /// The repository is opened.
    case repository
    /// The place, the room and the way to the end of the log are checked.
    case plan
    case restore
    /// The server of a restored cluster replays its log.
    case recovery
    /// The restored databases are opened.
    case database
    case checks
    case assertions
    case cleanup = "clean-up"

    /// True if an operator who restores waits for it too: together they are the time of the restore.
    var countsForRestore: Bool {
      switch self {
      case .repository, .plan, .restore, .recovery, .database: true
      case .checks, .assertions, .cleanup: false
      }
    }
  }

  /// A phase that was gone through, or in which the drill ended.
  package struct PhaseResult: Sendable, Hashable {
    package let phase: Phase
    package let duration: TimeSpan
    /// The result in words; empty if there is nothing to say.
    package var text = ""
  }

  /// The phase in which a drill failed, and the error.
  package struct Failure: Sendable {
    package let phase: Phase
    package let error: any OperatorError
  }

  package struct Report: Sendable {
    package let snapshot: Snapshot
    package let isDryRun: Bool
    /// True if the snapshot is another one than the newest.
    package let isOlder: Bool
    package internal(set) var phases: [PhaseResult] = []
    /// The restored data; it is removed at the end, unless it is kept.
    package internal(set) var data: Path
    /// The file with everything that the drill said; `nil` for a dry run.
    package internal(set) var log: Path?
    package internal(set) var isKept = false
    package internal(set) var restore: Restore.Report?
    /// The recovery of a PostgreSQL cluster to the end of its archived log.
    package internal(set) var recovery: RecoveryPlan?
    /// The databases that were opened: paths below the source.
    package internal(set) var databases: [Path] = []
    /// The checks that were not made, with the reason of each, in words.
    package internal(set) var unchecked: [String] = []
    /// The number of assertions that held.
    package internal(set) var assertionsHeld = 0
    /// `nil` if everything was as it should be.
    package internal(set) var failure: Failure?

    init(_ snapshot: Snapshot, data: Path, isOlder: Bool, isDryRun: Bool) {
      (self.snapshot, self.data, self.isOlder, self.isDryRun) = (snapshot, data, isOlder, isDryRun)
    }

    /// The time until the restored databases answered.
    package var restoreTime: TimeSpan {
      phases.filter(\.phase.countsForRestore).map(\.duration).reduce(.zero) { $0 + $1 }
    }

    package var duration: TimeSpan { phases.map(\.duration).reduce(.zero) { $0 + $1 } }

    /// The status of a failure; otherwise that of the restore, which may have left out attributes.
    package var exitStatus: ExitStatus { failure?.error.exitStatus ?? restore?.exitStatus ?? .done }

    /// The evidence for the journal.
    package var evidence: DrillEvidence {
      DrillEvidence(
        passed: failure == nil, phases: phases.map { DrillEvidence.Phase($0.phase.rawValue, took: $0.duration) },
        restoreTime: restoreTime, databases: UInt64(databases.count), assertions: UInt64(assertionsHeld),
        isOlder: isOlder ? true : nil)
    }

    /// The result in one sentence.
    package var verdict: String {
      let name = "snapshot \(snapshot.id.short) of \(snapshot.sourceName)"
      if let failure { return "the drill failed at \(failure.phase.rawValue): \(failure.error.message)" }
      if isDryRun { return "would restore \(name) into \(data)" }
      let opened =
        databases.isEmpty
        ? "it has no database to open"
        : "\(Amount.count(UInt64(databases.count), "database")) \(databases.count == 1 ? "is" : "are") \(quality)"
      let held =
        assertionsHeld == 0
        ? "" : ", and \(Amount.count(UInt64(assertionsHeld), "assertion")) \(assertionsHeld == 1 ? "holds" : "hold")"
      let rest = unchecked.isEmpty ? "" : " (not checked: \(unchecked.joined(separator: "; ")))"
      return "\(name) was restored in \(Amount.duration(restoreTime)): \(opened)\(held)\(rest)"
    }

    /// The word for the databases that were opened: sound only if everything was checked.
    private var quality: String { unchecked.isEmpty ? "sound" : "open" }
  }
}
