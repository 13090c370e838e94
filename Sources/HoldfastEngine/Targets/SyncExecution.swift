internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// Collects the damage that several threads find.
final class DamageList: Sendable {
  private let found = Mutex<[DamageError]>([])

  var all: [DamageError] { found.withLock { $0 } }

  func add(_ damage: DamageError) { found.withLock { $0.append(damage) } }
}

/// Carries out the plan of one source under the target's lease on it, in this order: archived WAL, snapshots, notes,
/// removals, the journal. Parents come before their children, and the data of a snapshot before its manifest. It may
/// stop anywhere: the copied objects are sound, and the next run continues from them.
struct SyncExecution {
  /// The number of objects at which snapshots are no longer added to a window. Snapshots of a window are copied
  /// together, before their manifests.
  private static let windowMax = 64
  private let home: Repository
  private let target: Repository
  private let source: SourceName
  private let lease: Lease
  private let copying: ContainerCopy
  private let onCopied: @Sendable (UInt64) -> Void
  private(set) var result: SyncResult

  /// - Parameters:
  ///   - lease: the target's lease on the source.
  ///   - onCopied: gets the bytes of each object that was copied; called by several threads.
  init(_ planner: SyncPlanner, under lease: Lease, onCopied: @escaping @Sendable (UInt64) -> Void) {
    (home, target, source, self.lease) = (planner.home, planner.target, planner.source, lease)
    (copying, self.onCopied) = (ContainerCopy(from: home, to: target), onCopied)
    result = SyncResult(planner.source)
  }

  /// - Parameter plan: a plan that was made under the lease.
  mutating func run(_ plan: SyncPlan) throws {
    result = SyncResult(plan)
    try removeUnfinished()
    let logDamage = try WALCopy(from: home, to: target, of: source).copy(plan.logs, onCopied: onCopied)
    result.findings += logDamage.map { SyncFinding($0, at: home.location) }
    try copySnapshots(plan)
    // If anything could not be copied, the older snapshots may be all that the target can restore: they are neither
    // hidden there by newer notes nor removed.
    if result.findings.isEmpty {
      try NotesCopy(from: home, to: target, of: source).copy(plan.notes, under: lease)
      try remove(plan)
    }
    try JournalCopy(from: home, to: target, of: source).run()
  }

  /// Nobody else adds to the source there: what was begun under an earlier lease was left by a killed run.
  private func removeUnfinished() throws {
    let begun = try target.store.unfinished(below: Keys.source(source), .everything)
    guard !begun.isEmpty else { return }
    try lease.checkHeld()
    _ = try StoreError.lockEnd { try target.store.removeUnfinished(begun) }
  }

  /// Copies snapshots and notes only: nothing is removed, and neither log nor journal come.
  /// - Parameter plan: a plan that was made under the lease.
  mutating func bring(_ plan: SyncPlan) throws {
    result = SyncResult(plan)
    try copySnapshots(plan)
    guard result.findings.isEmpty else { return }
    try NotesCopy(from: home, to: target, of: source).copy(plan.notes, under: lease)
  }

  // MARK: Snapshots

  private mutating func copySnapshots(_ plan: SyncPlan) throws {
    var lines = plan.snapshots[...]
    while !lines.isEmpty {
      var window: [(line: SyncPlan.Line, items: [ContainerCopy.Item])] = []
      var count = 0
      while let line = lines.first, count < Self.windowMax {
        lines.removeFirst()
        guard let items = try missingItems(of: line) else { continue }
        window.append((line, items))
        count += items.count
      }
      damages = []
      let failed = try copy(window.flatMap(\.items))
      try lease.checkHeld()
      for (line, items) in window { try commit(line, lacking: items.first { failed.contains($0.key) }?.key) }
    }
  }

  /// Returns the objects of a snapshot that the target does not have; `nil` if it was removed at home meanwhile, or is
  /// damaged.
  private mutating func missingItems(of line: SyncPlan.Line) throws -> [ContainerCopy.Item]? {
    do {
      let containers = try home.catalog.whole(line.snapshot).containers
      let found = try target.store.find(containers.map(\.key))
      return zip(containers, found).filter { $1 == nil }.map(\.0)
    } catch let damage as DamageError {
      try note(damage, of: line.snapshot)
      return nil
    }
  }

  /// Copies objects, several at once. An object that is damaged at home does not prevent the others.
  /// - Returns: the keys of the objects that were not copied.
  private mutating func copy(_ items: [ContainerCopy.Item]) throws -> Set<String> {
    let damage = DamageList()
    let failed = Mutex<Set<String>>([])
    let (copying, onCopied) = (copying, onCopied)
    let unique = Array(Dictionary(items.map { ($0.key, $0) }) { first, _ in first }.values)
    try SideBySide.run(unique.count, threads: copying.threads) { index in
      do {
        try copying.copy(unique[index])
        onCopied(unique[index].reference.length)
      } catch let found as DamageError {
        damage.add(found)
        failed.withLock { _ = $0.insert(unique[index].key) }
      }
    }
    damages.append(contentsOf: damage.all)
    return failed.withLock { $0 }
  }

  /// The damage in the objects of the current window.
  private var damages: [DamageError] = []

  /// - Parameter key: an object of it that could not be copied; `nil` if all of them are at the target.
  private mutating func commit(_ line: SyncPlan.Line, lacking key: String?) throws {
    let snapshot = line.snapshot
    if let key {
      let damage = damages.first { $0.object == key } ?? DamageError(key, "it could not be copied")
      return try note(damage, of: snapshot)
    }
    if let parent = snapshot.envelope.parent?.sequence {
      if result.blocked.contains(parent) { return result.block(snapshot) }
      if result.gone.contains(parent) { return result.pass(over: snapshot) }
    }
    guard !line.isCommitted else { return result.copied.append(snapshot) }
    let manifest = Keys.manifest(source, snapshot.sequence)
    guard let bytes = try bytes(of: snapshot) else { return }
    do {
      try lease.confirmHeld()
      try target.store.put(bytes, at: manifest)
    } catch StoreError.alreadyExists {
      let other = try target.store.openAnew(manifest).contents(max: Limits.envelopeBytesMax)
      guard other == bytes else {
        throw TargetError.forked(key: manifest, target: target.location, home: home.location)
      }
    }
    result.copied.append(snapshot)
  }

  /// Returns the manifest of a snapshot; `nil` if it was removed at home meanwhile, or is damaged.
  private mutating func bytes(of snapshot: Snapshot) throws -> [UInt8]? {
    do {
      let bytes = try home.store.object(Keys.manifest(source, snapshot.sequence)).contents(
        max: Limits.envelopeBytesMax)
      guard try home.catalog.snapshot(bytes, of: source, snapshot.sequence).digest == snapshot.digest else {
        throw DamageError(
          Keys.manifest(source, snapshot.sequence), "it is another manifest than a moment ago")
      }
      return bytes
    } catch StoreError.notFound {
      result.pass(over: snapshot)
      return nil
    } catch let damage as DamageError {
      try note(damage, of: snapshot)
      return nil
    }
  }

  /// Records damage, unless a prune has removed the snapshot meanwhile: a prune deletes the manifest first.
  private mutating func note(_ damage: DamageError, of snapshot: Snapshot) throws {
    home.store.refresh()
    let isThere = try home.catalog.isCommitted(source, snapshot.sequence)
    let notes = try home.notes.readAsWritten(source).notes
    let isCollected = try [home, target].contains {
      try notes.holding(at: $0.targets.ownName())[snapshot].removed?.isCollected == true
    }
    if !isThere || isCollected {
      result.pass(over: snapshot)
    } else {
      result.block(snapshot)
      result.findings.append(SyncFinding(damage, at: home.location))
    }
  }

  // MARK: Removals

  private mutating func remove(_ plan: SyncPlan) throws {
    do {
      for key in plan.leftovers {
        try lease.checkHeld()
        _ = try StoreError.lockEnd { try target.store.remove(key) }
      }
      // Children come first, so that at any moment every snapshot has the snapshots that it builds on.
      for snapshot in plan.collected.reversed() {
        try home.host.cancellation.check()
        try lease.checkHeld()
        _ = try StoreError.lockEnd {
          try target.catalog.removeObjects(of: source, snapshot.sequence, butThose: plan.needed)
        }
        result.removed.insert(snapshot, at: 0)
      }
      try WALCopy(from: home, to: target, of: source).prune(under: lease, isApart: plan.isApart)
    } catch let refusal as StoreError {
      guard case .removalRefused = refusal else { throw refusal }
      // A target to which this host can only add keeps the collected snapshots.
      result.refusal = refusal.message
    }
  }
}
