internal import HoldfastArchive
internal import HoldfastConfiguration
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
package import HoldfastSystem
internal import Synchronization

/// The targets from which a repository is read.
package enum ReadingPlace: Sendable {
  /// The only target that is read.
  case target(String)
  /// Home; if it does not answer, the next target that does.
  case one
  /// Listings come from the same target as with `one`, bytes from any target that has them.
  case all
}

extension RepositoryContext {
  /// Opens the repository for reading.
  /// - Parameters:
  ///   - looksAround: true if the run will read the snapshots and the journals of all sources.
  ///   - patience: the longest wait for a home that is not on this machine, if there are other targets.
  ///   - warn: gets warnings, for example that another target is read. Any thread may call it as long as the repository
  ///     is read.
  package func openToRead(
    from place: ReadingPlace, limit: RateLimit? = nil, olderCopy: Bool = false, for source: SourceName? = nil,
    looksAround: Bool = false, patience: TimeSpan = .seconds(10), warn: @escaping @Sendable (String) -> Void
  ) throws -> Repository {
    let targets = RepositoryTargets(self)
    @Sendable func open(_ context: RepositoryContext) throws -> Repository {
      var others: [Target] = []
      if case .all = place { others = targets.besides(context.target).compactMap(\.asTarget) }
      let outcomes = Mutex<TargetOutcomes?>(nil)
      var found = try context.open(
        limit: limit, olderCopy: olderCopy, for: source, looksAround: looksAround,
        under: { [others] store in
          guard !others.isEmpty else { return store }
          let joined = context.reading(store, others, warn)
          outcomes.withLock { $0 = joined.outcomes }
          return joined
        }, warn: warn)
      found.outcomes = outcomes.withLock { $0 }
      return found
    }
    if case .target(let name) = place {
      let target = try target(named: name)
      var found = try open(on(target))
      found.isHome = target == configured?.home
      return found
    }
    do {
      guard !targets.others.isEmpty else { return try open(self) }
      let found = try openSoon(patience) { try open(self) }
      warnOfOtherHome(than: found, warn)
      return found
    } catch let failure as any OperatorError where failure.isTransient || failure.exitStatus == .noRepository {
      for other in targets.others where !(failure is Interrupted) {
        guard var found = try? open(on(other)) else { continue }
        found.isHome = false
        warn("\(failure.message); reading from the target \(other.name), \(found.location)")
        return found
      }
      throw failure
    }
  }

  /// Opens home, and waits for it no longer than `patience`, because another target may answer at once.
  func openSoon<Value: Sendable>(
    _ patience: TimeSpan, _ open: @escaping @Sendable () throws -> Value
  ) throws -> Value {
    let answer = Monitor<Result<Value, any Error>?>(nil)
    let begin: @Sendable () -> Void = {
      let result = Result { try open() }
      answer.withLock { $0 = result }
    }
    guard location.directory == nil, WorkerThread.detach(begin) else { return try open() }
    guard let result = try answer.wait(patience, unless: machine.host.cancellation, until: { $0 }) else {
      throw StoreError.unavailable(location: location.description, reason: "no answer within \(patience.rounded())")
    }
    return try result.get()
  }

  /// Returns a store that lists what this target has, and reads it from all targets. It warns of the first bad answer
  /// of each target.
  private func reading(
    _ store: any Store, _ others: [Target], _ warn: @escaping @Sendable (String) -> Void
  ) -> TargetStore {
    TargetStore(
      home: Target(name: target?.name ?? "", store: store), others: others, clock: machine.host.clock,
      cancellation: machine.host.cancellation, gate: nil, folder: { Keys.targetFolder($0) },
      onBadAnswer: { target, answer in
        let isDamaged = answer.cause.isDamage
        warn(
          "the target \(target) \(isDamaged ? "has wrong bytes" : "failed"), and is read after the others: \(answer.cause.message)"
            + "\nHINT: "
            + (isDamaged
              ? "Run `holdfast scrub --repair` to mend it from the others."
              : "Run `holdfast target list` to see how far each target is."))
      })
  }
}

extension RepositoryTargets {
  /// Returns all targets except one.
  func besides(_ target: TargetSettings?) -> [OpenedTarget] {
    opened(all.filter { $0 != target })
  }
}
