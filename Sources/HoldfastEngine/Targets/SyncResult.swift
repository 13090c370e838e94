package import HoldfastArchive
package import HoldfastModel

/// The result of a sync for one source at one target.
package struct SyncResult: Sendable {
  package let source: SourceName
  /// The snapshots that the target has now and did not have whole before.
  package internal(set) var copied: [Snapshot] = []
  /// The snapshots that only the target had, and that home has now.
  package internal(set) var brought: [Snapshot] = []
  /// True if the source was removed at home, and is not any more because of what was brought, or would be.
  package internal(set) var isBack = false
  /// The snapshots that were removed at the target.
  package internal(set) var removed: [Snapshot] = []
  /// The snapshots that only the target has.
  package internal(set) var onlyThere: [Snapshot] = []
  /// The objects that are damaged at home or at the target.
  package internal(set) var findings: [SyncFinding] = []
  /// The sequence numbers of the snapshots of home that could not be copied.
  package internal(set) var blocked: Set<UInt64> = []
  /// The sequence numbers of the snapshots that a prune removed at home meanwhile.
  var gone: Set<UInt64> = []
  /// The message with which the target refused a removal; `nil` if it refused none.
  package internal(set) var refusal: String?
  /// The error that stopped the sync; `nil` if it came to its end.
  package internal(set) var failure: (any OperatorError)?
  /// The plan; `nil` if the sync stopped before it was made.
  package internal(set) var plan: SyncPlan?

  init(_ source: SourceName) { self.source = source }

  /// Begins a result with the findings of the plan.
  init(_ plan: SyncPlan) {
    source = plan.source
    (onlyThere, findings, blocked, self.plan) = (plan.onlyThere, plan.findings, plan.blocked, plan)
  }

  /// Records that the snapshot cannot be copied, and so no snapshot that builds on it.
  mutating func block(_ snapshot: Snapshot) { blocked.insert(snapshot.sequence) }

  /// Records that the snapshot was removed at home meanwhile.
  mutating func pass(over snapshot: Snapshot) { gone.insert(snapshot.sequence) }

  /// The numbers of the snapshots that the target does not have whole; `nil` if that is not known.
  private var missing: Set<UInt64>? {
    plan.map { plan in
      Set(plan.snapshots.map(\.snapshot.sequence)).subtracting(copied.map(\.sequence)).subtracting(gone).union(blocked)
    }
  }

  /// The number of snapshots that the target does not have whole; 0 if that is not known.
  package var behind: Int { missing?.count ?? 0 }

  /// Returns true if the target has a snapshot of home whole.
  /// - Parameter chain: the number of the snapshot, and the numbers of all that it builds on.
  package func has(_ chain: [UInt64]) -> Bool {
    guard let plan, let missing else { return false }
    let listed = plan.listedAtTarget.union(copied.map(\.sequence))
    return chain.allSatisfy { listed.contains($0) && !missing.contains($0) && !gone.contains($0) }
  }

  /// The findings that an operator should look at, though nothing is wrong with the copies.
  /// - Parameter target: the name of the target.
  package func warnings(at target: String) -> [String] {
    var warnings: [String] = []
    if isBack {
      warnings.append(
        "the source \(source) was removed, and comes back: \(target) has snapshots of it that home did not know when it was removed; if they may go, run `holdfast source remove \(source)` again"
      )
    }
    if let first = onlyThere.first {
      warnings.append(
        "\(target) has \(Amount.count(UInt64(onlyThere.count), "snapshot")) of \(source), \(first.id.short) first, that home does not have, and nobody has removed: kept"
      )
    }
    if let diverged = plan?.diverged, let first = diverged.first {
      warnings.append(
        "\(target) has \(Amount.count(UInt64(diverged.count), "revision")) of the notes on \(source), number \(first) first, that diverged: written apart from those at home, which are newer and count"
      )
    }
    return warnings
  }

  /// Adds what was brought home before the target was brought up.
  mutating func add(returned: SyncResult) {
    brought = returned.copied
    findings = returned.findings + findings
    let known = Set(returned.copied.map(\.sequence)).union(returned.plan?.snapshots.map(\.snapshot.sequence) ?? [])
    onlyThere.removeAll { known.contains($0.sequence) }
  }

  /// True if the target has everything of this source that home has.
  package var isInStep: Bool { behind == 0 && findings.isEmpty && failure == nil }
}

/// The result of a sync for one target.
package struct TargetResult: Sendable {
  /// The name of the target in the configuration.
  package let target: String
  package let location: String
  package internal(set) var sources: [SyncResult] = []
  /// The error because of which nothing could be done there; `nil` if each source has a result of its own.
  package internal(set) var failure: (any OperatorError)?

  package init(_ target: String, at location: String, failure: (any OperatorError)? = nil) {
    (self.target, self.location, self.failure) = (target, location, failure)
  }

  package var isInStep: Bool { failure == nil && sources.allSatisfy(\.isInStep) }

  /// True if it had snapshots that home lacked, so that other targets may still lack them.
  package var hasBroughtHome: Bool { sources.contains { !$0.brought.isEmpty } }

  /// Returns the result of two syncs of the target, one after the other.
  package func followed(by later: TargetResult) -> TargetResult {
    var both = later
    for index in both.sources.indices {
      guard let first = sources.first(where: { $0.source == both.sources[index].source }) else { continue }
      both.sources[index].copied = first.copied + both.sources[index].copied
      both.sources[index].brought = first.brought + both.sources[index].brought
      both.sources[index].removed = first.removed + both.sources[index].removed
    }
    return both
  }

  /// The cause for which the target is behind, or not known to be in step; `nil` if it is in step.
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

  /// The error about which an operator must decide, such as two histories under one number, or a wrong location.
  package var decision: TargetError? {
    ([failure].compactMap(\.self) + sources.compactMap(\.failure)).lazy.compactMap { $0 as? TargetError }
      .first { error in
        switch error {
        case .absent, .notListed: false
        default: true
        }
      }
  }

  /// 0 if the target is in step, 3 if it is behind or has what home has lost. `decision` has a status of its own.
  package var exitStatus: ExitStatus {
    max(isInStep && !hasMore ? .done : .incomplete, decision?.exitStatus ?? .done)
  }

  /// True if it has snapshots that home does not have, and that nobody has removed.
  package var hasMore: Bool { sources.contains { !$0.onlyThere.isEmpty } }
}
