package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// Brings a snapshot back: replay and prove its state, plan, fetch, publish.
package struct Restore {
  package struct Options: Sendable {
    package var target: Path
    /// Empty: everything.
    package var paths: [Path] = []
    /// Whether to restore over what is there.
    package var isDelta = false
    /// What stays of it, where it is restored over.
    package var keeps = Keep.nothing
    /// Whether what lies in file systems that are mounted below the target, and that the snapshot does not know, is removed like anything else.
    package var crossesMounts = false
    package var isDryRun = false
    /// Whether owners are restored: only root can.
    package var setsOwner = false
    /// Where tablespaces of a PostgreSQL cluster go, by their object identifiers; the others stay in the data directory.
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
    var advice = ClusterAdvice()

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
  ///   - review: is told what would be done to what is there, before anything is. Throws to stop it, as it does where most of it would go, unless
  ///     somebody has confirmed that.
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
    let places = PathConflicts(files: host.files, repositoryDirectory: repository.store.directory)
    let source = try repository.sourceOrigin(of: snapshot)?.directory
    let target = try places.resolve(options.target)
    let place = try examine(target, places, source)
    try options.recovery?.plan.checkTablespaces(files: host.files)

    let chain = try repository.chain(to: snapshot, known: known)
    try repository.checkPresence(of: chain)
    let state = try repository.replay(chain)
    let relocations = try Relocation.ofTablespaces(options.tablespaces, in: state, places: places)
    // The cluster itself comes last: before, no server starts on what is not whole.
    try Relocation.checkApart(target, relocations)
    var parts = try relocations.map {
      RestorePart(selection: Selection(below: $0.directory, of: state), place: try examine($0.place, places, source))
    }
    parts.append(
      RestorePart(selection: try Selection(paths: options.paths, of: state, relocations: relocations), place: place))
    var report = Report(snapshot: snapshot, target: target, isDryRun: options.isDryRun)
    let use = TargetUse(files: host.files)
    if options.isDelta || !relocations.isEmpty, let warning = use.warning { progress.warn(warning) }
    for index in parts.indices {
      try use.check(parts[index].place)
      try prepare(&parts[index], state, use, &report)
    }
    let recovery = try options.recovery.map { try RecoveryFiles($0, in: state) }
    try recovery?.check(isDelta: options.isDelta)
    parts[parts.count - 1].recovery = recovery
    try noteUnseen(state, &report)
    try reviewImpact(parts, &report)
    let readers = ArchiveReaders(chain, in: repository)
    for part in parts { report.removed += part.leftovers.keys.sorted() }
    if options.isDryRun {
      for part in parts { try examine(part, state, readers, &report) }
    } else {
      try RestoreExecution(
        state: state, record: RestoreRecord(options, of: snapshot.id), options: options, host: host, progress: progress
      ).run(parts, readers: readers, &report)
    }
    if options.paths.isEmpty { report.advice.lines(in: target).forEach(progress.warn) }
    report.seconds = host.clock.uptime() - begun
    return report
  }

  /// - Parameter path: absolute, without symbolic links.
  private func examine(_ path: Path, _ places: PathConflicts, _ source: Path?) throws -> RestoreTarget {
    try places.check(restoreTarget: path, source: source)
    let place = try RestoreTarget(path, files: host.files)
    if !options.isDelta { try place.checkEmpty(files: host.files) }
    return place
  }

  /// Looks at everything that may speak against it.
  private func prepare(_ part: inout RestorePart, _ state: StateFile, _ use: TargetUse, _ report: inout Report) throws {
    if let existing = part.place.existing {
      try leaveOut(existing, &part, state, &report)
      part.leftovers = try UnfinishedRestore.leftovers(
        in: existing, part.mounts.restored, options, part.selection, of: state, files: host.files)
      if options.isDelta {
        try use.check(in: existing, part.selection, of: state, options.keeps, leavingOut: part.mounts.skipped)
      }
    }
    let stored = try measure(state, &part, into: &report)
    part.storedBytes = stored
    if !options.isDelta || options.keeps == .everything {
      try part.place.checkSpace(stored, files: host.files)
    }
  }

  /// Leaves out what belongs to a file system and not to a snapshot, and what somebody else has mounted.
  private func leaveOut(
    _ existing: OpenFile, _ part: inout RestorePart, _ state: StateFile, _ report: inout Report
  ) throws {
    if options.isDelta {
      part.mounts = try TargetMounts(
        below: existing, of: part.selection, in: state, crossesAll: options.crossesMounts, files: host.files)
    }
    for path in part.mounts.leftAlone where part.selection.isSelected(path) {
      let place = existing.fullPath.appending(path.bytes)
      report.leftAlone.append(place)
      progress.warn(
        part.mounts.unseen.contains(path)
          ? "\(place) is mounted there and cannot be examined: it is left as it is"
          : "\(place) is mounted there and not in the snapshot: it is left as it is (--across-mounts removes what is in it)"
      )
    }
    for place in [Path.root] + part.mounts.restored {
      let root = place.isEmpty ? existing : try host.files.openBeneath(place, in: existing, .directory)
      guard try LostAndFound.lies(in: root, root.listing(), files: host.files) else { continue }
      part.selection.leaveOut([place.appending(LostAndFound.name.bytes)])
    }
    part.selection.leaveOut(part.mounts.leftAlone)
  }

  private func reviewImpact(_ parts: [RestorePart], _ report: inout Report) throws {
    let impact = Impact(snapshot: snapshot, location: repository.location, parts: parts.compactMap(\.figures))
    for figures in impact.parts {
      report.removedEntries += figures.removed
      report.removedBytes &+= figures.removedBytes
    }
    guard options.isDryRun else { return try review(impact) }
    do { try impact.check() } catch let error as EngineError { report.refusal = error.message }
  }

  /// What would be read, written and removed.
  private func examine(
    _ part: RestorePart, _ state: StateFile, _ readers: ArchiveReaders, _ report: inout Report
  ) throws {
    progress.begin(phase: "examining", totalBytes: part.storedBytes)
    let plan = try RestorePlan(
      state: state, selection: part.selection, existing: options.isDelta ? part.place.existing : nil,
      keeps: options.keeps, mounts: part.mounts, staging: nil, setsOwner: options.setsOwner, host: host,
      progress: progress)
    try plan.run(readers: readers, isDryRun: true)
    plan.fill(&report)
  }

  /// Counts what is selected, and what would become of what is there.
  /// - Returns: bytes of pages that are not zero: what has to be stored.
  private func measure(_ state: StateFile, _ part: inout RestorePart, into report: inout Report) throws -> UInt64 {
    let selection = part.selection
    var leftovers = (options.isDelta ? part.place.existing : nil).map {
      Leftovers(root: $0, host: host, selection: selection, keeps: options.keeps, mounts: part.mounts)
    }
    let reader = state.makeReader()
    var needed: UInt64 = 0
    while let entry = try reader.nextEntry() {
      guard let wanted = selection.resolve(entry) else { continue }
      guard !StagingArea.name.contains(wanted.path) else {
        throw EngineError(
          "the snapshot has an entry \(StagingArea.name), and a restore needs this name for itself",
          hint: "Restore the rest with --path.")
      }
      report.entries += 1
      report.advice.notice(wanted.path)
      let present = try leftovers?.advance(to: wanted) ?? nil
      if options.keeps != .nothing, let existing = part.place.existing {
        try KeptDatabases.check(wanted, isPresent: present != nil, options.keeps, in: existing, files: host.files)
      }
      guard let file = wanted.file else { continue }
      // Sparse files may claim more together than the number holds.
      let (bytes, isTooMuch) = report.bytes.addingReportingOverflow(file.size)
      report.bytes = isTooMuch ? .max : bytes
      if !file.consistency.isComplete {
        report.problems.append(
          Problem(path: wanted.path, reason: file.incompleteReason))
      }
      if options.keeps == .everything, present != nil { continue }
      var extents = selection.extents(of: wanted, from: reader)
      while let extent = try extents.next() {
        if extent.location != nil {
          needed += Pages.bytes(first: extent.first, count: extent.count, size: file.size, pageSize: file.pageSize)
        }
      }
    }
    try leftovers?.finish()
    part.figures = leftovers?.figures
    for status in part.leftovers.values { part.figures?.remove(status) }
    if let existing = part.place.existing {
      part.figures?.isUnfinished = try host.files.statusIfPresent(of: StagingArea.name, in: existing) != nil
    }
    return needed
  }

  /// What could not be examined when the snapshot was taken is only counted in it: no file of its state tells of it.
  private func noteUnseen(_ state: StateFile, _ report: inout Report) throws {
    guard snapshot.envelope.incomplete > 0 else { return }
    var unseen = snapshot.envelope.incomplete
    var hasDirectory = options.paths.isEmpty
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      if let file = entry.file, !file.consistency.isComplete, unseen > 0 { unseen -= 1 }
      if entry.content == .directory, options.paths.contains(where: { $0.contains(entry.path) }) { hasDirectory = true }
    }
    // Files that are named one by one are there as the snapshot has them.
    guard unseen > 0, hasDirectory else { return }
    report.problems.append(
      Problem(
        path: .root,
        reason: "\(Amount.count(unseen, "path")) could not be read when the snapshot was taken: "
          + "what lies there is from an earlier snapshot, or is missing"))
    guard !options.isDelta || options.keeps != .nothing else {
      throw EngineError(
        "the snapshot did not see all of its source, so what is missing in it may not be removed from the target",
        hint: "Restore into an empty --target, or take an earlier snapshot.", exitStatus: .incomplete)
    }
  }
}
