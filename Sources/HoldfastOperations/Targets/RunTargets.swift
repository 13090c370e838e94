internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore

/// The targets of a repository as a run uses them that adds a snapshot: what it writes goes to all of them in one pass,
/// and afterwards those that are behind are brought up.
package struct RunTargets: Sendable {
  /// What became of one pass: by the names of targets, why they do not have everything; or how it was interrupted.
  package typealias Lags = Result<[String: any OperatorError], any Error>

  private let home: Repository
  private let targets: RepositoryTargets
  private let linger: TimeSpan?
  private let away: AwayTargets

  /// - Parameters:
  ///   - home: the repository as it is opened at home alone.
  ///   - linger: how long targets that are not needed are waited for at the end; `nil` for what the configuration says.
  ///   - away: what the run knows from its other sources.
  package init(
    _ home: Repository, of context: RepositoryContext, linger: TimeSpan? = nil, away: AwayTargets = AwayTargets()
  ) {
    (self.home, targets) = (home, RepositoryTargets(context))
    (self.linger, self.away) = (linger, away)
  }

  /// How the others are opened for one run.
  package struct Pass: Sendable {
    fileprivate let others: [OpenedTarget]
    fileprivate let lags: Lags
  }

  /// Does work that adds a snapshot.
  /// - Parameter work: gets the repository to write to.
  /// - Returns: what the work returned, and what became of the other targets; `nil` when there are none.
  package func inOnePass<Value>(
    on source: (Value) -> SourceName, _ progress: any ProgressObserver, _ work: (Repository) throws -> Value
  ) throws -> (value: Value, pass: Pass?) {
    guard !targets.others.isEmpty else { return (try work(home), nil) }
    let others = targets.opened(targets.others)
    let asked = others.filter { away.obstacle(at: $0.name, of: targets.repositoryName) == nil }
    let pass = TargetPass(from: home, named: targets.homeName, to: asked.compactMap(\.asTarget), policy)
    let value: Value
    do {
      value = try work(pass.repository)
    } catch {
      pass.abandon()
      throw error
    }
    // What was committed is told before a signal ends the run.
    let lags = Lags {
      try pass.finish(source(value)) { names in
        progress.note("\(targets.homeName) has it; waiting for \(names.joined(separator: ", "))")
      }
    }
    return (value, Pass(others: others, lags: lags))
  }

  private var policy: TargetPolicy {
    var policy = TargetPolicy()
    policy.minCopies = targets.minCopies
    policy.linger = linger ?? targets.linger
    return policy
  }

  /// Brings those up that are behind, after a pass. A target that is only slower than others, of which there are
  /// enough, is left to the next run.
  /// - Returns: which targets have the snapshot.
  package func bringUp(
    _ source: SourceName, _ sequence: UInt64, after pass: Pass, _ progress: any ProgressObserver
  ) throws -> SnapshotCopies {
    let lags = try pass.lags.get()
    let passed = pass.others.filter { lags[$0.name] == nil && $0.asTarget != nil }.map(\.name)
      .filter { away.obstacle(at: $0, of: targets.repositoryName) == nil }
    let isEnough = passed.count + 1 >= targets.minCopies
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
      others: results)
  }
}
