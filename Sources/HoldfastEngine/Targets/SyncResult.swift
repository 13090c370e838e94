package import HoldfastArchive
package import HoldfastModel

/// What a sync did with one source at one target.
package struct SyncResult: Sendable {
  package let source: SourceName
  /// The snapshots that the target has now and did not have whole before.
  package internal(set) var copied: [Snapshot] = []
  /// The snapshots that were removed at the target.
  package internal(set) var removed: [Snapshot] = []
  /// Snapshots that only the target has.
  package internal(set) var onlyThere: [Snapshot] = []
  /// What is damaged at home or at the target.
  package internal(set) var findings: [SyncFinding] = []
  /// Snapshots of home that could not be copied, by sequence.
  package internal(set) var blocked: Set<UInt64> = []
  /// Snapshots that a prune removed at home meanwhile, by sequence.
  var gone: Set<UInt64> = []
  /// What the target refused to remove; `nil` when it refused nothing.
  package internal(set) var refusal: String?
  /// Why the sync stopped; `nil` when it came to its end.
  package internal(set) var failure: (any OperatorError)?
  /// `nil` when it stopped before it was made.
  package internal(set) var plan: SyncPlan?

  init(_ source: SourceName) { self.source = source }

  /// A result that begins with what the plan knows.
  init(_ plan: SyncPlan) {
    source = plan.source
    (onlyThere, findings, blocked, self.plan) = (plan.onlyThere, plan.findings, plan.blocked, plan)
  }

  /// The snapshot cannot be copied, nor what builds on it.
  mutating func block(_ snapshot: Snapshot) { blocked.insert(snapshot.sequence) }

  /// The snapshot is not there any more.
  mutating func pass(over snapshot: Snapshot) { gone.insert(snapshot.sequence) }

  /// The numbers of the snapshots that the target does not have whole; `nil` when that is not known.
  private var missing: Set<UInt64>? {
    plan.map { plan in
      Set(plan.snapshots.map(\.snapshot.sequence)).subtracting(copied.map(\.sequence)).subtracting(gone).union(blocked)
    }
  }

  /// Number of snapshots that the target does not have whole.
  package var behind: Int { missing?.count ?? 0 }

  /// Whether the target has a snapshot of home whole.
  /// - Parameter chain: its number, and the numbers of all that it builds on.
  package func has(_ chain: [UInt64]) -> Bool {
    guard let plan, let missing else { return false }
    let listed = plan.there.union(copied.map(\.sequence))
    return chain.allSatisfy { listed.contains($0) && !missing.contains($0) && !gone.contains($0) }
  }

  /// Whether the target has all that home has.
  package var isInStep: Bool { behind == 0 && findings.isEmpty && failure == nil }
}

/// What a sync did with one target.
package struct TargetResult: Sendable {
  /// The name of the target in the configuration.
  package let target: String
  package let location: String
  package internal(set) var sources: [SyncResult] = []
  /// Why nothing could be done there; `nil` when its sources say how it went.
  package internal(set) var failure: (any OperatorError)?

  package init(_ target: String, at location: String, failure: (any OperatorError)? = nil) {
    (self.target, self.location, self.failure) = (target, location, failure)
  }

  package var isInStep: Bool { failure == nil && sources.allSatisfy(\.isInStep) }

  /// Why the target is behind, or not sure to be in step; `nil` when it is in step.
  package var cause: String? {
    if let failure { return failure.message }
    for source in sources {
      if let failure = source.failure { return failure.message }
      if let finding = source.findings.first { return "\(finding.message) (in \(finding.location))" }
      if source.behind > 0 {
        return "\(Amount.count(UInt64(source.behind), "snapshot")) of \(source.source) is missing"
      }
    }
    return nil
  }

  /// What an operator has to decide: two histories under one number, or a place that is not meant.
  package var decision: TargetError? {
    ([failure].compactMap(\.self) + sources.compactMap(\.failure)).lazy.compactMap { $0 as? TargetError }
      .first { if case .absent = $0 { false } else { true } }
  }

  /// 0 when it is in step, 3 when it is behind. What an operator has to decide has a status of its own.
  package var exitStatus: ExitStatus { max(isInStep ? .done : .incomplete, decision?.exitStatus ?? .done) }
}
