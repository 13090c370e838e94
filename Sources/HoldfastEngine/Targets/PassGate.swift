internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// Decides which targets one pass writes to: those that have all that home has of the source, as both listings and the
/// newest manifest tell, and whose lease on the source is free. They are looked at side by side when the first object
/// of the source is begun, because the run holds home's lease by then.
final class PassGate: TargetGate {
  private typealias Look = Result<Lease, any Error>

  private struct Looks {
    var found: [String: Look] = [:]
    /// Whether nobody waits for more of them: a lease that comes now goes back.
    var isOver = false
  }

  private let home: Repository
  private let policy: TargetPolicy
  /// The targets by name. Each is being opened from the beginning on.
  private let targets: [String: Future<Repository>]
  /// What was found of each target, by folder; `nil` when the pass has ended.
  private let looks = Mutex<[String: [String: Look]]?>([:])

  /// - Parameter home: as it is read at home alone.
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
    // What is of no source is brought by a sync.
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

  /// Looks at all targets side by side, and waits a while for what they say.
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

  /// - Parameter key: of the first object that will be sent.
  /// - Returns: the target's lease on the source.
  /// - Throws: why the target gets nothing.
  private func look(at name: String, _ source: SourceName, before key: String) throws -> Lease {
    guard let target = try targets[name]?.value() else { throw BehindReason.wasBehind }
    guard let lease = try Lease.take(on: source, of: target, waits: false, outlasts: false) else {
      throw BehindReason.busy(name: source.text, location: target.location)
    }
    guard try SyncPlanner(home: home, target: target, source: source).planOfSnapshots().isInStep else {
      throw BehindReason.wasBehind
    }
    // What a killed run left there would lie beside what comes.
    let newest = try target.catalog.newestSnapshot(
      of: source, removingLeftoversUnder: lease, progress: UnwatchedProgress())
    try target.store.settle(below: newest.map { Keys.snapshot(source, $0.sequence) } ?? Keys.source(source))
    try lease.confirmHeld()
    do {
      try target.store.removeUnfinished(in: String(key[...(key.lastIndex(of: "/") ?? key.startIndex)]))
    } catch StoreError.removalRefused {
      // It does not count.
    }
    return lease
  }

  // MARK: Leases

  func checkOpen(_ key: String, in folder: String, at target: String) throws {
    // Data alone is no snapshot.
    guard Keys.isManifest(key) else { return }
    let lease = looks.withLock { $0?[folder]?[target] }
    guard let lease else { throw BehindReason.runEnded }
    try lease.get().checkHeld()
  }

  /// Gives all leases back. No manifest is committed from now on.
  func close() { looks.withLock { $0 = nil } }
}

/// Says nothing to anybody.
private final class UnwatchedProgress: ProgressObserver {
  func begin(phase: String, totalBytes: UInt64?) {}
  func advance(bytes: UInt64, files: UInt64) {}
  func skip(bytes: UInt64) {}
  func note(_ message: String) {}
  func warn(_ message: String) {}
}
