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
  private typealias Look = Result<Lease, any Error>

  private struct Looks {
    var found: [String: Look] = [:]
    /// True if nobody waits for further answers: a lease that is taken later is given back.
    var isOver = false
  }

  private let home: Repository
  private let policy: TargetPolicy
  /// The targets by name. Their opening begins with the pass.
  private let targets: [String: Future<Repository>]
  /// The lease of each target, or the reason why it gets nothing, by folder; `nil` when the pass has ended.
  private let looks = Mutex<[String: [String: Look]]?>([:])

  /// - Parameter home: the repository, opened at home alone.
  init(_ home: Repository, _ others: [Target], _ policy: TargetPolicy) {
    (self.home, self.policy) = (home, policy)
    let all = others.map { target in
      (target.name, Future(beginsNow: true) { try Self.open(target.store, of: home) })
    }
    targets = Dictionary(all) { first, _ in first }
  }

  private static func open(_ store: any Store, of home: Repository) throws -> Repository {
    guard store.capabilities.objectLock == nil else { throw TargetError.locked(target: store.location) }
    return try TargetIdentity(of: store, home: home).open(isDryRun: false)
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
    for name in targets.keys {
      WorkerThread.detach { [self] in
        let look: Look = Result { try self.look(at: name, source, before: key) }
        looks.withLock { if !$0.isOver { $0.found[name] = look } }
      }
    }
    let count = targets.count
    _ = try? looks.wait(policy.lookMax, unless: home.host.cancellation) { $0.found.count == count ? true : nil }
    return looks.withLock { looks in
      looks.isOver = true
      let late = Look.failure(BehindReason.noAnswer(waited: policy.lookMax))
      return targets.keys.reduce(into: [:]) { $0[$1] = looks.found[$1] ?? late }
    }
  }

  /// Takes the target's lease, and checks that the target has everything that home has of the source.
  /// - Parameter key: the key of the first object that will be sent.
  /// - Returns: the target's lease on the source.
  /// - Throws: the reason why the target gets nothing.
  private func look(at name: String, _ source: SourceName, before key: String) throws -> Lease {
    guard let target = try targets[name]?.value() else { throw BehindReason.wasBehind }
    guard let lease = try Lease.take(on: source, of: target, waits: false, outlasts: false) else {
      throw BehindReason.busy(name: source.text, location: target.location)
    }
    guard try SyncPlanner(home: home, target: target, source: source).planOfSnapshots().isInStep else {
      throw BehindReason.wasBehind
    }
    // The unfinished objects of a killed run are removed, so that they do not lie among the new ones.
    let newest = try target.catalog.newestSnapshot(
      of: source, removingLeftoversUnder: lease, progress: UnwatchedProgress())
    try target.store.settle(below: newest.map { Keys.snapshot(source, $0.sequence) } ?? Keys.source(source))
    try lease.confirmHeld()
    do {
      try target.store.removeUnfinished(in: String(key[...(key.lastIndex(of: "/") ?? key.startIndex)]))
    } catch StoreError.removalRefused {
      // The target keeps unfinished objects. That is no obstacle.
    }
    return lease
  }

  // MARK: Leases

  func checkOpen(_ key: String, in folder: String, at target: String) throws {
    // Only a manifest makes a snapshot of the objects, so only manifests need the lease.
    guard Keys.isManifest(key) else { return }
    let lease = looks.withLock { $0?[folder]?[target] }
    guard let lease else { throw BehindReason.runEnded }
    try lease.get().checkHeld()
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
