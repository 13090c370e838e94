package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem

/// Finds the snapshot from which recovery can reach a target, and proves that it can, before anything is written.
package struct RecoveryPlanner {
  /// A snapshot of a cluster.
  private struct Candidate {
    let snapshot: Snapshot
    let cluster: Envelope.Postgres
    let system: SystemIdentifier
  }

  private enum Finding {
    /// The target is met in this file of the path.
    case met(file: Int)
    /// Recovery would have to stop before the snapshot is consistent.
    case beforeSnapshot
    case notMet
  }

  private let repository: Repository
  private let target: RecoveryTarget
  /// True if what lies exactly at the target is not replayed.
  private let isExclusive: Bool
  /// The timeline to end on; `nil` for the newest.
  private let timeline: RecoveryTimeline?

  package init(
    _ repository: Repository, target: RecoveryTarget, isExclusive: Bool = false, timeline: RecoveryTimeline?
  ) {
    self.repository = repository
    self.target = target
    self.isExclusive = isExclusive
    self.timeline = timeline
  }

  /// - Parameters:
  ///   - named: the snapshot to begin with; `nil` for the newest that ended before the target.
  ///   - onDamage: gets the envelopes that cannot be read.
  package func plan(
    from named: Snapshot?, of source: SourceName?, onDamage: (DamageError) -> Void
  ) throws -> RecoveryPlan {
    let candidates = try candidates(named, source, onDamage: onDamage)
    guard let newest = candidates.last else {
      let what = named.map { "snapshot \($0.id.short) does not hold" } ?? "no snapshot holds"
      throw EngineError(
        .usage, "\(what) a PostgreSQL cluster that was captured while its server ran",
        hint: "Take one with `holdfast backup SOURCE --postgres CONNINFO`; its log can be replayed from then on.")
    }
    var failure: (any OperatorError)?
    var systems: [SystemIdentifier] = []
    for candidate in candidates.reversed() where !systems.contains(candidate.system) {
      systems.append(candidate.system)
    }
    // Positions in different clusters cannot be compared, and the end of the log is that of the newest cluster.
    for system in target.isOfAnyCluster ? systems[...] : systems.prefix(1) {
      do {
        if let plan = try plan(candidates.filter { $0.system == system }, isNamed: named != nil) { return plan }
      } catch let error as any OperatorError where mayLieBefore(error, named) {
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
    throw try noneBefore(newest, isNamed: named != nil)
  }

  /// Returns true if an older snapshot may reach a target that this one does not: the time of a restore point, and of a
  /// transaction, is not known.
  private func mayLieBefore(_ error: any OperatorError, _ named: Snapshot?) -> Bool {
    guard named == nil else { return false }
    switch target {
    case .restorePoint, .transaction: return error.scope == .usage || error.scope == .repository
    case .time, .lsn, .end: return false
    }
  }

  private func isMet(by event: WALEvent) -> Bool { target.isMet(by: event, isExclusive: isExclusive) }

  /// - Parameter candidates: snapshots of one cluster, the oldest first.
  /// - Returns: the plan; `nil` if none of the snapshots ended before the target.
  private func plan(_ candidates: [Candidate], isNamed: Bool) throws -> RecoveryPlan? {
    guard let newest = candidates.last, !candidates.allSatisfy(isLater) else { return nil }
    let inventory = try WALInventory(WALArchive(repository, of: newest.snapshot.sourceName), newest.system)
    guard let size = inventory.size, let end = try history(inventory, for: newest, isNamed: isNamed) else {
      throw EngineError(
        .usage, "no write-ahead log of cluster \(newest.system) is archived for \(inventory.archive.source)",
        hint: "Without --to-…, the snapshot is restored as it was captured.")
    }
    var failure: (any OperatorError)?
    for candidate in candidates.reversed() where end.contains(candidate.cluster.timeline, upTo: candidate.cluster.stop)
    {
      do {
        let path = RecoveryPath(inventory, end, size, from: candidate.cluster.start)
        switch try search(path, candidate) {
        case .beforeSnapshot: continue
        case .notMet: throw try unreachable(path, candidate)
        case .met(let file): return try plan(candidate, path, upTo: file)
        }
      } catch let error as any OperatorError where mayLieBefore(error, isNamed ? newest.snapshot : nil) {
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
    return nil
  }

  private func isLater(_ candidate: Candidate) -> Bool {
    guard case .time(let time) = target else { return false }
    return time < candidate.snapshot.envelope.time.finished.moment
  }

  private func noneBefore(_ newest: Candidate, isNamed: Bool) throws -> EngineError {
    let inventory = try WALInventory(WALArchive(repository, of: newest.snapshot.sourceName), newest.system)
    let timeline = try history(inventory, for: newest, isNamed: isNamed)?.timeline ?? newest.cluster.timeline
    return EngineError(
      .usage,
      isNamed
        ? "snapshot \(newest.snapshot.id.short) did not end before \(target.text) on the way to timeline \(timeline)"
        : "no snapshot of \(newest.snapshot.sourceName) on the way to timeline \(timeline) ended before \(target.text)",
      hint: "Run `holdfast list` to see which snapshots there are, or name another --timeline.")
  }

  private func candidates(
    _ named: Snapshot?, _ source: SourceName?, onDamage: (DamageError) -> Void
  ) throws -> [Candidate] {
    let all =
      try named.map { [$0] }
      ?? repository.catalog.allSnapshots(of: source, onDamage: onDamage).sorted(by: Snapshot.isOlder)
    let found = all.compactMap { snapshot -> Candidate? in
      guard let cluster = snapshot.envelope.postgres, let system = SystemIdentifier(cluster.system) else { return nil }
      return Candidate(snapshot: snapshot, cluster: cluster, system: system)
    }
    let sources = Set(found.map(\.snapshot.sourceName)).sorted()
    guard sources.count <= 1 else {
      throw EngineError(
        .usage, "the repository holds clusters of several sources: " + sources.map(\.text).joined(separator: ", "),
        hint: "Say which one with --name NAME.", exitStatus: .usage)
    }
    return found
  }

  /// - Returns: the history to recover along; `nil` if no segment is archived.
  private func history(
    _ inventory: WALInventory, for candidate: Candidate, isNamed: Bool
  ) throws -> TimelineHistory? {
    let histories = try inventory.histories()
    let cluster = candidate.cluster
    if let timeline {
      let number =
        switch timeline {
        case .ofSnapshot: cluster.timeline
        case .number(let number): number
        }
      if let wanted = histories.last(where: { $0.timeline == number }) { return wanted }
      throw EngineError(
        .usage, "timeline \(number) is not archived for \(inventory.archive.source)",
        hint: "Run `holdfast wal status` to see which there are.")
    }
    if isNamed {
      return try inventory.newestHistory(from: cluster.timeline, upTo: cluster.stop)
    }
    return histories.last
  }

  private func plan(_ candidate: Candidate, _ path: RecoveryPath, upTo file: Int) throws -> RecoveryPlan {
    // The files were found by name only. Recovery must not fail in the middle because of a damaged manifest.
    let objects = try path.files[...file].map { file in
      try repository.host.cancellation.check()
      let manifest = try path.inventory.archived(file).manifest
      return RecordedObject(key: manifest.objectKey, length: manifest.object.length)
    }
    try repository.containers.checkPresence(of: objects, .anywhere)
    let demands = try replayed(path, candidate, upTo: file)
    guard !demands.parameters.contains(where: \.isMinimal) else { throw try unreachable(path, candidate) }
    var minima: [String: Int32] = [:]
    for parameters in demands.parameters { minima.merge(parameters.minima) { max($0, $1) } }
    let timeline = path.history.timeline
    let hasHistory =
      timeline == 1 || path.inventory.files.contains { $0.kind == .timelineHistory && $0.timeline == timeline }
    return RecoveryPlan(
      snapshot: candidate.snapshot, target: target, isExclusive: isExclusive, system: candidate.system,
      timeline: timeline,
      hasHistory: hasHistory, first: path.files[0], last: path.files[file], count: UInt64(file + 1),
      tablespaces: demands.tablespaces,
      minima: minima)
  }

  /// Returns the requirements of the part of the log that is replayed up to the target.
  private func replayed(_ path: RecoveryPath, _ candidate: Candidate, upTo file: Int) throws -> WALDemands {
    var demands = try path.demands(from: candidate.cluster.start, upTo: file)
    let isReplayed: (_ lsn: LogSequenceNumber, _ previous: LogSequenceNumber) -> Bool
    switch target {
    case .end: return demands
    // The first record that begins there or later is replayed too.
    case .lsn(let lsn): isReplayed = isExclusive ? { found, _ in found < lsn } : { $1 < lsn }
    case .time, .transaction, .restorePoint:
      let near = path.files[max(0, file - 1)].number(path.size).map { path.size.start(of: $0) }
      guard (demands.tablespaces.map(\.lsn) + demands.parameters.map(\.lsn)).contains(where: { $0 >= near ?? $0 })
      else { return demands }
      let stop = try path.firstEvent(in: max(0, file - 1)..<file + 1, where: isMet)?.lsn
      isReplayed = { lsn, _ in stop.map { lsn < $0 } ?? true }
    }
    demands.tablespaces.removeAll { !isReplayed($0.lsn, $0.previous) }
    demands.parameters.removeAll { !isReplayed($0.lsn, $0.previous) }
    return demands
  }

  // MARK: Search for the target

  private func search(_ path: RecoveryPath, _ candidate: Candidate) throws -> Finding {
    let stop = candidate.cluster.stop
    switch target {
    case .time(let time):
      if isLater(candidate) { return .beforeSnapshot }
      return try first(in: path, stop: stop) { $0.latest.map { isExclusive ? $0 >= time : $0 > time } ?? false }
    case .transaction: return try transactionEnd(in: path, stop: stop)
    case .restorePoint(let name):
      let shown = Path(name).description
      return try first(in: path, stop: stop) { $0.restorePoints.contains { $0.name == shown } }
    case .lsn(let lsn):
      if lsn < stop { return .beforeSnapshot }
      let met = try path.first { index, log -> Int? in
        if let last = log.lastRecord, last >= lsn { return index }
        return log.openRecord.flatMap { $0 >= lsn && index + 1 < path.files.count ? index + 1 : nil }
      }
      return met.map { .met(file: $0) } ?? .notMet
    case .end:
      guard path.later == nil, try path.breakOff() == nil, let end = try path.end(), end >= stop else { return .notMet }
      if let abandoned = path.abandoned { throw try straying(path, to: abandoned) }
      return .met(file: path.files.count - 1)
    }
  }

  /// Finds the file in which recovery first meets an event. The facts that were stored with the files decide; if they
  /// do not suffice, the files are read.
  private func first(
    in path: RecoveryPath, stop: LogSequenceNumber, fits: (WALFacts.Log) -> Bool
  ) throws -> Finding {
    let closed = try path.first { fits($1) ? $0 : nil }
    let found =
      try closed
      ?? path.first { index, _ in
        guard index + 1 < path.files.count, let event = try path.openEvent(index) else { return nil }
        return isMet(by: event) ? index + 1 : nil
      }
    guard let found else { return .notMet }
    // Recovery must not stop before the snapshot is consistent: near the snapshot's stop, the position of the event
    // decides.
    guard let number = path.files[found].number(path.size), number <= path.size.number(of: stop) + 1 else {
      return .met(file: found)
    }
    guard let event = try path.firstEvent(in: max(0, found - 1)..<found + 1, where: isMet) else {
      return .notMet
    }
    return event.lsn < stop ? .beforeSnapshot : .met(file: found)
  }

  /// Finds the file in which the transaction of the target ended. Nothing that is stored with the files tells the
  /// numbers of their transactions, so all of the log is read, from the snapshot on.
  private func transactionEnd(in path: RecoveryPath, stop: LogSequenceNumber) throws -> Finding {
    guard !path.files.isEmpty else { return .notMet }
    var end: LogSequenceNumber?
    for index in path.files.indices where end == nil {
      try repository.host.cancellation.check()
      end = try path.firstEvent(in: index..<index + 1, where: isMet)?.lsn
      guard end == nil, index + 1 < path.files.count, let event = try path.openEvent(index), isMet(by: event) else {
        continue
      }
      return event.lsn < stop ? .beforeSnapshot : .met(file: index + 1)
    }
    guard let end else { return .notMet }
    if end < stop { return .beforeSnapshot }
    return path.files.firstIndex { $0.number(path.size) == path.size.number(of: end) }.map { .met(file: $0) } ?? .notMet
  }

  // MARK: Missing log

  private func straying(_ path: RecoveryPath, to abandoned: WALFileName) throws -> EngineError {
    EngineError(
      .usage,
      "recovery to the end of timeline \(path.history.timeline) would go on along timeline \(abandoned.timeline), which it has left: \(path.missing?.text ?? "") is not archived, and a server takes \(abandoned) in its place",
      hint: try path.lastRecord().map {
        "Say --to-lsn \($0), where the last record of that way begins, or --timeline \(abandoned.timeline) for the other one."
      } ?? "Archive what is missing.")
  }

  private func unreachable(_ path: RecoveryPath, _ candidate: Candidate) throws -> EngineError {
    let start = "recovery from snapshot \(candidate.snapshot.id.short) cannot reach \(target.text): "
    guard let last = path.files.last, let reach = try path.reach(from: candidate.cluster.start) else {
      return EngineError(
        .usage, start + "\(path.missing?.text ?? "the log"), with which it begins, is not archived",
        hint: "Archive it if it still lies in a pg_wal; without --to-…, the snapshot is restored as it was captured.")
    }
    var end = "\(reach.end) on timeline \(last.timeline)"
    if let lsn = reach.lastRecord { end += " (the last record begins at \(lsn))" }
    if let latest = reach.latest {
      end += ", where the last transaction ended at \(TimeText.exact(latest))"
    }
    switch reach.barrier {
    case .broken(let lsn, let file):
      return EngineError(
        .repository, start + "beyond \(lsn), in \(file), the archived log cannot be followed; it can reach \(end)",
        hint: "Run `holdfast verify --data`; "
          + (reach.lastRecord.map { "say --to-lsn \($0) for all that lies before; " } ?? "")
          + "only a snapshot that was taken behind it leads further.", exitStatus: .dataLoss)
    case .minimal(let barrier):
      return EngineError(
        .usage,
        start
          + "from \(barrier.lsn) on the log was written with wal_level = minimal, and no server replays that; it can reach \(end)",
        hint:
          "Say --to-lsn \(barrier.previous) for all that lies before; only a snapshot that was taken behind it leads further."
      )
    case nil: break
    }
    let why =
      path.later.map { "\(path.missing?.text ?? "") is missing in the archive, though \($0) is there" }
      ?? "the archive ends with \(last)"
    return EngineError(
      .usage, start + "\(why); it can reach \(end)",
      hint:
        "Name a target before that, or archive what is missing: SELECT pg_switch_wal() on the server archives what it has."
    )
  }
}
