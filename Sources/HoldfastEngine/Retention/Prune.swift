package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Removes the snapshots that a policy does not keep, in two steps. First a note says that a snapshot is removed, which
/// hides it. When this machine has known that for the grace period, another note says that it is collected; then its
/// objects are deleted, the manifest first.
package struct Prune {
  /// The policy for a source, and the time for which a removal can be undone.
  package struct Rules: Sendable {
    package var policy: RetentionPolicy
    /// The grace period; 0 removes and collects at once.
    package var grace: TimeSpan

    package init(policy: RetentionPolicy, grace: TimeSpan = .days(7)) { (self.policy, self.grace) = (policy, grace) }
  }

  package struct Options: Sendable {
    /// The rules of every source.
    package var rules: Rules
    /// The rules of single sources, which replace `rules`. If there are any, other sources are left alone.
    package var sourceRules: [SourceName: Rules] = [:]
    package var source: SourceName?
    package var isDryRun = false
    /// True if the prune waits for another run that has the lease on a source.
    package var waitsForLock = false
    /// The time after its removal for which the notes keep a collected snapshot, so that other targets remove it too.
    package var tellsCollected = TimeSpan.zero
    /// The snapshots of which somebody has agreed that they go; the prune refuses if another one would. `nil` if nobody
    /// was asked.
    package var agreed: Set<Identifier>?
    /// The other targets of the repository.
    package var targets: [TargetRetention] = []
    /// The number of targets that must have a new snapshot.
    package var minCopies = 1
    /// Returns what is known of the copies of the snapshots of a source; `nil` when it shall not be asked for.
    package var proofs: (@Sendable (SourceName, Repository) throws -> any CopyProofs)?

    package init(policy: RetentionPolicy) { rules = Rules(policy: policy) }

    package var grace: TimeSpan {
      get { rules.grace }
      set { rules.grace = newValue }
    }

    var hasRules: Bool { !sourceRules.isEmpty || !rules.policy.isEmpty }

    /// Returns the rules for a source; `nil` if no rule says what to keep of it.
    func rules(of name: SourceName) -> Rules? {
      let rules = sourceRules.isEmpty ? rules : sourceRules[name]
      return rules.flatMap { $0.policy.isEmpty ? nil : $0 }
    }
  }

  /// The action of a prune on a snapshot.
  package enum Action: Hashable, Sendable {
    case kept([RetentionReason])
    /// The snapshot is removed now.
    case removed
    /// The snapshot was removed earlier, and can be called back during `timeLeft`; `nil` if this machine does not know
    /// how long.
    case waiting(timeLeft: TimeSpan?)
    /// The snapshot was removed earlier, and its objects are locked until `until`.
    case locked(until: Timestamp)
    /// The snapshot was removed earlier, and must stay until something is done.
    case held(Hold)
    case collected

    /// True if the snapshot is removed or collected now.
    package var isLoss: Bool { self == .removed || self == .collected }
  }

  /// The reason why a removed snapshot is not collected though its grace period is over.
  package enum Hold: Hashable, Sendable {
    /// A target that keeps it does not have it yet.
    /// - Parameter target: the name of the target.
    case awaited(target: String)
    /// It is the last proved copy.
    /// - Parameter copy: says which copy stays, and that it is not proved.
    case lastProved(copy: String)

    package var text: String {
      switch self {
      case .awaited(let target): "\(target) keeps it, and does not have it yet"
      case .lastProved(let copy): "it is the last proved copy: \(copy)"
      }
    }
  }

  package struct Line: Sendable {
    package let snapshot: Snapshot
    package let action: Action
    /// The bytes of its objects; for a snapshot that is not kept, only of those that no kept snapshot needs.
    package let bytes: UInt64

    func acting(_ action: Action) -> Line { Line(snapshot: snapshot, action: action, bytes: bytes) }
  }

  /// The reason for which nothing of a source is removed.
  package struct Refusal: OperatorError, Hashable {
    package let scope: ErrorScope
    package let message: String
    package let hint: String?
    package let exitStatus: ExitStatus
  }

  package struct SourceReport: Sendable {
    package let name: SourceName
    /// The plan that was carried out, or would be.
    package let outcome: Result<PrunePlan, Refusal>

    package var lines: [Line] { plan?.lines ?? [] }
    /// The targets with a retention of their own.
    package var targets: [TargetPrunePlan] { plan?.targets ?? [] }
    /// The removed snapshots that are the last proved copies, each with the name of its target, which is `nil` for
    /// home, and the copy that is to be proved.
    package var lastProved: [(snapshot: Snapshot, target: String?, copy: String)] {
      let places = [(nil, lines)] + targets.map { ($0.name, $0.lines) } as [(String?, [Line])]
      return places.flatMap { target, lines in
        lines.compactMap { line in
          guard case .held(.lastProved(let copy)) = line.action else { return nil }
          return (line.snapshot, target, copy)
        }
      }
    }
    /// The number of snapshots that home keeps and fewer targets than `minCopies` keep.
    package var belowMinCopies: Int { plan?.belowMinCopies ?? 0 }
    package var logs: [WALPrunePlan] { plan?.logs ?? [] }
    package var warnings: [String] { plan?.warnings ?? [] }
    package var refusal: Refusal? { if case .failure(let refusal) = outcome { refusal } else { nil } }
    private var plan: PrunePlan? { try? outcome.get() }
  }

  package struct Report: Sendable {
    package internal(set) var sources: [SourceReport] = []
    /// The reason for which this machine does not know when grace periods are over.
    package internal(set) var memoryProblem: String?
    package let isDryRun: Bool

    /// The reasons why nothing was removed at targets with a retention of their own.
    package var targetRefusals: [Refusal] { sources.flatMap(\.targets).compactMap(\.refusal) }

    package var exitStatus: ExitStatus {
      let isHeld = sources.contains { !$0.lastProved.isEmpty }
      return .worst(
        of: (sources.compactMap(\.refusal) + targetRefusals).map(\.exitStatus) + [isHeld ? .incomplete : .done])
    }
  }

  private let repository: Repository
  private let options: Options

  package init(repository: Repository, options: Options) {
    self.repository = repository
    self.options = options
  }

  /// - Throws: `EngineError` if no rule says what to keep: then next to nothing would be kept.
  package func run() throws -> Report {
    let source = try options.source.map { try repository.names.source($0) }
    guard source.map({ options.rules(of: $0) != nil }) ?? options.hasRules else {
      throw EngineError(
        .usage, "no rule says what to keep\(source.map { " of \($0)" } ?? "")",
        hint:
          "Say at least one of --keep-last, --keep-daily and the like, or set `keep` for the source in the configuration; --dry-run shows what would go.",
        exitStatus: .usage)
    }
    if !options.isDryRun { try repository.keyring.sealed?.checkMayPrune() }
    let names = try repository.catalog.knownSources(source)
    var report = Report(isDryRun: options.isDryRun)
    for name in names {
      guard let rules = options.rules(of: name) else { continue }
      try repository.host.cancellation.check()
      do {
        let planner = try PrunePlanner(name, in: repository, rules, options)
        let plan = options.isDryRun ? try planner.planWithLogs(name) : try prune(name, planner, &report)
        report.sources.append(SourceReport(name: name, outcome: .success(plan)))
      } catch let refusal as Refusal {
        report.sources.append(SourceReport(name: name, outcome: .failure(refusal)))
      }
    }
    return report
  }

  /// - Returns: the plan as it was carried out.
  private func prune(_ name: SourceName, _ planner: PrunePlanner, _ report: inout Report) throws -> PrunePlan {
    var lease = try take(name, waits: false)
    if lease == nil, let watch = Lease.watchError(on: name, of: repository) {
      throw Refusal(scope: watch.scope, message: watch.message, hint: watch.hint, exitStatus: .locked)
    }
    if lease == nil, options.waitsForLock { lease = try take(name, waits: true) }
    defer { lease?.end() }
    guard let lease else {
      throw Refusal(
        scope: .transient, message: "another run works on \(name): nothing of it was removed",
        hint: "Wait for it, or say --wait.",
        exitStatus: .locked)
    }
    try Self.orRefuses { try lease.settleRole(of: name, in: repository) }
    var execution = PruneExecution(planner, of: name, under: lease)
    defer { report.memoryProblem = execution.memoryProblem ?? report.memoryProblem }
    let plan = try planner.plan(name, repository.notes.readToChange(name))
    try checkAgreed(plan)
    return try execution.run(plan)
  }

  private func take(_ name: SourceName, waits: Bool) throws -> Lease? {
    try Self.orRefuses { try Lease.take(on: name, of: repository, waits: waits, serves: true) }
  }

  /// The source of another host keeps no other source from a prune.
  private static func orRefuses<Value>(_ work: () throws -> Value) throws -> Value {
    do {
      return try work()
    } catch let error as EngineError where error.exitStatus == .notServing {
      throw Refusal(scope: error.scope, message: error.message, hint: error.hint, exitStatus: error.exitStatus)
    }
  }

  /// Refuses if a snapshot would go that came after somebody was asked.
  private func checkAgreed(_ plan: PrunePlan) throws(Refusal) {
    guard let agreed = options.agreed,
      let other = plan.lines.first(where: { $0.action.isLoss && !agreed.contains($0.snapshot.id) })?.snapshot
    else { return }
    throw Refusal(
      scope: .transient,
      message: "snapshot \(other.id.short) of \(other.sourceName) came after the question: nothing was removed",
      hint: "Run the same command again.", exitStatus: .failed)
  }
}
