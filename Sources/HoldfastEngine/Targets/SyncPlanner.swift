internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Plans what one target needs of one source, from the listings of both places and the notes at home. Manifests are
/// read only of snapshots that the target does not have whole.
struct SyncPlanner {
  let home: Repository
  let target: Repository
  let source: SourceName

  func plan() throws -> SyncPlan {
    // Home comes first: what is committed meanwhile is missing nowhere.
    let atHome = try SourceListing(of: source, in: home.store)
    let atTarget = try SourceListing(of: source, in: target.store)
    let notes = try home.notes.read(source)
    var plan = SyncPlan(source)
    plan.there = atTarget.committed
    plan.findings = notes.damage.map { SyncFinding($0, at: home.location) }
    try checkAgreement(atHome, atTarget, &plan)
    try planSnapshots(atHome, atTarget, notes.notes, &plan)
    plan.notes = try NotesCopy(from: home, to: target, of: source).missing(atHome.notes, atTarget.notes)
    plan.logs = try WALCopy(from: home, to: target, of: source).missing()
    // Nothing is removed while something is damaged: what would go may be all that is left.
    if plan.findings.isEmpty {
      try SyncRemovals(planner: self, atHome: atHome, atTarget: atTarget, notes: notes.notes).add(to: &plan)
    }
    return plan
  }

  // MARK: What both have

  /// Compares the manifests that both have. The newest one is read, because its digest stands for its chain; the others
  /// are compared by their lengths, and read where that costs nothing.
  /// - Throws: `TargetError.forked` when a number was given to two snapshots.
  private func checkAgreement(_ atHome: SourceListing, _ atTarget: SourceListing, _ plan: inout SyncPlan) throws {
    let shared = atHome.committed.intersection(atTarget.committed)
    let newest = shared.max()
    for sequence in shared.sorted() {
      let key = Keys.manifest(source, sequence)
      let isNear = home.store.capabilities.isNear && target.store.capabilities.isNear
      let isRead = isNear || sequence == newest || atHome.lengths[key] != atTarget.lengths[key]
      guard isRead, let own = try bytes(key, in: home), let other = try bytes(key, in: target), own != other else {
        continue
      }
      do {
        _ = try target.catalog.snapshot(other, of: source, sequence)
      } catch let damage as DamageError {
        plan.findings.append(SyncFinding(damage, at: target.location))
        plan.blocked.insert(sequence)
        continue
      }
      do {
        _ = try home.catalog.snapshot(own, of: source, sequence)
      } catch let damage as DamageError {
        plan.findings.append(SyncFinding(damage, at: home.location))
        continue
      }
      throw TargetError.forked(key: key, target: target.location, home: home.location)
    }
  }

  /// `nil` when a prune has just removed it.
  private func bytes(_ key: String, in repository: Repository) throws -> [UInt8]? {
    do {
      return try repository.store.object(key).contents(max: Limits.envelopeBytesMax)
    } catch StoreError.notFound {
      return nil
    }
  }

  // MARK: What the target lacks

  private func planSnapshots(
    _ atHome: SourceListing, _ atTarget: SourceListing, _ notes: SourceNotes, _ plan: inout SyncPlan
  ) throws {
    let wanted = atHome.committed.subtracting(notes.collectedNumbers)
    var next = candidates(wanted, atHome, atTarget)
    var read: [UInt64: Snapshot] = [:]
    while !next.isEmpty {
      var parents: Set<UInt64> = []
      for (sequence, result) in zip(next.sorted(), try snapshots(next.sorted())) {
        switch result {
        case nil: continue
        case .failure(let damage):
          plan.findings.append(SyncFinding(damage, at: home.location))
          plan.blocked.insert(sequence)
        case .success(let snapshot):
          read[sequence] = snapshot
          // What was collected is copied where a snapshot that is kept builds on it.
          if let parent = snapshot.envelope.parent?.sequence, !atTarget.committed.contains(parent) {
            parents.insert(parent)
          }
        }
      }
      next = parents.subtracting(read.keys).subtracting(plan.blocked)
    }
    for (_, snapshot) in read.sorted(by: { $0.key < $1.key }) {
      guard try hasParent(snapshot, read, atTarget, &plan) else { continue }
      if let line = try line(snapshot, atTarget, &plan) { plan.snapshots.append(line) }
    }
  }

  /// Whether a snapshot of home has its parent there, or at the target, as far as it builds on one. If it has none, and
  /// no prune has removed both meanwhile, home has lost it.
  private func hasParent(
    _ snapshot: Snapshot, _ read: [UInt64: Snapshot], _ atTarget: SourceListing, _ plan: inout SyncPlan
  ) throws -> Bool {
    guard let parent = snapshot.envelope.parent?.sequence, read[parent] == nil, !atTarget.committed.contains(parent),
      !plan.blocked.contains(parent)
    else { return true }
    home.store.refresh()
    guard try home.catalog.isCommitted(source, snapshot.sequence) else { return false }
    let damage = DamageError(Keys.manifest(source, parent), "it is missing, and \(snapshot.id.short) builds on it")
    plan.findings.append(SyncFinding(damage, at: home.location))
    plan.blocked.formUnion([parent, snapshot.sequence])
    return false
  }

  /// The snapshots that have to be looked at, because the target lists something of them otherwise than home.
  private func candidates(_ wanted: Set<UInt64>, _ atHome: SourceListing, _ atTarget: SourceListing) -> Set<UInt64> {
    var found = wanted.subtracting(atTarget.committed)
    let newest = atHome.committed.max() ?? 0
    for (sequence, keys) in atHome.data where sequence <= newest {
      guard keys.contains(where: { atTarget.lengths[$0] != atHome.lengths[$0] }) else { continue }
      // Archives in a directory without a manifest belong to merged snapshots, and nobody knows which.
      if !atHome.committed.contains(sequence) { return wanted }
      if wanted.contains(sequence) { found.insert(sequence) }
    }
    return found
  }

  /// - Returns: in the order of the numbers; `nil` for one that a prune has removed since it was listed.
  private func snapshots(_ sequences: [UInt64]) throws -> [Result<Snapshot, DamageError>?] {
    home.store.prefetch(sequences.map { (Keys.manifest(source, $0), nil) })
    return try sequences.mapInParallel(workers: home.host.workers, batch: 16) { sequence in
      do {
        return try home.catalog.snapshotIfCommitted(source, sequence).map { .success(try home.catalog.held.hold($0)) }
      } catch let damage as DamageError {
        return .failure(damage)
      }
    }
  }

  /// - Returns: `nil` when the target has all of it, or what it has is damaged.
  private func line(_ snapshot: Snapshot, _ atTarget: SourceListing, _ plan: inout SyncPlan) throws -> SyncPlan.Line? {
    let isCommitted = atTarget.committed.contains(snapshot.sequence)
    let containers = try home.catalog.whole(snapshot).containers
    var (bytes, isMissing): (UInt64, Bool) = (0, false)
    for item in containers {
      switch try atTarget.presence(of: item.recorded, in: target.store) {
      case .there: continue
      case .missing: (bytes, isMissing) = (bytes.saturatingAdding(item.reference.length), true)
      case .otherwise(let length):
        let damage = DamageError(item.key, "it has \(length) bytes instead of \(item.reference.length)")
        plan.findings.append(SyncFinding(damage, at: target.location))
        plan.blocked.insert(snapshot.sequence)
      }
    }
    if isCommitted && !isMissing || plan.blocked.contains(snapshot.sequence) { return nil }
    return SyncPlan.Line(snapshot: snapshot, isCommitted: isCommitted, bytes: bytes)
  }
}
