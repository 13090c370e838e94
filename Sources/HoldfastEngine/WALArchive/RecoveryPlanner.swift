package import HoldfastArchive
package import HoldfastModel
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
    /// The target is met in this file of the way.
    case met(file: Int)
    /// Recovery would have to stop before the snapshot is whole.
    case beforeSnapshot
    case notMet
  }

  private let repository: Repository
  private let target: RecoveryTarget
  /// Which one to end on; `nil`: the newest.
  private let timeline: UInt32?

  package init(_ repository: Repository, target: RecoveryTarget, timeline: UInt32?) {
    self.repository = repository
    self.target = target
    self.timeline = timeline
  }

  /// - Parameters:
  ///   - named: the snapshot to begin with; `nil`: the newest that ended before the target.
  ///   - onDamage: gets the envelopes that cannot be read.
  package func plan(
    from named: Snapshot?, of source: SourceName?, onDamage: (DamageError) -> Void
  ) throws -> RecoveryPlan {
    let candidates = try candidates(named, source, onDamage: onDamage)
    guard let newest = candidates.last else {
      let what = named.map { "snapshot \($0.id.short) does not hold" } ?? "no snapshot holds"
      throw EngineError(
        "\(what) a PostgreSQL cluster that was captured while its server ran",
        hint: "Take one with `holdfast backup SOURCE --postgres CONNINFO`; its log can be replayed from then on.")
    }
    let archive = WALArchive(repository, of: newest.snapshot.sourceName)
    let inventory = try WALInventory(archive, newest.system)
    guard let size = inventory.size else {
      throw EngineError(
        "no write-ahead log of cluster \(newest.system) is archived for \(archive.source)",
        hint: "Without --to-…, the snapshot is restored as it was captured.")
    }
    let end = try history(inventory, for: named == nil ? nil : newest)
    for candidate in candidates.reversed() where candidate.system == newest.system {
      let cluster = candidate.cluster
      guard end.contains(cluster.timeline, upTo: cluster.stop) else { continue }
      let path = RecoveryPath(inventory, end, size, from: cluster.start)
      switch try search(path, candidate) {
      case .beforeSnapshot: continue
      case .notMet: throw try unreachable(path, candidate)
      case .met(let file): return try plan(candidate, path, upTo: file, end.timeline)
      }
    }
    throw EngineError(
      named == nil
        ? "no snapshot of \(archive.source) on the way to timeline \(end.timeline) ended before \(target.text)"
        : "snapshot \(newest.snapshot.id.short) did not end before \(target.text) on the way to timeline \(end.timeline)",
      hint: "Run `holdfast list` to see which snapshots there are, or name another --timeline.")
  }

  private func candidates(
    _ named: Snapshot?, _ source: SourceName?, onDamage: (DamageError) -> Void
  ) throws -> [Candidate] {
    let all =
      try named.map { [$0] }
      ?? repository.allSnapshots(of: source, onDamage: onDamage).sorted(by: Snapshot.isOlder)
    let found = all.compactMap { snapshot -> Candidate? in
      guard let cluster = snapshot.envelope.postgres, let system = SystemIdentifier(cluster.system) else { return nil }
      return Candidate(snapshot: snapshot, cluster: cluster, system: system)
    }
    let sources = Set(found.map(\.snapshot.sourceName)).sorted()
    guard sources.count <= 1 else {
      throw EngineError(
        "the repository holds clusters of several sources: " + sources.map(\.text).joined(separator: ", "),
        hint: "Say which one with --name NAME.", exitStatus: .usage)
    }
    return found
  }

  private func history(_ inventory: WALInventory, for candidate: Candidate?) throws -> TimelineHistory {
    let histories = try inventory.histories()
    if let timeline {
      if let wanted = histories.last(where: { $0.timeline == timeline }) { return wanted }
      throw EngineError(
        "timeline \(timeline) is not archived for \(inventory.archive.source)",
        hint: "Run `holdfast wal status` to see which there are.")
    }
    if let cluster = candidate?.cluster {
      return try inventory.newestHistory(from: cluster.timeline, upTo: cluster.stop)
    }
    guard let newest = histories.last else { preconditionFailure("where a segment is, a timeline is") }
    return newest
  }

  private func plan(
    _ candidate: Candidate, _ path: RecoveryPath, upTo file: Int, _ timeline: UInt32
  ) throws -> RecoveryPlan {
    // Presence was seen by name; a manifest that is not sound must not be met in the middle of a recovery.
    for file in path.files[...file] {
      try repository.host.cancellation.check()
      let manifest = try path.inventory.archived(file).manifest
      try repository.checkPresence(manifest.objectKey, length: manifest.object.length)
    }
    let hasHistory =
      timeline == 1 || path.inventory.files.contains { $0.kind == .timelineHistory && $0.timeline == timeline }
    return RecoveryPlan(
      snapshot: candidate.snapshot, target: target, system: candidate.system, timeline: timeline,
      hasHistory: hasHistory, first: path.files[0], last: path.files[file], count: UInt64(file + 1))
  }

  // MARK: Looking for the target

  private func search(_ path: RecoveryPath, _ candidate: Candidate) throws -> Finding {
    let stop = candidate.cluster.stop
    switch target {
    case .time(let time):
      let finished = TimeText.parse(candidate.snapshot.envelope.time.finished)
      if let finished, time < finished { return .beforeSnapshot }
      return try first(in: path, stop: stop, fits: { ($0.latest ?? .min) > time.microseconds }) { event in
        if case .transactionEnd(_, let ended) = event { ended.microseconds > time.microseconds } else { false }
      }
    case .restorePoint(let name):
      let shown = Path(name).description
      return try first(in: path, stop: stop, fits: { $0.restorePoints.contains { $0.name == shown } }) { event in
        if case .restorePoint(_, _, let found) = event { found == Array(name.utf8) } else { false }
      }
    case .place(let place):
      if place < stop { return .beforeSnapshot }
      for index in path.files.indices {
        let log = try path.log(index)
        if let last = log.lastRecord, last >= place { return .met(file: index) }
        if let open = log.openRecord, open >= place, index + 1 < path.files.count { return .met(file: index + 1) }
      }
      return .notMet
    case .end:
      guard path.later == nil, let end = try path.end(), end >= stop else { return .notMet }
      if let abandoned = path.abandoned { throw try straying(path, to: abandoned) }
      return .met(file: path.files.count - 1)
    }
  }

  /// Where recovery first meets an event: by what was noted when the files were archived, and where that does not decide by reading them.
  private func first(
    in path: RecoveryPath, stop: LogSequenceNumber, fits: (WALFacts.Log) -> Bool, isTarget: (WALEvent) -> Bool
  ) throws -> Finding {
    var found: Int?
    for index in path.files.indices where found == nil {
      if fits(try path.log(index)) { found = index }
    }
    for index in path.files.indices.dropLast() where found == nil {
      if try path.openEvent(index).map(isTarget) ?? false { found = index + 1 }
    }
    guard let found else { return .notMet }
    // Before the snapshot is whole, recovery must not stop: only near its stop the place matters.
    guard let number = path.files[found].number(path.size), number <= path.size.number(of: stop) + 1 else {
      return .met(file: found)
    }
    guard let event = try path.events(in: max(0, found - 1)..<found + 1).first(where: isTarget) else { return .notMet }
    return event.place < stop ? .beforeSnapshot : .met(file: found)
  }

  // MARK: What is missing

  private func straying(_ path: RecoveryPath, to abandoned: WALFileName) throws -> EngineError {
    EngineError(
      "recovery to the end of timeline \(path.history.timeline) would go on along timeline \(abandoned.timeline), which it has left: \(path.missing?.text ?? "") is not archived, and a server takes \(abandoned) in its place",
      hint: try path.lastPlace().map {
        "Say --to-lsn \($0), where the last record of that way begins, or --timeline \(abandoned.timeline) for the other one."
      } ?? "Archive what is missing.")
  }

  private func unreachable(_ path: RecoveryPath, _ candidate: Candidate) throws -> EngineError {
    let start = "recovery from snapshot \(candidate.snapshot.id.short) cannot reach \(target.text): "
    guard let last = path.files.last, let end = try path.end() else {
      return EngineError(
        start + "\(path.missing?.text ?? "the log"), with which it begins, is not archived",
        hint: "Archive it if it still lies in a pg_wal; without --to-…, the snapshot is restored as it was captured.")
    }
    var reach = "\(end) on timeline \(last.timeline)"
    if let place = try path.lastPlace() { reach += " (the last record begins at \(place))" }
    if let latest = try path.latest() {
      reach += ", where the last transaction ended at \(TimeText.exact(Timestamp(microseconds: latest)))"
    }
    let why =
      path.later.map { "\(path.missing?.text ?? "") is missing in the archive, though \($0) is there" }
      ?? "the archive ends with \(last)"
    return EngineError(
      start + "\(why); it can reach \(reach)",
      hint:
        "Name a target before that, or archive what is missing: SELECT pg_switch_wal() on the server archives what it has."
    )
  }
}

extension RecoveryPath {
  /// What is in a file, as it was noted when it was archived, else as it is read now.
  func log(_ index: Int) throws -> WALFacts.Log {
    if let noted = try inventory.facts(files[index]).log { return noted }
    return try survey(index..<index + 1)
  }

  /// The last place at which recovery can be told to stop.
  func lastPlace() throws -> LogSequenceNumber? {
    for index in files.indices.reversed() {
      if let last = try log(index).lastRecord { return last }
      if index > 0, let open = try log(index - 1).openRecord { return open }
    }
    return nil
  }
}
