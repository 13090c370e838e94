package import HoldfastArchive
package import HoldfastModel
internal import HoldfastSource
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
    package var repositoryDirectory: Path?
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

  /// What goes into one directory.
  private struct Part {
    var selection: Selection
    let target: Path
    var existing: OpenFile?
    /// Of pages that have to be there in the end, and are not zeros.
    var storedBytes: UInt64 = 0
    var mounts = TargetMounts()
    /// Files of the target that an interrupted restore took away, and that go because the snapshot does not have them.
    var leftovers: [Path: FileStatus] = [:]
    /// What would become of what is there.
    var figures: TargetFigures?
    /// What is added to the cluster in it.
    var recovery: RecoveryFiles?
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
    let places = Places(files: host.files, repositoryDirectory: options.repositoryDirectory)
    let source = try repository.sourcePath(of: snapshot)
    let target = try places.resolve(options.target)
    try places.check(restoreTarget: target, source: source)
    _ = try examineTarget(target)
    try options.recovery?.plan.checkTablespaces(files: host.files)

    let chain = try repository.chain(to: snapshot, known: known)
    try repository.checkPresence(of: chain)
    let state = try repository.replay(chain)
    let relocations = try Relocation.ofTablespaces(options.tablespaces, in: state, places: places)
    // The cluster itself comes last: before, no server starts on what is not whole.
    var parts = relocations.map { Part(selection: Selection(below: $0.directory, of: state), target: $0.place) }
    parts.append(
      Part(selection: try Selection(paths: options.paths, of: state, relocations: relocations), target: target))
    var report = Report(snapshot: snapshot, target: target, isDryRun: options.isDryRun)
    try Relocation.checkApart(target, relocations)
    let use = TargetUse(files: host.files)
    if options.isDelta || !relocations.isEmpty, let warning = use.warning { progress.warn(warning) }
    for index in parts.indices {
      try places.check(restoreTarget: parts[index].target, source: source)
      try use.check(parts[index].target)
      try prepare(&parts[index], state, use, &report)
    }
    let recovery = try options.recovery.map { try RecoveryFiles($0, in: state) }
    try recovery?.check(isDelta: options.isDelta)
    parts[parts.count - 1].recovery = recovery
    try noteUnseen(state, &report)
    try reviewImpact(parts, &report)
    let readers = ArchiveReaders(chain, in: repository)
    for part in parts { try restore(part, state, readers, &report) }
    if options.paths.isEmpty { report.advice.lines(in: target).forEach(progress.warn) }
    report.seconds = host.clock.uptime() - begun
    return report
  }

  /// Looks at everything that may speak against it.
  private func prepare(_ part: inout Part, _ state: StateFile, _ use: TargetUse, _ report: inout Report) throws {
    part.existing = try examineTarget(part.target)
    if let existing = part.existing {
      try leaveOut(existing, &part, state, &report)
      part.leftovers = try leftovers(in: existing, part, state)
      if options.isDelta { try use.check(in: existing, part.selection, leavingOut: part.mounts.skipped) }
    }
    let stored = try measure(state, &part, into: &report)
    part.storedBytes = stored
    if !options.isDelta || options.keeps == .everything {
      try checkSpace(stored, at: part.existing?.path ?? part.target, staged: stagedBytes(in: part.existing))
    }
  }

  /// Leaves out what belongs to a file system and not to a snapshot, and what somebody else has mounted.
  private func leaveOut(
    _ existing: OpenFile, _ part: inout Part, _ state: StateFile, _ report: inout Report
  ) throws {
    if options.isDelta {
      part.mounts = try TargetMounts(
        below: existing, of: part.selection, in: state, crossesAll: options.crossesMounts, files: host.files)
    }
    for path in part.mounts.leftAlone where part.selection.isSelected(path) {
      let place = existing.path.appending(path.bytes)
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

  /// What waits of the target since a restore that did not end, and goes now.
  /// - Throws: `EngineError` where something would go that should not.
  private func leftovers(in target: OpenFile, _ part: Part, _ state: StateFile) throws -> [Path: FileStatus] {
    try UnfinishedRestore(in: target, mounts: part.mounts.restored, files: host.files)?
      .leftovers(of: options, part.selection, of: state, in: part.target) ?? [:]
  }

  private func reviewImpact(_ parts: [Part], _ report: inout Report) throws {
    let impact = Impact(snapshot: snapshot, location: repository.location, parts: parts.compactMap(\.figures))
    for figures in impact.parts {
      report.removedEntries += figures.removed
      report.removedBytes &+= figures.removedBytes
    }
    guard options.isDryRun else { return try review(impact) }
    do { try impact.check() } catch let error as EngineError { report.refusal = error.message }
  }

  private func restore(
    _ part: Part, _ state: StateFile, _ readers: ArchiveReaders, _ report: inout Report
  ) throws {
    progress.begin(phase: options.isDryRun ? "examining" : "restoring", totalBytes: part.storedBytes)
    report.removed += part.leftovers.keys.sorted()
    guard options.isDryRun else {
      return try execute(part, state, readers, &report)
    }
    let plan = try RestorePlan(
      state: state, selection: part.selection, existing: options.isDelta ? part.existing : nil,
      keeps: options.keeps, mounts: part.mounts, staging: nil, setsOwner: options.setsOwner, host: host,
      progress: progress)
    try plan.run(readers: readers, isDryRun: true)
    plan.fill(&report)
  }

  // MARK: Target

  /// The target as it is; `nil` when it does not exist.
  private func examineTarget(_ path: Path) throws -> OpenFile? {
    guard let status = try host.files.statusIfPresent(of: path) else { return nil }
    guard status.kind == .directory else {
      throw EngineError(
        "the target \(path) is not a directory", hint: "Name a --target that is one, or does not exist.")
    }
    let target = try host.files.open(path, .directory)
    let foreign = try foreignCount(in: target)
    guard foreign == 0 || options.isDelta else {
      throw EngineError(
        "the target \(path) is not empty (\(Amount.count(UInt64(foreign), "entry", "entries")))",
        hint:
          "Name an empty --target, or say --delta to restore over what is there: it removes what the snapshot does not have."
      )
    }
    return target
  }

  /// How many names of a target are neither a restore's own nor its file system's.
  private func foreignCount(in target: OpenFile) throws -> Int {
    let listing = try target.listing()
    let ownCount = (0..<listing.count).count { listing[$0].elementsEqual(StagingArea.name.bytes) }
    return try listing.count - ownCount - (LostAndFound.lies(in: target, listing, files: host.files) ? 1 : 0)
  }

  /// What an interrupted restore has stored in the target already.
  private func stagedBytes(in target: OpenFile?) throws -> UInt64 {
    guard let target, let left = try? host.files.open(StagingArea.name, in: target, .directory) else { return 0 }
    let scanner = Scanner(files: host.files, root: left, exclusions: [])
    var bytes: UInt64 = 0
    while let finding = try scanner.next() {
      if case .item(let item) = finding { bytes &+= item.status.allocated }
    }
    return bytes
  }

  private func checkSpace(_ needed: UInt64, at path: Path, staged: UInt64) throws {
    var place = path
    while try host.files.statusIfPresent(of: place) == nil, let parent = place.parent {
      place = parent.isEmpty ? Path("/") : parent
    }
    // Where nothing is told, the restore itself finds out.
    guard let available = try host.files.open(place, .directoryFollowingLinks).availableBytes() else { return }
    guard needed <= available || needed - available <= staged else {
      throw EngineError(
        "the file system of \(path) is too small: the restore needs \(Amount.bytes(needed)), and \(Amount.bytes(available)) are free",
        hint: "Free space there, name another --target, or restore a part with --path.")
    }
  }

  /// Counts what is selected, and what would become of what is there.
  /// - Returns: bytes of pages that are not zero: what has to be stored.
  private func measure(_ state: StateFile, _ part: inout Part, into report: inout Report) throws -> UInt64 {
    let selection = part.selection
    var leftovers = (options.isDelta ? part.existing : nil).map {
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
      if options.keeps != .nothing, let existing = part.existing {
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
      var runs = selection.runs(of: wanted, from: reader)
      while let run = try runs.next() {
        if run.location != nil {
          needed += Pages.bytes(first: run.first, count: run.count, size: file.size, pageSize: file.pageSize)
        }
      }
    }
    try leftovers?.finish()
    part.figures = leftovers?.figures
    for status in part.leftovers.values { part.figures?.remove(status) }
    if let existing = part.existing {
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

  // MARK: Execution

  private func execute(
    _ part: Part, _ state: StateFile, _ readers: ArchiveReaders, _ report: inout Report
  ) throws {
    let selection = part.selection
    var made = MadeDirectories(files: host.files)
    let target: OpenFile
    let staging: StagingArea
    do {
      target = try part.existing ?? made.makeTarget(part.target)
      staging = try StagingArea(
        in: target, mounts: part.mounts.restored, files: host.files, setsOwner: options.setsOwner,
        isDelta: options.isDelta)
    } catch {
      made.takeBack()
      throw error
    }
    do {
      // Again: nobody else can add to it any more.
      _ = try leftovers(in: target, part, state)
      try staging.write(RestoreRecord(options, of: snapshot.id))
    } catch {
      if (try? staging.isUnused()) ?? false {
        try? staging.remove()
        made.takeBack()
      }
      throw error
    }
    let plan = try RestorePlan(
      state: state, selection: selection, existing: options.isDelta ? target : nil, keeps: options.keeps,
      mounts: part.mounts, staging: staging, setsOwner: options.setsOwner, host: host, progress: progress)
    var isPublishing = false
    do {
      try plan.run(readers: readers, isDryRun: false)
      try part.recovery?.stage(in: staging, over: options.isDelta ? target : nil, files: host.files)
      progress.begin(phase: "making durable", totalBytes: nil)
      try staging.synchronize()
      plan.fill(&report)
      isPublishing = true
      try publish(part, state, plan, staging, in: target, isNew: made.isAny)
    } catch {
      plan.stop()
      giveUp(
        staging, in: target, total: report.bytes, isBegun: isPublishing || plan.hasRemoved, made: made, error)
      throw error
    }
    report.problems += staging.attributes.problems
  }

  private func publish(
    _ part: Part, _ state: StateFile, _ plan: RestorePlan, _ staging: StagingArea, in target: OpenFile,
    isNew: Bool
  ) throws {
    let selection = part.selection
    for (gone, key) in zip(plan.removed, plan.removedKeys) {
      try TreeRemoval.remove(gone, in: target, knownAs: key, files: host.files)
    }
    if options.isDelta { try part.recovery?.publish(staging) }
    let publisher = Publisher(
      state: state, selection: selection, root: options.isDelta ? target : staging.directory, staging: staging,
      isDelta: options.isDelta, keepsAll: options.keeps == .everything, directories: plan.directories, host: host)
    try publisher.run()
    if options.isDelta {
      try staging.remove()
    } else {
      try staging.publishAll()
      try publisher.finishTopDirectories(in: target)
    }
    if isNew || (selection.isEverything && options.keeps != .everything), let root = try selection.root() {
      staging.attributes.apply(root, to: target)
    }
    try staging.synchronize()
  }

  /// What is staged stays where the same command can go on from it; nothing stays of what was refused before anything was done.
  /// - Parameters:
  ///   - total: bytes of what is restored.
  ///   - isBegun: whether something of the target was changed under its name.
  private func giveUp(
    _ staging: StagingArea, in target: OpenFile, total: UInt64, isBegun: Bool, made: MadeDirectories,
    _ error: any Error
  ) {
    let isUnused = (try? staging.isUnused()) ?? false
    let isOfMachine = error is Interrupted || error is SystemError
    let isPublished = options.isDelta ? isBegun : ((try? foreignCount(in: target)) ?? 1) > 0
    guard isPublished || (!isUnused && (options.isDelta || isOfMachine)) else {
      try? staging.remove()
      return made.takeBack()
    }
    let place = target.path.appending(StagingArea.name.bytes)
    let share = "\(Amount.bytes(min(staging.provedBytes, total))) of \(Amount.bytes(total))"
    if options.isDelta {
      progress.warn(
        "\(target.path) is unfinished: \(share) are there; run the same command again to end it, and leave \(place) as it is: files of the target wait in it"
      )
    } else if isPublished {
      progress.warn(
        "\(target.path) is unfinished, the rest is in \(StagingArea.name) in it; run the same command again with --delta"
      )
    } else {
      progress.warn(
        "\(target.path) is unfinished: \(share) are there; run the same command again to go on, or remove \(place) to begin anew"
      )
    }
  }
}
