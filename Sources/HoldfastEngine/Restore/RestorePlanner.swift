internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// Makes the plan of a restore: opens the target, replays the state, and checks everything that could make the restore
/// fail.
struct RestorePlanner {
  private let repository: Repository
  private let snapshot: Snapshot
  private let known: [Snapshot]
  private let options: Restore.Options
  private let progress: any ProgressObserver
  private let host: Host
  private let pathConflicts: PathConflicts
  private var totals = RestoreTotals()
  /// The archives that contain pages of the restored files.
  private var archives: Set<UInt64> = []

  /// - Parameter known: snapshots that were read already.
  init(
    _ repository: Repository, _ snapshot: Snapshot, known: [Snapshot], _ options: Restore.Options,
    progress: any ProgressObserver
  ) {
    (self.repository, self.snapshot, self.known, self.options) = (repository, snapshot, known, options)
    (self.progress, host) = (progress, repository.host)
    pathConflicts = PathConflicts(files: host.files, repositoryDirectory: repository.store.directory)
  }

  mutating func plan() throws -> RestorePlan {
    let source = try repository.containers.sourceOrigin(of: snapshot)?.directory
    let target = try examine(pathConflicts.resolve(options.target), source, options.openTarget)
    try options.recovery?.plan?.checkTablespaces(files: host.files)
    let chain = try repository.catalog.chain(to: snapshot, known: known)
    try repository.containers.checkPresence(of: chain, .anywhere)
    let readers = ArchiveReaders(chain, in: repository.containers)
    // Most pages of a restore are in the archives of the full.
    if options.paths.isEmpty, !options.isDelta { readers.openAhead() }
    let state = try repository.containers.replay(chain)
    var parts = try parts(of: state, into: target, source)
    let choice = try options.databases.isEmpty ? nil : DatabaseChoice(options.databases, state, readers, host)
    try choice?.check(options.recovery)
    for index in parts.indices { parts[index].selection.zeroed = choice?.zeroed ?? [] }
    let use = TargetUse(files: host.files)
    if options.isDelta || parts.count > 1, let warning = use.warning { progress.warn(warning) }
    for index in parts.indices {
      try use.check(parts[index].target)
      try prepare(&parts[index], state, use)
    }
    try repository.containers.checkReadable(chain.archiveKeys(of: archives))
    let recovery = try options.recovery.map { try RecoveryFiles($0, in: state) }
    try recovery?.check(isDelta: options.isDelta)
    parts[parts.count - 1].recovery = recovery
    try noteUnseen(state)
    return RestorePlan(
      snapshot: snapshot, target: target.path, options: options, readers: readers, state: state, parts: parts,
      totals: totals, zeroedDatabases: choice?.databases ?? [],
      impact: Restore.Impact(
        snapshot: snapshot, location: repository.location, parts: parts.compactMap(\.figures)))
  }

  /// Returns the parts: first the tablespaces that are restored elsewhere, then the cluster, so that no server can
  /// start on an incomplete cluster.
  private func parts(of state: StateFile, into target: RestoreTarget, _ source: Path?) throws -> [RestorePart] {
    let relocations = try Relocation.ofTablespaces(
      options.tablespaces, root: options.tablespaceRoot, in: state, places: pathConflicts)
    try Relocation.checkApart(target.path, relocations)
    let tablespaces = try relocations.map {
      RestorePart(selection: Selection(below: $0.directory, of: state), target: try examine($0.place, source))
    }
    return tablespaces + [
      RestorePart(selection: try Selection(paths: options.paths, of: state, relocations: relocations), target: target)
    ]
  }

  /// - Parameters:
  ///   - path: absolute, without symbolic links.
  ///   - open: the directory itself, if it is open already.
  private func examine(_ path: Path, _ source: Path?, _ open: OpenFile? = nil) throws -> RestoreTarget {
    try pathConflicts.check(restoreTarget: path, source: source)
    let target = try open.map { RestoreTarget($0, at: path) } ?? RestoreTarget(path, files: host.files)
    if !options.isDelta { try target.checkEmpty(files: host.files) }
    return target
  }

  private mutating func prepare(_ part: inout RestorePart, _ state: StateFile, _ use: TargetUse) throws {
    if let existing = part.target.existing {
      try leaveOut(existing, &part, state)
      part.leftovers = try UnfinishedRestore.leftovers(
        in: existing, part.mounts.restored, options, part.selection, of: state, files: host.files)
      if options.isDelta {
        try use.check(in: existing, part.selection, of: state, options.keeps, leavingOut: part.mounts.skipped)
      }
    }
    try measure(&part, state)
    if !options.isDelta || options.keeps == .everything {
      try part.target.checkSpace(part.storedBytes, files: host.files)
    }
  }

  /// Leaves out mounts, and the target's `lost+found`, which belongs to its file system.
  private mutating func leaveOut(_ existing: OpenFile, _ part: inout RestorePart, _ state: StateFile) throws {
    if options.isDelta {
      part.mounts = try TargetMounts(
        below: existing, of: part.selection, in: state, crossesAll: options.crossesMounts, files: host.files)
    }
    for path in part.mounts.leftAlone where part.selection.isSelected(path) {
      let fullPath = existing.fullPath.appending(path.bytes)
      totals.leftAlone.append(fullPath)
      progress.warn(
        part.mounts.unseen.contains(path)
          ? "\(fullPath) is mounted there and cannot be examined: it is left as it is"
          : "\(fullPath) is mounted there and not in the snapshot: it is left as it is (--across-mounts removes what is in it)"
      )
    }
    for root in [Path.root] + part.mounts.restored {
      let directory = root.isEmpty ? existing : try host.files.openBeneath(root, in: existing, .directory)
      guard try LostAndFound.lies(in: directory, directory.listing(), files: host.files) else { continue }
      part.selection.leaveOut([root.appending(LostAndFound.name.bytes)])
    }
    part.selection.leaveOut(part.mounts.leftAlone)
  }

  /// Counts the bytes to restore, and the effect on existing content.
  private mutating func measure(_ part: inout RestorePart, _ state: StateFile) throws {
    let existing = part.target.existing
    var walk = RestoreWalk(
      state, part, over: options.isDelta ? existing : nil, keeps: options.keeps, host: host)
    while let step = try walk.next() {
      guard !StagingArea.name.contains(step.entry.path) else {
        throw EngineError(
          .usage, "the snapshot has an entry \(StagingArea.name), and a restore needs this name for itself",
          hint: "Restore the rest with --path.")
      }
      totals.add(step.entry)
      if options.keeps != .nothing, let existing {
        try KeptDatabases.check(
          step.entry, isPresent: step.present != nil, options.keeps, in: existing, files: host.files)
      }
      if step.action == .content, let file = step.entry.file {
        part.storedBytes += try storedBytes(walk.extents(of: step), of: file)
      }
    }
    part.figures = walk.figures
    for status in part.leftovers.values { part.figures?.remove(status) }
    if let existing {
      part.figures?.isUnfinished = try host.files.statusIfPresent(of: StagingArea.name, in: existing) != nil
    }
  }

  /// Returns the number of bytes of nonzero pages, and notes their archives.
  private mutating func storedBytes(_ extents: any PageMapReader, of file: FileContent) throws -> UInt64 {
    var extents = extents
    var bytes: UInt64 = 0
    while let extent = try extents.next() {
      guard let location = extent.location else { continue }
      archives.insert(location.archive)
      bytes += Pages.bytes(first: extent.first, count: extent.count, size: file.size, pageSize: file.pageSize)
    }
    return bytes
  }

  /// Reports that directories could not be read when the snapshot was taken. The snapshot only counts them: its state
  /// has no entry for what they may contain.
  private mutating func noteUnseen(_ state: StateFile) throws {
    guard snapshot.envelope.incomplete > 0 else { return }
    var unseen = snapshot.envelope.incomplete
    var hasDirectory = options.paths.isEmpty
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      if let file = entry.file, !file.consistency.isComplete, unseen > 0 { unseen -= 1 }
      if entry.content == .directory, options.paths.contains(where: { $0.contains(entry.path) }) { hasDirectory = true }
    }
    // If only files were selected, they are complete in the snapshot.
    guard unseen > 0, hasDirectory else { return }
    totals.problems.append(
      Problem(
        path: .root,
        reason: "\(Amount.count(unseen, "path")) could not be read when the snapshot was taken: "
          + "what lies there is from an earlier snapshot, or is missing"))
    guard !options.isDelta || options.keeps != .nothing else {
      throw EngineError(
        .usage,
        "the snapshot did not see all of its source, so what is missing in it may not be removed from the target",
        hint: "Restore into an empty --target, or take an earlier snapshot.", exitStatus: .incomplete)
    }
  }
}
