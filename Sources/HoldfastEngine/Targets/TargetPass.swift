internal import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
internal import HoldfastSystem

/// One pass of a run that writes to all targets. Each object is written to home, and at the same time to every other
/// target that has everything that home has of the source. The remaining targets are behind, and a sync brings them up.
package struct TargetPass: Sendable {
  /// The repository as the run uses it until the pass has ended.
  package let repository: Repository
  private let store: TargetStore
  private let gate: PassGate

  /// - Parameters:
  ///   - home: the repository as it is opened at home alone.
  ///   - name: the name of home.
  ///   - others: the other targets. No two of them may have the same location.
  package init(from home: Repository, named name: String, to others: [Target], _ policy: TargetPolicy) {
    let gate = PassGate(home, others, policy)
    let store = TargetStore(
      home: Target(name: name, store: home.uncached.store), others: others, policy, clock: home.host.clock,
      cancellation: home.host.cancellation, gate: gate, shards: home.shards, folder: { Keys.targetFolder($0) })
    var repository = home.through { _ in store }
    repository.outcomes = store.outcomes
    repository.highestElsewhere = { gate.highestNumber(of: $0, above: $1) }
    (self.repository, self.store, self.gate) = (repository, store, gate)
  }

  /// Waits for the other targets as long as the policy says, ends the pass, and gives their leases back.
  /// - Parameter onWait: called once when it has waited for seconds, with the names of the targets that it waits for.
  /// - Returns: by the name of each target that is behind, the reason why it does not have everything of the source.
  /// - Throws: `Interrupted` after a signal.
  package func finish(
    _ source: SourceName, onWait: ([String]) -> Void = { _ in }
  ) throws -> [String: any OperatorError] {
    defer { gate.close() }
    try store.finish(onWait: onWait)
    let lags = store.outcomes.all.map { ($0.target, $0.behind[Keys.source(source)]?.cause) }
    return Dictionary(lags) { first, _ in first }.compactMapValues(\.self)
  }

  /// Ends the pass of a run that has failed: nothing more is sent.
  package func abandon() {
    store.abandon()
    gate.close()
  }
}
