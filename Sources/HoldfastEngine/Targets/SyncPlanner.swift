internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Plans the copies and removals for one source at one target, from the listings of home and target and the notes at
/// home. Only the manifests of snapshots that the target does not have whole are read.
struct SyncPlanner {
  let home: Repository
  let target: Repository
  let source: SourceName
  /// The numbers that home gives.
  let own: OwnNumbers

  init(home: Repository, target: Repository, source: SourceName, own: OwnNumbers = .all) {
    (self.home, self.target, self.source, self.own) = (home, target, source, own)
  }

  func plan() throws -> SyncPlan {
    // Home is listed first: a snapshot that is committed after that does not count as missing at the target.
    let atHome = try SourceListing(of: source, in: home.store)
    let atTarget = try SourceListing(of: source, in: target.store)
    let notes = try home.notes.readAsWritten(source)
    let held = notes.notes.holding(at: try target.targets.ownName())
    var plan = SyncPlan(source)
    (plan.listedAtHome, plan.listedAtTarget) = (atHome.committed, atTarget.committed)
    plan.findings = notes.damage.map { SyncFinding($0, at: home.location) }
    try checkAgreement(atHome, atTarget, readsAll: true, &plan)
    let collected = held.collectedNumbers
    let wanted = atHome.committed.subtracting(collected)
    try planSnapshots(wanted, collected, atHome, atTarget, &plan)
    plan.notes = try NotesCopy(from: home, to: target, of: source).missing(
      atHome.notes, atTarget.notes, own: own)
    plan.diverged = diverged(atHome.notes, atTarget.notes)
    plan.isApart = try target.targets.ownName().map(notes.notes.targetsApart.contains) ?? false
    // Snapshots that only the target has may need any of the log.
    let isSmaller = plan.isApart && atTarget.committed.isSubset(of: atHome.committed)
    let needed = { try snapshots(wanted.sorted()).compactMap { try? $0?.get() } }
    plan.logs = try WALCopy(from: home, to: target, of: source).missing(for: isSmaller ? needed : nil)
    // Nothing is removed while anything is damaged: the objects to remove may be the last sound ones.
    if plan.findings.isEmpty {
      try SyncRemovals(
        planner: self, atHome: atHome, atTarget: atTarget, written: notes.notes, notes: held
      ).add(to: &plan)
    }
    return plan
  }

  /// Finds out which snapshots of home the target does not have, as both listings and the newest manifest tell: the
  /// part of the plan that decides who is in step.
  func planOfSnapshots() throws -> SyncPlan {
    let atHome = try SourceListing(of: source, in: home.store)
    let atTarget = try SourceListing(of: source, in: target.store)
    let notes = try home.notes.read(source, at: target.targets.ownName())
    var plan = SyncPlan(source)
    (plan.listedAtHome, plan.listedAtTarget) = (atHome.committed, atTarget.committed)
    plan.findings = notes.damage.map { SyncFinding($0, at: home.location) }
    try checkAgreement(atHome, atTarget, readsAll: false, &plan)
    let collected = notes.notes.collectedNumbers
    plan.removedThere = collected.intersection(atHome.committed).subtracting(atTarget.committed)
    try planSnapshots(atHome.committed.subtracting(collected), collected, atHome, atTarget, &plan)
    let highest = max(notes.notes.highest, atHome.committed.max() ?? 0)
    plan.isAhead = atTarget.committed.contains { $0 > highest && own.contains($0) }
    return plan
  }

  /// Plans what home lacks of the target, with the places exchanged: snapshots that were taken there, and the notes on
  /// them. What home has given a number to itself it once had: it was lost or collected, and does not come back by
  /// itself.
  func planReturn() throws -> (planner: SyncPlanner, plan: SyncPlan) {
    let exchanged = SyncPlanner(home: target, target: home.alone, source: source)
    // The target comes first: what is committed there meanwhile comes with the next sync.
    let atTarget = try SourceListing(of: source, in: target.store)
    let atHome = try SourceListing(of: source, in: home.alone.store)
    let lacking = atTarget.committed.subtracting(atHome.committed).filter { !own.contains($0) }
    let newest = atHome.notes.max() ?? 0
    var plan = SyncPlan(source)
    plan.notes = atTarget.notes.filter { $0 > newest && !own.contains($0) }.sorted()
    let common = atHome.notes.intersection(atTarget.notes).max() ?? 0
    let here = atHome.notes.filter { $0 > common }.sorted()
    if !plan.notes.isEmpty, !here.isEmpty {
      // Home's notes would no longer count beside them.
      plan.notesApart = .notesApart(
        there: ApartNotes(plan.notes, since: common, of: source, in: target),
        here: ApartNotes(here, since: common, of: source, in: home))
      plan.notes = []
    }
    guard !lacking.isEmpty || !plan.notes.isEmpty else { return (exchanged, plan) }
    // What the target's own retention has removed there may still come home.
    let name = try home.targets.ownName()
    let collected = try [home, target].map { try $0.notes.read(source, at: name).notes.collectedNumbers }
    let wanted = lacking.subtracting(collected[0]).subtracting(collected[1])
    try exchanged.planSnapshots(wanted, [], atTarget, atHome, &plan)
    return (exchanged, plan)
  }

  /// Home keeps its newest revisions: of those between them it would still have what it has known.
  private func diverged(_ atHome: Set<UInt64>, _ atTarget: Set<UInt64>) -> [UInt64] {
    guard let oldest = atHome.min(), let newest = atHome.max() else { return [] }
    return atTarget.subtracting(atHome).filter { $0 > oldest && $0 < newest && !own.contains($0) }.sorted()
  }

  // MARK: Agreement

  /// Compares the manifests that both have. The newest one is read, because its digest stands for its chain; the others
  /// are compared by their lengths.
  /// - Parameter readsAll: true to read the others too, if both stores are near.
  /// - Throws: `TargetError.forked` when a number was given to two snapshots.
  private func checkAgreement(
    _ atHome: SourceListing, _ atTarget: SourceListing, readsAll: Bool, _ plan: inout SyncPlan
  ) throws {
    let shared = atHome.committed.intersection(atTarget.committed)
    let newest = shared.max()
    for sequence in shared.sorted() {
      let key = Keys.manifest(source, sequence)
      let isNear = home.store.capabilities.isNear && target.store.capabilities.isNear
      let isRead = isNear && readsAll || sequence == newest || atHome.lengths[key] != atTarget.lengths[key]
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

  /// Returns the contents of an object; `nil` if a prune has just removed it.
  private func bytes(_ key: String, in repository: Repository) throws -> [UInt8]? {
    do {
      return try repository.store.object(key).contents(max: Limits.envelopeBytesMax)
    } catch StoreError.notFound {
      return nil
    }
  }

  // MARK: Missing snapshots

  /// - Parameters:
  ///   - wanted: the snapshots of home that the target shall have.
  ///   - collected: the snapshots of home that are collected at the target. It shall have those that wanted ones build
  ///     on.
  private func planSnapshots(
    _ wanted: Set<UInt64>, _ collected: Set<UInt64>, _ atHome: SourceListing, _ atTarget: SourceListing,
    _ plan: inout SyncPlan
  ) throws {
    // The listing does not show who builds on a collected snapshot: the manifests do.
    let doubtful = lacking(collected, atHome, atTarget).min()
    var next = doubtful == nil ? candidates(wanted, atHome, atTarget) : wanted
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
          // A collected snapshot is copied if a snapshot that is kept builds on it.
          if let parent = snapshot.envelope.parent?.sequence,
            !atTarget.committed.contains(parent) || doubtful.map({ $0 <= parent }) ?? false
          {
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

  /// Returns true if the snapshot builds on none, or if home or the target has its parent. Otherwise, unless a prune
  /// has removed the snapshot meanwhile, home has lost the parent: that is recorded as damage.
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

  /// Returns the snapshots that must be read, because the target lists one of their objects with another length than
  /// home, or not at all.
  private func candidates(_ wanted: Set<UInt64>, _ atHome: SourceListing, _ atTarget: SourceListing) -> Set<UInt64> {
    var found = wanted.subtracting(atTarget.committed)
    let newest = atHome.committed.max() ?? 0
    for (sequence, keys) in atHome.data where sequence <= newest {
      guard keys.contains(where: { differs($0, atHome, atTarget) }) else { continue }
      // Archives in a directory without a manifest belong to merged snapshots, and the listing does not show to which.
      if !atHome.committed.contains(sequence) { return wanted }
      if wanted.contains(sequence) { found.insert(sequence) }
    }
    return found
  }

  /// True if the listings show an object with another length at the target, or only at home.
  private func differs(_ key: String, _ atHome: SourceListing, _ atTarget: SourceListing) -> Bool {
    guard let there = atTarget.lengths[key], let here = atHome.lengths[key] else { return true }
    return there != here.map { target.store.listedLength(of: key, length: $0) }
  }

  /// Returns the snapshots that are collected at the target and that home still has, and of which the target lacks an
  /// object.
  private func lacking(
    _ collected: Set<UInt64>, _ atHome: SourceListing, _ atTarget: SourceListing
  ) -> Set<UInt64> {
    collected.intersection(atHome.committed).filter { sequence in
      !atTarget.committed.contains(sequence)
        || (atHome.data[sequence] ?? []).contains { differs($0, atHome, atTarget) }
    }
  }

  /// - Returns: the snapshots in the order of the numbers; `nil` for one that a prune has removed since it was listed.
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

  /// - Returns: `nil` if the target has all of it, or if the target's objects are damaged.
  private func line(_ snapshot: Snapshot, _ atTarget: SourceListing, _ plan: inout SyncPlan) throws -> SyncPlan.Line? {
    let isCommitted = atTarget.committed.contains(snapshot.sequence)
    let containers = try home.catalog.whole(snapshot).containers
    var (bytes, isMissing): (UInt64, Bool) = (0, false)
    for item in containers {
      switch try atTarget.presence(of: item.recorded, in: target.store) {
      case .asRecorded: continue
      case .missing: (bytes, isMissing) = (bytes.saturatingAdding(item.reference.length), true)
      case .damaged(let damage):
        plan.findings.append(SyncFinding(damage, at: target.location))
        plan.blocked.insert(snapshot.sequence)
      }
    }
    if isCommitted && !isMissing || plan.blocked.contains(snapshot.sequence) { return nil }
    return SyncPlan.Line(snapshot: snapshot, isCommitted: isCommitted, bytes: bytes)
  }
}
