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
    case collected
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

    package var exitStatus: ExitStatus { .worst(of: sources.compactMap { $0.refusal?.exitStatus }) }
  }

  private let repository: Repository
  private let options: Options

  package init(repository: Repository, options: Options) {
    self.repository = repository
    self.options = options
  }

  /// - Throws: `EngineError` if no rule says what to keep: then next to nothing would be kept.
  package func run() throws -> Report {
    guard options.source.map({ options.rules(of: $0) != nil }) ?? options.hasRules else {
      throw EngineError(
        .usage, "no rule says what to keep\(options.source.map { " of \($0)" } ?? "")",
        hint:
          "Say at least one of --keep-last, --keep-daily and the like, or set `keep` for the source in the configuration; --dry-run shows what would go.",
        exitStatus: .usage)
    }
    if !options.isDryRun { try repository.keyring.sealed?.checkMayPrune() }
    let names = try repository.catalog.knownSources(options.source)
    var report = Report(isDryRun: options.isDryRun)
    for name in names {
      guard let rules = options.rules(of: name) else { continue }
      try repository.host.cancellation.check()
      let planner = PrunePlanner(
        repository: repository, policy: rules.policy, grace: rules.grace, tellsCollected: options.tellsCollected)
      do {
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
    let lease = try Lease.take(on: name, of: repository, waits: options.waitsForLock)
    defer { withExtendedLifetime(lease) {} }
    guard let lease else {
      throw Refusal(
        scope: .transient, message: "another run works on \(name): nothing of it was removed",
        hint: "Wait for it, or say --wait.",
        exitStatus: .locked)
    }
    var execution = PruneExecution(planner, of: name, under: lease)
    defer { report.memoryProblem = execution.memoryProblem ?? report.memoryProblem }
    return try execution.run(planner.plan(name, repository.notes.read(name)))
  }
}

/// Examines sources, and makes the plan of a prune for each.
struct PrunePlanner {
  let repository: Repository
  let policy: RetentionPolicy
  let grace: TimeSpan
  let tellsCollected: TimeSpan

  func survey(_ name: SourceName, _ reading: NotesReading) throws -> PruneSurvey {
    try PruneSurvey(name, in: repository, policy: policy, tellsCollected: tellsCollected, reading: reading)
  }

  /// - Throws: `Prune.Refusal` if nothing of the source may be removed.
  func plan(_ name: SourceName, _ reading: NotesReading) throws -> PrunePlan {
    try PrunePlan(survey(name, reading), now: repository.host.clock.now()) {
      GracePeriod.foreseen(grace, $0, of: name, in: repository)
    }
  }

  /// Returns the removals of archived WAL.
  /// - Parameter snapshots: the remaining snapshots of the source.
  func logs(of name: SourceName, left snapshots: [Snapshot]) throws -> [WALPrunePlan] {
    let archive = WALArchive(repository, of: name)
    return try archive.systems().compactMap { system in
      let plan = try WALPrunePlan(archive, system, left: snapshots)
      return plan.isEmpty ? nil : plan
    }
  }

  /// Returns the complete plan of a source, with its WAL.
  func planWithLogs(_ name: SourceName) throws -> PrunePlan {
    var plan = try plan(name, repository.notes.read(name))
    plan.logs = try logs(of: name, left: plan.left)
    return plan
  }
}
