internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// Decides which targets one pass writes to: those that have everything that home has of the source, and whose lease on
/// the source is free. The listings of both and the newest manifest are compared. All targets are looked at side by
/// side when the first object of the source is begun, because the run holds home's lease by then.
final class PassGate: TargetGate {
  /// A target that has everything that it shall have of a source.
  private struct Admission {
    /// The target's lease on the source.
    let lease: Lease
    /// The numbers of the snapshots that its own retention has removed there: nothing that needs one of them is
    /// committed.
    let removedThere: Set<UInt64>
  }

  private typealias Look = Result<Admission, any Error>

  private struct Looks {
    var found: [String: Look] = [:]
    /// True if nobody waits for further answers: a lease that is taken later is given back.
    var isOver = false
  }

  private let home: Repository
  private let policy: TargetPolicy
  /// The targets by name. Their opening begins with the pass.
  private let targets: [String: Future<Repository>]
  /// The targets that were asked for numbers and did not answer in time. They are not waited for twice.
  private let silent = Mutex<Set<String>>([])
  /// The lease of each target, or the reason why it gets nothing, by folder; `nil` when the pass has ended.
  private let looks = Mutex<[String: [String: Look]]?>([:])

  /// - Parameter home: the repository, opened at home alone.
  init(_ home: Repository, _ others: [Target], _ policy: TargetPolicy) {
    (self.home, self.policy) = (home, policy)
    let all = others.map { target in
      (target.name, Future(beginsNow: true) { try Self.open(target, of: home) })
    }
    targets = Dictionary(all) { first, _ in first }
  }

  private static func open(_ target: Target, of home: Repository) throws -> Repository {
    let store = target.store
    guard store.capabilities.objectLock == nil else { throw TargetError.locked(target: store.location) }
    let opened = try TargetIdentity(of: store, home: home, as: target.name).open(isDryRun: false)
    try TargetIdentity.checkIsListed(target.name, home: home)
    return opened
  }

  // MARK: Who is in step

  func obstacle(to key: String, in folder: String, at target: String) -> (any Error)? {
    // A sync copies objects that belong to no source.
    guard let source = Keys.sourceName(folder) else { return BehindReason.wasBehind }
    let found = looks.withLock { looks -> [String: Look]? in
      guard var all = looks else { return nil }
      let found = all[folder] ?? lookAtAll(source, before: key)
      all[folder] = found
      looks = all
      return found
    }
    guard case .failure(let obstacle) = found?[target] ?? .failure(BehindReason.runEnded) else { return nil }
    return obstacle
  }

  /// Looks at all targets side by side, and waits at most `policy.lookMax` for their answers.
  private func lookAtAll(_ source: SourceName, before key: String) -> [String: Look] {
    let looks = Monitor(Looks())
    let asked = silent.withLock { silent in targets.keys.filter { !silent.contains($0) } }
    for name in asked {
      WorkerThread.detach { [self] in
        let look: Look = Result {
          try self.look(at: name, source, before: key) {
            if looks.withLock({ $0.isOver }) { throw BehindReason.noAnswer(waited: self.policy.lookMax) }
          }
        }
        looks.withLock { if !$0.isOver { $0.found[name] = look } }
      }
    }
    let count = asked.count
    _ = try? looks.wait(policy.lookMax, unless: home.host.cancellation) { $0.found.count == count ? true : nil }
    return looks.withLock { looks in
      looks.isOver = true
      let late = Look.failure(BehindReason.noAnswer(waited: policy.lookMax))
      return targets.keys.reduce(into: [:]) { $0[$1] = looks.found[$1] ?? late }
    }
  }

  /// Takes the target's lease, and checks that the target has everything that home has of the source.
  /// - Parameters:
  ///   - key: the key of the first object that will be sent.
  ///   - checkIsAwaited: throws if nobody waits for the answer any more: then nothing is done at the target.
  /// - Throws: the reason why the target gets nothing.
  private func look(
    at name: String, _ source: SourceName, before key: String, checkIsAwaited: () throws -> Void
  ) throws -> Admission {
    guard let target = try targets[name]?.value() else { throw BehindReason.wasBehind }
    try checkIsAwaited()
    guard let lease = try Lease.take(on: source, of: target, waits: false, outlasts: false) else {
      throw BehindReason.busy(name: source.text, location: target.location)
    }
    let planner = try SyncPlanner(home: home, target: target, source: source, own: home.targets.ownNumbers())
    let plan = try planner.planOfSnapshots()
    guard !plan.isAhead else { throw BehindReason.wasAhead }
    guard plan.isInStep else { throw BehindReason.wasBehind }
    try checkIsAwaited()
    // The unfinished objects of a killed run are removed, so that they do not lie among the new ones.
    let newest = try target.catalog.newestSnapshot(
      of: source, removingLeftoversUnder: lease, progress: UnwatchedProgress())
    try target.store.settle(below: newest.map { Keys.snapshot(source, $0.sequence) } ?? Keys.source(source))
    try checkIsAwaited()
    try lease.confirmHeld()
    do {
      try target.store.removeUnfinished(in: String(key[...(key.lastIndex(of: "/") ?? key.startIndex)]))
    } catch StoreError.removalRefused {
      // The target keeps unfinished objects. That is no obstacle.
    }
    return Admission(lease: lease, removedThere: plan.removedThere)
  }

  // MARK: Numbers

  /// Asks all targets side by side, and waits at most `policy.lookMax` for their answers.
  /// - Parameter known: the highest number that home knows of the source.
  /// - Returns: the highest number above `known` that home has given to a snapshot and that a target lists; 0 if there
  ///   is none.
  func highestNumber(of source: SourceName, above known: UInt64) -> UInt64 {
    let answers = Monitor<[String: UInt64]>([:])
    for name in targets.keys {
      WorkerThread.detach { [self] in
        let number = (try? number(at: name, of: source, above: known)) ?? 0
        answers.withLock { $0[name] = number }
      }
    }
    let count = targets.count
    _ = try? answers.wait(policy.lookMax, unless: home.host.cancellation) { $0.count == count ? true : nil }
    let found = answers.withLock { $0 }
    silent.withLock { $0 = Set(targets.keys).subtracting(found.keys) }
    return found.values.max() ?? 0
  }

  private func number(at name: String, of source: SourceName, above known: UInt64) throws -> UInt64 {
    guard let target = try targets[name]?.value() else { return 0 }
    let own = try home.targets.ownNumbers()
    let numbers = try target.catalog.sequences(of: source).filter { $0 > known && own.contains($0) }
    // What a killed run left has no manifest.
    return try numbers.last { try target.catalog.isCommitted(source, $0) } ?? 0
  }

  // MARK: Leases

  func checkOpen(_ key: String, in folder: String, at target: String) throws {
    // Only a manifest makes a snapshot of the objects, so only manifests need the lease.
    guard Keys.isManifest(key) else { return }
    let look = looks.withLock { $0?[folder]?[target] }
    guard let look else { throw BehindReason.runEnded }
    let admission = try look.get()
    try admission.lease.checkHeld()
    try checkIsWhole(key, in: folder, without: admission.removedThere)
  }

  /// Checks that a snapshot needs nothing that the target's own retention has removed there, as a merged one or one
  /// that builds on an older full may.
  /// - Throws: when it does. A sync copies that first.
  private func checkIsWhole(_ key: String, in folder: String, without removed: Set<UInt64>) throws {
    guard !removed.isEmpty, let source = Keys.sourceName(folder),
      let sequence = key.split(separator: "/").dropLast().last.flatMap({ Keys.sequence($0) }),
      let snapshot = try home.catalog.snapshotIfCommitted(source, sequence)
    else { return }
    let archives = snapshot.hasItsArchivesToItself ? [] : snapshot.envelope.archives.map(\.sequence)
    let needs = archives + [snapshot.envelope.parent?.sequence].compactMap(\.self)
    guard removed.isDisjoint(with: needs) else { throw BehindReason.wasBehind }
  }

  /// Gives all leases back. From now on, no manifest is committed at the targets.
  func close() { looks.withLock { $0 = nil } }
}

/// A progress that nobody watches.
private final class UnwatchedProgress: ProgressObserver {
  func begin(phase: String, totalBytes: UInt64?) {}
  func advance(bytes: UInt64, files: UInt64) {}
  func skip(bytes: UInt64) {}
  func note(_ message: String) {}
  func warn(_ message: String) {}
}
