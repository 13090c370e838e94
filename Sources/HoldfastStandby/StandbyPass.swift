internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// One pass of a standby: a plan, and its execution. A copy that does not serve becomes the newest snapshot, is proved,
/// gets its record, and then `current` leads to it.
///
/// The order makes a crash harmless: the record of a copy goes before its first byte does, and comes back after its
/// last one is durable. So a copy with a record is whole, and `current` leads only to a copy with a record.
struct StandbyPass {
  let repository: Repository
  let source: SourceName
  /// `nil` if there is none yet, which only a look accepts.
  let directory: StandbyDirectory?
  let directoryPath: Path
  /// True if owners are restored.
  let isRoot: Bool
  /// True if copies that somebody has changed are written over.
  var discardsChanges: Bool
  /// True for the pass of a failover, which may find the promotion that an earlier call has noted.
  var isPromoting = false
  let progress: any ProgressObserver

  struct Plan {
    let step: StandbyReport.Step
    let newest: Snapshot
    let serving: (copy: CopyName, record: CopyRecord)?
    let lag: StandbyLag
    let concerns: [StandbyConcern]
    /// The damage that was met while the newest snapshot was looked up.
    let damage: [DamageError]
  }

  private var host: Host { repository.host }

  // MARK: The plan

  func plan() throws -> Plan {
    try directory?.checkIsInPlace()
    try checkSource()
    try directory?.claim(StandbyIdentity(repository: repository.id, source: source))
    try checkStandsBy()
    let changed = try changedCopies()
    func record(_ copy: CopyName) throws -> CopyRecord? {
      discardsChanges && changed.contains(copy) ? nil : try directory?.record(of: copy)
    }
    let copy = try directory?.serving()
    let serving = try copy.flatMap { copy in try record(copy).map { (copy, $0) } }
    let choice = try StandbyChoice(of: source, in: repository, after: serving?.1, progress)
    let newest = try choice.newest()
    let spare = (copy ?? .b).other
    let lag = lag(of: choice.complete, behind: serving?.1)
    var concerns = choice.suspicious.map { [StandbyConcern.suspicious($0)] } ?? []
    func plan(_ step: StandbyReport.Step) -> Plan {
      Plan(step: step, newest: newest, serving: serving, lag: lag, concerns: concerns, damage: choice.damage)
    }
    if let directory, !discardsChanges {
      concerns += changed.map { .changed(directory.path(of: $0), isServing: $0 == copy) }
    }
    // A crash came between the record of the copy and the link, or the copy that served is gone.
    if let whole = try record(spare), whole.standsFor > serving?.1.standsFor ?? 0 { return plan(.serve(spare)) }
    // Nor ever an older one: another target that is read while home is away may be behind.
    guard CopyRecord.isNewer(newest, than: serving?.1) else {
      if let directory, let serving {
        concerns += choice.concern(about: serving.1, directory.path(of: serving.0)).map { [$0] } ?? []
      }
      return plan(.nothing)
    }
    try checkPlace(of: newest)
    try checkRoom(for: newest, in: spare)
    return plan(.make(spare))
  }

  /// Refuses to write over what this host serves from. A failover that has ended before it announced this host leaves
  /// a note as well: where the repository says that another host serves, that note is dropped.
  private func checkStandsBy() throws {
    guard !isPromoting, let directory, let promotion = try directory.promotion() else { return }
    if promotion.stage == .announcing {
      let standing = try ServingStanding(of: source, in: repository)
      guard repository.isHome, standing.reading != .unclear, let name = repository.hostName(source),
        standing.role?.serving != name
      else {
        throw EngineError(
          .usage, "a failover was about to let this host serve \(source) from \(directoryPath), and may go on",
          hint: "Run `holdfast failover \(source)` here: it says how things stand, and goes on.", exitStatus: .usage)
      }
      // Nobody has begun to serve from the copy, and a failover would hold the lock of the directory.
      if directory.isLocked { try directory.note(nil) }
      return
    }
    throw EngineError(
      .usage, "this host was promoted to serve \(source) from \(directoryPath), and does not follow any more",
      hint:
        "Stop the standby. When another host serves, run `holdfast failback \(source)` here: it keeps what is here, and stands by again.",
      exitStatus: .usage)
  }

  private func checkSource() throws {
    do {
      _ = try repository.catalog.knownSources(source)
    } catch let error as EngineError where error.scope == .usage {
      throw EngineError(.usage, error.message, hint: error.hint, exitStatus: .usage)
    }
    guard let removal = try repository.catalog.removal(of: source) else { return }
    throw EngineError(
      .usage, "the source \(source) was removed from \(repository.location) on \(removal.time): its copy stays",
      hint: removal.isCollected
        ? "Stop the standby. The copy may be the last one there is."
        : "Stop the standby, or bring the source back with `holdfast source undelete \(source)`.")
  }

  private func lag(of complete: [Snapshot], behind record: CopyRecord?) -> StandbyLag {
    let newer = complete.filter { CopyRecord.isNewer($0, than: record) && $0.envelope.merged == nil }
    let bytes = newer.reduce(UInt64(0)) { $0.saturatingAdding($1.envelope.storedBytes) }
    let oldest = newer.min(by: Snapshot.isOlder).map { max(.zero, host.clock.now() - $0.envelope.started) }
    return StandbyLag(snapshots: UInt64(newer.count), bytes: bytes, seconds: oldest ?? .zero)
  }

  /// Refuses a directory in the source itself: that is so where the standby was started on the wrong host.
  private func checkPlace(of snapshot: Snapshot) throws {
    guard let origin = try repository.containers.sourceOrigin(of: snapshot)?.directory else { return }
    try StandbyPlace(path: directoryPath, files: host.files).check([(origin, "the source \(source)")])
  }

  /// Refuses a file system that has no room for the copies that do not exist yet, or for the growth of the one that is
  /// made: a disk that becomes full costs that copy.
  private func checkRoom(for snapshot: Snapshot, in spare: CopyName) throws {
    guard let directory, let free = try directory.availableBytes() else { return }
    let bytes = snapshot.envelope.state.bytes
    // Names and attributes need some room beside the contents.
    let one = bytes.saturatingAdding(bytes / 16).saturatingAdding(1 << 20)
    let missing = try CopyName.allCases.count { try directory.open($0) == nil }
    let (needed, words): (UInt64, String)
    switch missing {
    case 0:
      // What is in a copy that is not whole is not known, and nothing is lost with it.
      guard let known = try directory.record(of: spare) else { return }
      (needed, words) = (bytes - min(bytes, known.bytes), "the growth of a copy")
    case 1: (needed, words) = (one, "the second copy")
    default: (needed, words) = (one.saturatingAdding(one), "two copies")
    }
    guard free < needed else { return }
    throw EngineError(
      .machine,
      "there is too little room for \(words) of \(source) in \(directory.path): \(Amount.bytes(needed)) are needed, and \(Amount.bytes(free)) are free",
      hint: "Free space there, or name another directory with --in.")
  }

  // MARK: The execution

  /// - Returns: the bytes that were written to the copy.
  func perform(_ plan: Plan) throws -> UInt64 {
    guard let directory, let copy = plan.step.copy else { return 0 }
    let changed = try checkUntouched()
    var written: UInt64 = 0
    if case .make = plan.step {
      try directory.unmark(copy)
      let made = try make(copy, plan.newest, in: directory)
      // If this fails, the copy stays, and the next pass only proves it again.
      try directory.mark(copy, made.record)
      written = made.writtenBytes
      // It may have taken hours.
      _ = try checkUntouched(but: changed)
    }
    try directory.serve(copy)
    // The changes in it may be lost, and the next pass writes over it.
    for other in changed where other != copy { try directory.unmark(other) }
    return written
  }

  private func make(
    _ copy: CopyName, _ snapshot: Snapshot, in directory: StandbyDirectory
  ) throws -> (record: CopyRecord, writtenBytes: UInt64) {
    var options = Restore.Options(target: directory.path(of: copy))
    // By what is open: another directory may come to the path meanwhile, with copies and records of its own.
    let open = try directory.openOrMake(copy)
    (options.openTarget, options.isDelta, options.setsOwner) = (open, true, isRoot)
    let report = try restore(copy, snapshot, options, in: directory)
    for problem in report.problems {
      progress.warn("\(options.target.appending(problem.path.bytes)): \(problem.reason)")
    }
    // Before the proof, so that a change during the proof is seen by the next pass.
    let tree = try CopyTree(host).digest(of: open)
    try prove(snapshot, options, but: Set(report.problems.map(\.path)))
    return (CopyRecord(snapshot, tree: tree), report.writtenBytes)
  }

  private func restore(
    _ copy: CopyName, _ snapshot: Snapshot, _ options: Restore.Options, in directory: StandbyDirectory
  ) throws -> Restore.Report {
    do {
      // All that is in the copy is this standby's own: `checkUntouched` has seen to that.
      return try Restore(repository: repository, snapshot: snapshot, options: options, progress: progress) { _ in }
        .run()
    } catch {
      // Otherwise what was restored until now would fill the disk for good, and no other pass could begin.
      if let error = error as? SystemError, error.isDiskFull { try? directory.discard(copy) }
      directory.discardIfEmpty(copy)
      throw error
    }
  }

  /// Compares the copy with the snapshot once more, page by page and name by name: nothing may be left to do.
  /// - Parameter refused: the paths at which the system has refused an attribute, which was told.
  private func prove(_ snapshot: Snapshot, _ options: Restore.Options, but refused: Set<Path>) throws {
    var options = options
    options.isDryRun = true
    let rest = try Restore(repository: repository, snapshot: snapshot, options: options, progress: progress).run()
    let differing = rest.differing.filter { !refused.contains($0) }
    guard rest.writtenBytes == 0, rest.removedEntries == 0, differing.isEmpty else {
      let first = differing.first.map { ", such as \(options.target.appending($0.bytes))" } ?? ""
      throw EngineError(
        .machine,
        "\(options.target) was changed while it was made: \(Amount.bytes(rest.writtenBytes)) differ, \(Amount.count(rest.removedEntries, "entry is", "entries are")) too many, and \(Amount.count(UInt64(differing.count), "entry is", "entries are")) missing or of another kind, size, mode or owner\(first)",
        hint: "Find out who writes there. Nothing but the standby may.")
    }
  }

  /// Returns the whole copies that somebody has written to. One of them may serve by now, and its changes would be
  /// lost.
  private func changedCopies() throws -> [CopyName] {
    guard let directory else { return [] }
    return try CopyName.allCases.filter { copy in
      guard let record = try directory.record(of: copy), let open = try directory.open(copy) else { return false }
      return try CopyTree(host).digest(of: open) != record.tree
    }
  }

  /// - Parameter discarded: the copies whose changes may be lost, as far as they were there when the pass began; `nil`
  ///   at its beginning.
  /// - Returns: the copies that somebody has changed, if their changes may be lost.
  /// - Throws: if there are any, and their changes may not be lost.
  private func checkUntouched(but discarded: [CopyName]? = nil) throws -> [CopyName] {
    let changed = try changedCopies()
    let kept = discarded.map { known in changed.filter { !known.contains($0) } } ?? (discardsChanges ? [] : changed)
    if let copy = kept.first, let directory { throw changeRefusal(directory.path(of: copy)) }
    return changed
  }

  private func changeRefusal(_ path: Path) -> EngineError {
    EngineError(
      .usage, "somebody has changed \(path) since it was proved: it stays, and so does the link",
      hint: "If it serves now, stop the standby. If the changes may be lost, run it with --once --discard-changes.")
  }
}

extension StandbyReport.Step {
  /// The copy that gets the link.
  var copy: CopyName? {
    switch self {
    case .nothing: nil
    case .serve(let copy), .make(let copy): copy
    }
  }
}
