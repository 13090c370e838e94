package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// Brings a snapshot back: replay and prove its state, plan, then compare and count for a dry run, or fetch and
/// publish.
package struct Restore {
  package struct Options: Sendable {
    package var target: Path
    /// Empty: everything.
    package var paths: [Path] = []
    /// Whether to restore over what is there.
    package var isDelta = false
    /// What stays of it, where it is restored over.
    package var keeps = Keep.nothing
    /// Whether what lies in file systems that are mounted below the target, and that the snapshot does not know, is
    /// removed like anything else.
    package var crossesMounts = false
    package var isDryRun = false
    /// Whether owners are restored: only root can.
    package var setsOwner = false
    /// Where tablespaces of a PostgreSQL cluster go, by their object identifiers; the others stay in the data
    /// directory.
    package var tablespaces: [String: Path] = [:]
    /// Makes the server of the restored cluster recover when it starts.
    package var recovery: RecoverySettings?

    package init(target: Path) { self.target = target }
  }

  package struct Report: Sendable {
    package var snapshot: Snapshot
    package var target: Path
    package var isDryRun: Bool
    /// Entries that the snapshot has, of those that were asked for, and the bytes of the files among them.
    package var entries: UInt64 = 0
    package var bytes: UInt64 = 0
    /// Stored bytes read from the repository.
    package var readBytes: UInt64 = 0
    /// Files written anew or in parts, and the bytes written to them.
    package var writtenFiles: UInt64 = 0
    package var writtenBytes: UInt64 = 0
    /// What the target had and the snapshot has not: of a directory only its own path.
    package var removed: [Path] = []
    /// The same with all that lay in those directories, and the bytes of the files among it.
    package var removedEntries: UInt64 = 0
    package var removedBytes: UInt64 = 0
    /// Why this would be refused without a confirmation; of a dry run only.
    package var refusal: String?
    /// What is mounted below the target and not in the snapshot, and stays as it is.
    package var leftAlone: [Path] = []
    package var problems: [Problem] = []
    package var seconds = 0.0

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
  ///   - known: snapshots that were read already, such as those that `snapshot` was chosen from.
  ///   - review: is told what would be done to what is there, before anything is. Throws to stop it, as it does where
  ///     most of it would go, unless somebody has confirmed that.
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
    let readers = ArchiveReaders(plan.chain, in: repository)
    var report = Report(plan)
    if options.isDryRun {
      for part in plan.parts { try examine(part, of: plan, readers, &report) }
    } else {
      try RestoreExecution(plan, readers: readers, host: host, progress: progress).run(&report)
    }
    if options.paths.isEmpty { plan.totals.advice.lines(in: plan.target).forEach(progress.warn) }
    report.seconds = host.clock.uptime() - begun
    return report
  }

  /// Compares what is there, and counts what would be read, written and removed.
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
  /// What a plan says, before anything is read or written.
  fileprivate init(_ plan: RestorePlan) {
    (snapshot, target, isDryRun) = (plan.snapshot, plan.target, plan.options.isDryRun)
    (entries, bytes) = (plan.totals.entries, plan.totals.bytes)
    (leftAlone, problems) = (plan.totals.leftAlone, plan.totals.problems)
    removed = plan.waitingRemovals
    for figures in plan.impact.parts {
      removedEntries += figures.removed
      removedBytes &+= figures.removedBytes
    }
    if isDryRun { refusal = plan.impact.refusal?.message }
  }
}
