internal import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel
internal import HoldfastSystem

/// `holdfast sync --json`: an object that is damaged at home or at a target.
private struct Damage: Encodable {
  let location: String
  let object: String
  let text: String

  init(_ finding: SyncFinding) { (location, object, text) = (finding.location, finding.object, finding.message) }
}

/// `holdfast sync --json`: one target.
package struct TargetResultJSON: Encodable {
  private struct Source: Encodable {
    let source: String
    /// Snapshots that were copied, or would be in a dry run.
    let copied: [String]
    let removed: [String]
    /// Snapshots that only the target had, and that were brought home.
    let brought: [String]
    /// True if the source was removed, and comes back with what is brought home.
    let back: Bool
    /// Snapshots that only the target has.
    let onlyThere: [String]
    /// Snapshots that home has removed and the target keeps by its own retention.
    let keptThere: [String]
    /// Revisions of the notes that were written at the target apart from those at home, and do not count.
    let diverged: [UInt64]
    let bytes: UInt64
    let behind: Int
    let damage: [Damage]
    let error: ErrorJSON.Failure?
  }

  let target: String
  let location: String
  let inStep: Bool
  let error: ErrorJSON.Failure?
  private let sources: [Source]

  package init(_ result: TargetResult, isDryRun: Bool) {
    (target, location, inStep) = (result.target, result.location, result.isInStep)
    error = result.failure.map { ErrorJSON.Failure($0) }
    sources = result.sources.map { one in
      let copied = isDryRun ? one.plan?.snapshots.map(\.snapshot) ?? [] : one.copied
      let removed = isDryRun ? one.plan?.collected ?? [] : one.removed
      return Source(
        source: one.source.text, copied: copied.map(\.id.description), removed: removed.map(\.id.description),
        brought: one.brought.map(\.id.description), back: one.isBack,
        onlyThere: one.onlyThere.map(\.id.description), keptThere: one.plan?.keptThere.map(\.id.description) ?? [],
        diverged: one.plan?.diverged ?? [],
        bytes: one.plan?.bytes ?? 0, behind: one.behind,
        damage: one.findings.map { Damage($0) },
        error: one.failure.map { ErrorJSON.Failure($0) })
    }
  }
}

/// `holdfast sync --json`.
package struct SyncJSON: Encodable {
  /// True if all targets have everything that home has, and their shards are in place.
  let inStep: Bool
  let targets: [TargetResultJSON]
  /// The shards that each target got for a new scheme or at another position; empty if nothing is in shards.
  let placements: [PlacementJSON]?

  /// - Parameter placed: the results of the placement; `nil` for a command that places nothing.
  package init(_ results: [TargetResult], placed: [PlacementResult]?, isDryRun: Bool) {
    inStep = results.allSatisfy(\.isInStep) && placed?.allSatisfy(\.isWithoutFault) ?? true
    targets = results.map { TargetResultJSON($0, isDryRun: isDryRun) }
    placements = placed?.map { PlacementJSON($0) }
  }
}

/// `holdfast sync --json`: the placement of shards at one target.
package struct PlacementJSON: Encodable {
  private let target: String
  /// Objects of which it got its shard, or would in a dry run.
  private let placed: Int
  /// Shards in another scheme or position, and whole objects, that went.
  private let removedShards: Int
  private let damage: [Damage]
  private let error: ErrorJSON.Failure?

  init(_ result: PlacementResult) {
    (target, placed, removedShards) = (result.target, result.placed, result.removed)
    damage = result.findings.map { Damage($0) }
    error = result.failure.map { ErrorJSON.Failure($0) }
  }
}

/// `holdfast sync` for people.
package struct TargetResultText {
  /// The actions that were taken, or would be in a dry run.
  package let lines: [String]
  /// Findings that an operator should look at; `hint` is the next thing to do.
  package let warnings: [String]
  package let hint: String?

  package init(_ result: TargetResult, isDryRun: Bool) {
    var lines: [String] = []
    var warnings: [String] = []
    for one in result.sources {
      let copied = isDryRun ? one.plan?.snapshots.count ?? 0 : one.copied.count
      let removed = isDryRun ? one.plan?.collected.count ?? 0 : one.removed.count
      var parts: [String] = []
      let bytes = Amount.bytes(one.plan?.bytes ?? 0)
      if copied > 0 { parts.append("\(Amount.count(UInt64(copied), "snapshot")) with \(bytes)") }
      if let logs = one.plan?.logs.count, logs > 0 { parts.append(Amount.count(UInt64(logs), "file") + " of log") }
      if !one.brought.isEmpty {
        lines.append(
          "\(result.target): \(one.source): brought home \(Amount.count(UInt64(one.brought.count), "snapshot"))")
      }
      let verb = isDryRun ? "would copy " : "copied "
      var text = parts.isEmpty ? "" : verb + parts.joined(separator: ", ")
      if removed > 0 {
        text += (text.isEmpty ? "" : "; ") + (isDryRun ? "would remove " : "removed ") + "\(removed)"
      }
      if text.isEmpty { text = one.isInStep ? "in step" : "nothing copied" }
      lines.append("\(result.target): \(one.source): \(text)")
      for finding in one.findings { warnings.append("DAMAGED: \(finding.message) (in \(finding.location))") }
      if let failure = one.failure { warnings.append("\(result.target): \(one.source): \(failure.message)") }
      if let refusal = one.refusal { warnings.append("WARNING: what was collected stays: \(refusal)") }
      warnings += one.warnings(at: result.target).map { "WARNING: " + $0 }
      if one.behind > 0, !isDryRun {
        warnings.append(
          "\(result.target) is behind: \(Amount.count(UInt64(one.behind), "snapshot")) of \(one.source) could not be copied"
        )
      }
    }
    if let failure = result.failure { warnings.append("\(result.target) is behind: \(failure.message)") }
    let failures = [result.failure].compactMap(\.self) + result.sources.compactMap(\.failure)
    hint =
      failures.compactMap(\.hint).first
      ?? (result.sources.contains { !$0.findings.isEmpty }
        ? "Run `holdfast scrub --repair`: it replaces what is damaged by what another target has sound." : nil)
      ?? (result.hasMore ? "Run `holdfast scrub --repair`: it brings back what home has lost." : nil)
    (self.lines, self.warnings) = (lines, warnings)
  }
}

/// `holdfast target list --json`.
package struct TargetsJSON<Target: Encodable>: Encodable {
  let targets: [Target]

  package init(_ targets: [Target]) { self.targets = targets }
}

/// `holdfast target list --json`: one target.
package struct TargetStandingJSON: Encodable {
  private struct Source: Encodable {
    let source: String
    let newest: SnapshotReferenceJSON?
    let behind: Int?
    let hasNewest: Bool?
    /// Since when scrubs of this machine have proved all of its data; `null` when they have not.
    let provedSince: String?
    /// The share of its data that they have proved.
    let provedShare: Double?
  }

  private let target: String
  private let location: String
  private let home: Bool
  private let domains: [String: String]
  /// Its own retention; `null` if it keeps what home keeps.
  private let keep: Known<RetentionText>
  private let error: ErrorJSON.Failure?
  private let sources: [Source]

  package init(
    _ target: String, location: String, isHome: Bool, domains: [String: String], keeps policy: RetentionPolicy?,
    _ standings: Result<[TargetStanding], any Error>
  ) {
    (self.target, self.location, home, self.domains) = (target, location, isHome, domains)
    keep = Known(policy.map { RetentionText($0) })
    switch standings {
    case .success(let found):
      error = nil
      sources = found.map {
        Source(
          source: $0.source.text, newest: $0.newest.map { SnapshotReferenceJSON($0) }, behind: $0.behind,
          hasNewest: $0.hasNewest,
          provedSince: $0.proofs?.allSince.map { TimeText.utc($0) }, provedShare: $0.proofs?.share)
      }
    case .failure(let failure): (error, sources) = (ErrorJSON.Failure(describe(failure)), [])
    }
  }
}

/// `holdfast target list` for people, and the lines of `holdfast status`.
package enum TargetStandingText {
  package static func lines(
    _ target: String, location: String, isHome: Bool, domains: [String: String], keeps policy: RetentionPolicy?,
    _ standings: Result<[TargetStanding], any Error>
  ) -> [String] {
    let head =
      [head(target, location: location, isHome: isHome, domains: domains)]
      + (policy.map { ["  keeps \(RetentionText($0).text)"] } ?? [])
    switch standings {
    case .failure(let failure): return head + ["  ! \(describe(failure).message)"]
    case .success(let found):
      return head + (found.isEmpty ? ["  no snapshots"] : found.flatMap(sourceLines))
    }
  }

  private static func sourceLines(_ standing: TargetStanding) -> [String] {
    ["  \(standing.source): \(state(standing))"] + (standing.proofs.map { ["    \(proved($0))"] } ?? [])
  }

  /// Says in words what scrubs have proved.
  package static func proved(_ proofs: TargetProofs) -> String {
    if let since = proofs.allSince { return "all of its data was proved since \(TimeText.local(since))" }
    return proofs.share > 0
      ? "only \(Amount.share(proofs.share)) of its data was proved, by scrubs of this machine"
      : "nothing of its data was proved by a scrub of this machine"
  }

  static func head(_ target: String, location: String, isHome: Bool, domains: [String: String]) -> String {
    let place = domains.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    return "\(target): \(location)" + (isHome ? " (home)" : "") + (place.isEmpty ? "" : " [\(place)]")
  }

  /// Says in words if it has the newest snapshot.
  package static func state(_ standing: TargetStanding) -> String {
    let newest = standing.newest.map {
      "newest \($0.id.short), number \($0.sequence), of \(TimeText.local($0.envelope.started))"
    }
    let behind =
      switch standing.behind {
      case nil: "home does not answer"
      case 0: "in step"
      case let count?: "\(Amount.count(UInt64(count), "snapshot")) behind"
      }
    return "\(newest ?? "no snapshot"); \(behind)"
  }
}
