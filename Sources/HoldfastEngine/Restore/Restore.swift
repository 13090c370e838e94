package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
package import HoldfastSystem

/// Restores a snapshot: replays and verifies its state, makes a plan, then compares and counts (dry run), or fetches
/// and publishes.
package struct Restore {
  package struct Options: Sendable {
    package var target: Path
    /// The target, if it is open already: then its path is not opened, and is only for messages. It must exist.
    package var openTarget: OpenFile?
    /// The paths to restore; empty for everything.
    package var paths: [Path] = []
    /// True if the target may have content (`--delta`).
    package var isDelta = false
    /// The existing content that is kept.
    package var keeps = Keep.nothing
    /// True if the content of file systems that are mounted below the target is removed like anything else that the
    /// snapshot does not have.
    package var crossesMounts = false
    package var isDryRun = false
    /// True if owners are restored; only root can do that.
    package var setsOwner = false
    /// The directories of the tablespaces of a PostgreSQL cluster, by OID. Other tablespaces stay inside the data
    /// directory.
    package var tablespaces: [String: Path] = [:]
    /// The directory in which all other tablespaces get a directory with their OID as its name.
    package var tablespaceRoot: Path?
    /// The purpose and settings of the restored cluster; `nil` if its server starts as the snapshot says.
    package var recovery: RecoverySettings?
    /// The names or OIDs of the databases whose contents are restored; empty for all. The files of the others become
    /// zeros, which take no room.
    package var databases: [String] = []

    package init(target: Path) { self.target = target }
  }

  package struct Report: Sendable {
    package var snapshot: Snapshot
    package var target: Path
    package var isDryRun: Bool
    /// The number of selected entries of the snapshot, and the bytes of the files among them.
    package var entries: UInt64 = 0
    package var bytes: UInt64 = 0
    /// The stored bytes that were read from the repository.
    package var readBytes: UInt64 = 0
    /// The number of files that were written, whole or in part, and the bytes written to them.
    package var writtenFiles: UInt64 = 0
    package var writtenBytes: UInt64 = 0
    /// The paths that were removed because the snapshot does not have them; for a directory only its own path.
    package var removed: [Path] = []
    /// The number of all removed entries, with those inside removed directories, and the bytes of the files among them.
    package var removedEntries: UInt64 = 0
    package var removedBytes: UInt64 = 0
    /// The paths at which the target does not have the object of the snapshot, or has it with another size, mode, owner
    /// or link target; only for a dry run over existing content. Contents and times are not among that.
    package var differing: [Path] = []
    /// The reason for which this restore would be refused without a confirmation; only for a dry run.
    package var refusal: String?
    /// The mounts below the target that the snapshot does not have. They are left alone.
    package var leftAlone: [Path] = []
    package var problems: [Problem] = []
    /// The databases whose files are restored as zeros.
    package var zeroedDatabases: [ClusterDatabase] = []
    package var duration = TimeSpan.zero

    package var exitStatus: ExitStatus { problems.isEmpty ? .done : .incomplete }
  }

  private let repository: Repository
  private let snapshot: Snapshot
  private let known: [Snapshot]
  private let options: Options
  private let progress: any ProgressObserver
  private let review: (Impact) throws -> Void
  private let host: Host

  /// - Parameters:
  ///   - known: snapshots that were read already, such as those from which `snapshot` was chosen.
  ///   - review: gets the effect on existing content before anything is changed. It throws to stop the restore, for
  ///     example when most of the content would be removed and nobody confirmed it.
  package init(
    repository: Repository, snapshot: Snapshot, known: [Snapshot] = [], options: Options,
    progress: any ProgressObserver, review: @escaping (Impact) throws -> Void = { try $0.check() }
  ) {
    self.review = review
    self.repository = repository
    self.snapshot = snapshot
    self.known = known
    self.options = options
    self.progress = progress
    self.host = repository.host
  }

  package func run() throws -> Report {
    let begun = host.clock.uptime()
    var planner = RestorePlanner(repository, snapshot, known: known, options, progress: progress)
    let plan = try planner.plan()
    if !options.isDryRun { try review(plan.impact) }
    var report = Report(plan)
    if options.isDryRun {
      for part in plan.parts { try examine(part, of: plan, plan.readers, &report) }
    } else {
      try RestoreExecution(plan, readers: plan.readers, host: host, progress: progress).run(&report)
    }
    if options.paths.isEmpty { plan.totals.advice.lines(in: plan.target).forEach(progress.warn) }
    report.duration = host.clock.uptime() - begun
    return report
  }

  /// Compares existing content, and counts what would be read, written and removed.
  private func examine(
    _ part: RestorePart, of plan: RestorePlan, _ readers: ArchiveReaders, _ report: inout Report
  ) throws {
    progress.begin(phase: "examining", totalBytes: part.storedBytes)
    let contents = RestoreContents(
      plan, part, over: options.isDelta ? part.target.existing : nil, writer: nil, readers: readers, host: host,
      progress: progress)
    try contents.run()
    contents.fill(&report)
  }
}

extension Restore.Report {
  /// The figures that a plan knows before anything is read or written.
  fileprivate init(_ plan: RestorePlan) {
    (snapshot, target, isDryRun) = (plan.snapshot, plan.target, plan.options.isDryRun)
    (entries, bytes) = (plan.totals.entries, plan.totals.bytes)
    (leftAlone, problems) = (plan.totals.leftAlone, plan.totals.problems)
    removed = plan.waitingRemovals
    zeroedDatabases = plan.zeroedDatabases
    for figures in plan.impact.parts {
      removedEntries += figures.removed
      removedBytes &+= figures.removedBytes
    }
    if isDryRun { refusal = plan.impact.refusal?.message }
  }
}
