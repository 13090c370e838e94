internal import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel
internal import HoldfastSystem

/// A prune as `--json` shows it.
package struct PruneJSON: Encodable {
  struct Line: Encodable {
    let id: String
    let sequence: UInt64
    let source: String
    let kind: String
    let time: String
    /// `keep`, `remove`, `wait` (removed earlier), `locked` (removed earlier, and not to be deleted yet), `held`
    /// (removed earlier, and not collected for the reason) or `collect`.
    let action: String
    let reasons: [String]
    let bytes: UInt64
    /// The time until it is collected, if that is known.
    let remainingSeconds: TimeSpan?
    /// The time at which its lock ends, for `locked`.
    let lockedUntil: String?
  }

  /// A target with a retention of its own, and one source.
  struct Target: Encodable {
    let target: String
    let source: String
    let keep: RetentionText
    let snapshots: [Line]
    /// The number of snapshots that home keeps and the target does not.
    let keptAtHomeOnly: Int
    /// The number of snapshots that the target keeps and home does not.
    let keptHereOnly: Int
    /// The reason why nothing is removed there.
    let refusal: String?

    init(_ plan: TargetPrunePlan, of source: String) {
      (target, self.source, keep) = (plan.name, source, RetentionText(plan.policy))
      snapshots = plan.lines.map(PruneJSON.line)
      (keptAtHomeOnly, keptHereOnly) = (plan.keptAtHomeOnly, plan.keptHereOnly)
      refusal = plan.refusal?.message
    }
  }

  struct Refusal: Encodable {
    let source: String
    let error: ErrorJSON.Failure
  }

  /// The files that are removed from an archived WAL.
  struct Log: Encodable {
    let source: String
    let system: String
    let fileCount: Int
    /// Damaged copies of files that are kept; each such file also has a sound copy.
    let damagedCopies: Int
    let bytes: UInt64
  }

  let dryRun: Bool
  /// The longest grace period, if sources have different ones.
  let graceSeconds: TimeSpan
  let snapshots: [Line]
  let logs: [Log]
  let refusals: [Refusal]
  let targets: [Target]
  /// The number of snapshots that home keeps and fewer targets than `min-copies` keep.
  let belowMinCopies: Int
  let keptSnapshots: Int
  let removedSnapshots: Int
  let waitingSnapshots: Int
  let lockedSnapshots: Int
  let collectedSnapshots: Int
  let freedBytes: UInt64
  let laterBytes: UInt64

  package init(_ report: Prune.Report, grace: TimeSpan) {
    dryRun = report.isDryRun
    graceSeconds = grace
    snapshots = report.sources.flatMap(\.lines).map(Self.line)
    logs = report.sources.flatMap(\.logs).map {
      Log(
        source: $0.source.text, system: $0.system.description, fileCount: $0.files,
        damagedCopies: $0.damagedCopies, bytes: $0.bytes)
    }
    refusals = report.sources.compactMap { source in
      source.refusal.map {
        Refusal(source: source.name.text, error: ErrorJSON.Failure($0))
      }
    }
    targets = report.sources.flatMap { source in source.targets.map { Target($0, of: source.name.text) } }
    belowMinCopies = report.sources.reduce(0) { $0 + $1.belowMinCopies }
    let sums = PruneSums(report)
    (keptSnapshots, removedSnapshots) = (sums.kept.count, sums.removed.count)
    (waitingSnapshots, lockedSnapshots) = (sums.waiting.count, sums.locked.count)
    collectedSnapshots = sums.collected.count
    freedBytes = sums.collected.bytes &+ sums.logBytes
    laterBytes = sums.laterBytes
  }

  private static func line(_ line: Prune.Line) -> Line {
    let envelope = line.snapshot.envelope
    var (action, reasons, timeLeft): (String, [String], TimeSpan?) = ("keep", [], nil)
    var lockedUntil: String?
    switch line.action {
    case .kept(let kept): reasons = kept.map(\.description)
    case .removed: action = "remove"
    case .waiting(let left): (action, timeLeft) = ("wait", left)
    case .locked(let end): (action, lockedUntil) = ("locked", TimeText.utc(end))
    case .held(let hold): (action, reasons) = ("held", [hold.text])
    case .collected: action = "collect"
    }
    return Line(
      id: envelope.snapshot.description, sequence: envelope.sequence, source: envelope.source.name.text,
      kind: envelope.kind.rawValue, time: envelope.time.started.description, action: action, reasons: reasons,
      bytes: line.bytes,
      remainingSeconds: timeLeft, lockedUntil: lockedUntil)
  }
}
