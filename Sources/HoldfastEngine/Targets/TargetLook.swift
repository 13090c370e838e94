internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository
package import HoldfastStore

extension TargetRetention {
  /// - Parameter store: the store of the target, or the reason why it cannot be used. No request was sent to it yet.
  package init(_ name: String, policy: RetentionPolicy?, _ store: Result<any Store, any Error>) {
    self.init(name: name, policy: policy) { source, home in
      if let shards = home.shards, policy != nil {
        throw EngineError(
          .usage, "the target \(name) has a keep of its own, beside erasure \(shards.scheme)",
          hint: "No target has a whole snapshot there: all keep what home keeps. Take keep out.", exitStatus: .usage)
      }
      let target = try TargetIdentity(of: home.place(name, store.get()), home: home, as: name).open(isDryRun: true)
      return try TargetHoldings(of: source, at: target, home: home)
    }
  }
}

extension TargetHoldings {
  /// Reads the snapshots of a source at a target.
  /// - Throws: `EngineError` when something of it is damaged there or at home.
  fileprivate init(of source: SourceName, at target: Repository, home: Repository) throws {
    let planner = SyncPlanner(home: home, target: target, source: source, own: try home.targets.ownNumbers())
    let plan = try planner.planOfSnapshots()
    if let finding = plan.findings.first {
      throw EngineError(
        .repository, "\(finding.message) (in \(finding.location))", hint: "Run `holdfast scrub --repair`.",
        exitStatus: .dataLoss)
    }
    self.init(target, listed: plan.listedAtTarget, missing: plan.missing)
    for sequence in listed.subtracting(plan.listedAtHome).sorted() {
      guard let snapshot = try target.catalog.snapshotIfCommitted(source, sequence) else { continue }
      onlyThere.append(try target.catalog.held.hold(snapshot))
    }
    lacksLogs = try !WALCopy(from: home, to: target, of: source).missing { [listed] in
      try home.catalog.committedSnapshots(of: source, onDamage: { _ in }).filter { listed.contains($0.sequence) }
    }.isEmpty
  }
}
