internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore

/// The targets of a repository in a run that adds a snapshot. The run writes to all of them in one pass, and afterwards
/// brings those up that are behind.
package struct RunTargets: Sendable {
  /// The result of one pass: by the name of each target that is behind, the reason for that; or the interruption.
  package typealias Lags = Result<[String: any OperatorError], any Error>

  private let home: Repository
  private let targets: RepositoryTargets
  private let linger: TimeSpan?
  private let away: AwayTargets

  /// - Parameters:
  ///   - home: the repository as it is opened at home alone.
  ///   - linger: the longest wait at the end for targets that are not needed; `nil` for the time in the configuration.
  ///   - away: the targets that did not answer for other sources of the run.
  package init(
    _ home: Repository, of context: RepositoryContext, linger: TimeSpan? = nil, away: AwayTargets = AwayTargets()
  ) {
    (self.home, targets) = (home, RepositoryTargets(context, isChosen: true))
    (self.linger, self.away) = (linger, away)
  }

  /// One pass that has ended: the other targets, and those of them that are behind.
  package struct Pass: Sendable {
    fileprivate let others: [OpenedTarget]
    fileprivate let lags: Lags
    /// The notes of the damage that the run has met, for people.
    fileprivate let damage: [String]
  }

  /// Does work that adds a snapshot.
  /// - Parameter work: gets the repository to write to.
  /// - Returns: the value that the work returned, and the pass; `nil` for the pass when there are no other targets.
  package func inOnePass<Value>(
    on source: (Value) -> SourceName, _ progress: any ProgressObserver, _ work: (Repository) throws -> Value
  ) throws -> (value: Value, pass: Pass?) {
    guard !targets.others.isEmpty else { return (try work(home), nil) }
    let others = targets.opened(targets.others)
    let asked = others.filter { away.obstacle(at: $0.name, of: targets.repositoryName) == nil }
    func begin() -> TargetPass {
      TargetPass(from: home, named: targets.homeName, to: asked.compactMap(\.asTarget).map(place), policy)
    }
    var pass = begin()
    let value: Value
    do {
      value = try attempt(pass, progress, work)
    } catch ShardError.tooFew {
      // Some that answer may only be behind.
      _ = try targets.sync(from: home, to: asked, observer: SyncProgress(progress))
      pass = begin()
      value = try attempt(pass, progress, work)
    }
    // The lags keep a signal, so that the run can report what was committed before the signal ends it.
    let lags = Lags {
      try pass.finish(source(value)) { names in
        progress.note("\(targets.homeName) has it; waiting for \(names.joined(separator: ", "))")
      }
    }
    let damage = targets.noteDamage(metIn: pass.repository.outcomes, home)
    return (value, Pass(others: others, lags: lags, damage: damage))
  }

  private func attempt<Value>(
    _ pass: TargetPass, _ progress: any ProgressObserver, _ work: (Repository) throws -> Value
  ) throws -> Value {
    do {
      return try work(pass.repository)
    } catch {
      pass.abandon()
      for text in targets.noteDamage(metIn: pass.repository.outcomes, home) { progress.warn(text) }
      throw error
    }
  }

  private func place(_ target: Target) -> Target {
    Target(name: target.name, store: home.place(target.name, target.store))
  }

  /// The targets that are not asked again, by name, with the reasons.
  var obstacles: [String: BehindReason] {
    Dictionary(
      uniqueKeysWithValues: targets.others.compactMap { target in
        away.obstacle(at: target.name, of: targets.repositoryName).map { (target.name, $0) }
      })
  }

  /// Notes the targets that did not answer a scrub.
  func note(_ results: [ScrubResult]) {
    for result in results { away.note(result, of: targets.repositoryName) }
  }

  private var policy: TargetPolicy {
    var policy = TargetPolicy()
    policy.minCopies = targets.minCopies
    policy.linger = linger ?? targets.linger
    return policy
  }

  /// Brings the targets up that are behind after a pass. If `minCopies` targets have the snapshot, a target that was
  /// only too slow is left to the next run.
  /// - Returns: the targets that have the snapshot, and the results of the others.
  package func bringUp(
    _ source: SourceName, _ sequence: UInt64, after pass: Pass, _ progress: any ProgressObserver
  ) throws -> SnapshotCopies {
    pass.damage.forEach(progress.warn)
    let lags = try pass.lags.get()
    let passed = pass.others.filter { lags[$0.name] == nil && $0.asTarget != nil }.map(\.name)
      .filter { away.obstacle(at: $0, of: targets.repositoryName) == nil }
    let spares = try home.targets.newest()?.spares ?? []
    let isEnough = passed.count { !spares.contains($0) } + 1 >= targets.minCopies
    func left(_ target: OpenedTarget) -> BehindReason? {
      if let obstacle = away.obstacle(at: target.name, of: targets.repositoryName) { return obstacle }
      if isEnough, let lag = lags[target.name] as? BehindReason, case .tooSlow = lag { return lag }
      return nil
    }
    let synced = try targets.sync(
      from: home, to: pass.others.filter { left($0) == nil }, source, observer: SyncProgress(progress))
    for result in synced { away.note(result, of: targets.repositoryName) }
    let results = pass.others.compactMap { target in
      synced.first { $0.target == target.name }
        ?? left(target).map { TargetResult(target.name, at: target.settings.location, failure: $0) }
    }
    let tip = try home.catalog.snapshotIfCommitted(source, sequence)
    let parents = try tip.map { try home.catalog.chain(to: $0).snapshots.map(\.sequence) } ?? []
    return SnapshotCopies(
      home: targets.homeName, chain: parents + [sequence], minCopies: targets.minCopies, passed: Set(passed),
      others: results, spares: Set(spares), minimumSetting: home.shards == nil ? "min-copies" : "min-shards")
  }
}
