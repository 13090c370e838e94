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
  let progress: any ProgressObserver

  struct Plan {
    let step: StandbyReport.Step
    let newest: Snapshot
    let serving: (copy: CopyName, record: CopyRecord)?
    let lag: StandbyLag
  }

  private var host: Host { repository.host }

  // MARK: The plan

  func plan() throws -> Plan {
    try checkSource()
    try directory?.claim(StandbyIdentity(repository: repository.id, source: source))
    let all = try repository.catalog.allSnapshots(of: source) { progress.warn($0.message) }
    let complete = all.filter { $0.envelope.incomplete == 0 }
    guard let newest = complete.max(by: Snapshot.isOlder) else {
      throw EngineError(
        .transient, "there is no complete snapshot of \(source) in \(repository.location) yet",
        hint: "Run `holdfast list --name \(source)` to see what there is.")
    }
    if all.contains(where: { Snapshot.isOlder(newest, $0) }) {
      progress.warn(
        "newer snapshots of \(source) could not read all of their source, and are passed over: `holdfast list --name \(source)` shows them"
      )
    }
    let discarded = discardsChanges ? try changedCopies() : []
    func record(_ copy: CopyName) throws -> CopyRecord? {
      discarded.contains(copy) ? nil : try directory?.record(of: copy)
    }
    let copy = try directory?.serving()
    let serving = try copy.flatMap { copy in try record(copy).map { (copy, $0) } }
    let spare = (copy ?? .b).other
    let lag = lag(of: complete, behind: serving?.1)
    // A crash came between the record of the copy and the link.
    if let whole = try record(spare), whole.standsFor > serving?.1.standsFor ?? 0 {
      return Plan(step: .serve(spare), newest: newest, serving: serving, lag: lag)
    }
    // Nor ever an older one: another target that is read while home is away may be behind.
    guard CopyRecord.isNewer(newest, than: serving?.1) else {
      return Plan(step: .nothing, newest: newest, serving: serving, lag: lag)
    }
    try checkPlace(of: newest)
    try checkRoom(for: newest)
    return Plan(step: .make(spare), newest: newest, serving: serving, lag: lag)
  }

  private func checkSource() throws {
    do {
      _ = try repository.catalog.knownSources(source)
    } catch let error as EngineError where error.scope == .usage {
      throw EngineError(.usage, error.message, hint: error.hint, exitStatus: .usage)
    }
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

  /// Refuses a file system that has no room for the copies that do not exist yet.
  private func checkRoom(for snapshot: Snapshot) throws {
    guard let directory else { return }
    let missing = try CopyName.allCases.filter { try directory.open($0) == nil }
    guard !missing.isEmpty, let free = try directory.availableBytes() else { return }
    let bytes = snapshot.envelope.state.bytes
    // Names and attributes need some room beside the contents.
    let one = bytes.saturatingAdding(bytes / 16).saturatingAdding(1 << 20)
    let needed = missing.count == 1 ? one : one.saturatingAdding(one)
    guard free < needed else { return }
    let words = missing.count == 1 ? "the second copy" : "two copies"
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
      do {
        written = try make(copy, plan.newest, in: directory)
      } catch let error as SystemError where error.isDiskFull {
        // Otherwise what was restored until now would fill the disk for good, and no other pass could begin.
        try? directory.discard(copy)
        throw error
      }
      // It may have taken hours.
      _ = try checkUntouched()
    }
    try directory.serve(copy)
    // The changes in it may be lost, and the next pass writes over it.
    for other in changed where other != copy { try directory.unmark(other) }
    return written
  }

  private func make(_ copy: CopyName, _ snapshot: Snapshot, in directory: StandbyDirectory) throws -> UInt64 {
    let target = directory.path(of: copy)
    var options = Restore.Options(target: target)
    (options.isDelta, options.setsOwner) = (true, isRoot)
    // All that is in the copy is this standby's own: `checkUntouched` has seen to that.
    let report = try Restore(
      repository: repository, snapshot: snapshot, options: options, progress: progress
    ) { _ in }.run()
    for problem in report.problems { progress.warn("\(target.appending(problem.path.bytes)): \(problem.reason)") }
    guard let made = try directory.open(copy) else { throw changeRefusal(target) }
    // Before the proof, so that a change during the proof is seen by the next pass.
    let tree = try CopyTree(host).digest(of: made)
    try prove(snapshot, options)
    try directory.mark(copy, CopyRecord(snapshot, tree: tree))
    return report.writtenBytes
  }

  /// Compares the copy with the snapshot once more, page by page: nothing may be left to write or to remove.
  private func prove(_ snapshot: Snapshot, _ options: Restore.Options) throws {
    var options = options
    options.isDryRun = true
    let rest = try Restore(repository: repository, snapshot: snapshot, options: options, progress: progress).run()
    guard rest.writtenBytes == 0, rest.removedEntries == 0 else {
      throw EngineError(
        .machine,
        "\(options.target) was changed while it was made: \(Amount.bytes(rest.writtenBytes)) differ, and \(Amount.count(rest.removedEntries, "entry", "entries")) are too many",
        hint: "Find out who writes there. Nothing but the standby may.")
    }
  }

  /// Returns the whole copies that somebody has written to, or removed. One of them may serve by now, and its changes
  /// would be lost.
  private func changedCopies() throws -> [CopyName] {
    guard let directory else { return [] }
    return try CopyName.allCases.filter { copy in
      guard let record = try directory.record(of: copy) else { return false }
      return try directory.open(copy).map { try CopyTree(host).digest(of: $0) } != record.tree
    }
  }

  /// - Returns: the copies that somebody has changed, if their changes may be lost.
  /// - Throws: if there are any, and their changes may not be lost.
  private func checkUntouched() throws -> [CopyName] {
    let changed = try changedCopies()
    if let copy = changed.first, !discardsChanges, let directory { throw changeRefusal(directory.path(of: copy)) }
    return changed
  }

  private func changeRefusal(_ path: Path) -> EngineError {
    EngineError(
      .usage, "somebody has changed \(path) since it was proved: it stays, and so does the link",
      hint: "If it serves now, stop the standby. If the changes may be lost, say --discard-changes once.")
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
