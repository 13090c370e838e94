internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Examines a source, and makes the plan of a prune for it.
struct PrunePlanner {
  let repository: Repository
  let grace: TimeSpan
  private let policy: RetentionPolicy
  /// The grace period that is promised, if this prune removes the source as a whole.
  private let promise: TimeSpan?
  /// True if the source was removed as a whole before: then no rule calls anything back.
  private let isRemoved: Bool
  /// The targets with a retention of their own. They are read once: what a sync copies there meanwhile stays at home
  /// until the next prune.
  private let apart: [TargetApart]
  /// The names of the targets that new removals at home spare.
  private let spared: Set<String>
  private let options: Prune.Options
  /// The evidence of the copies; `nil` if nothing is removed yet, so that nothing can be collected.
  private let proofs: (any CopyProofs)?

  /// - Throws: also when the notes cannot be read.
  init(_ name: SourceName, in repository: Repository, _ rules: Prune.Rules, _ options: Prune.Options) throws {
    isRemoved = try !rules.policy.removesSource && repository.catalog.removal(of: name) != nil
    let policy = isRemoved ? .removingSource : rules.policy
    (self.repository, self.policy, grace, self.options) = (repository, policy, rules.grace, options)
    promise = rules.policy.removesSource ? rules.grace : nil
    let notes = try repository.notes.readToChange(name).notes
    let noted = notes.targetsApart
    let mayCollect = rules.grace <= .zero || notes.notes.contains { $0.removed != nil || $0.removedAt != nil }
    proofs = try mayCollect ? options.proofs?(name, repository) : nil
    // A source that is removed goes everywhere.
    let ruled = policy.removesSource ? [] : Set(options.targets.filter { $0.policy != nil }.map(\.name))
    // A target that this machine does not know may have a retention of its own on another one.
    spared = policy.removesSource ? [] : ruled.union(noted.subtracting(options.targets.map(\.name)))
    apart = try options.targets.filter { ruled.contains($0.name) || noted.contains($0.name) }.map {
      try TargetApart($0, policy.removesSource ? policy : $0.policy ?? policy, of: name, home: repository)
    }
  }

  func survey(_ name: SourceName, _ reading: NotesReading) throws -> SourceSurvey {
    let home = try PruneSurvey(name, in: repository, policy: policy, reading: reading)
    if isRemoved,
      reading.notes.removalOfHighest == nil || home.snapshots.contains(where: { reading.removal(of: $0) == nil })
    {
      throw Prune.Refusal(
        scope: .transient, message: "the source \(name) was called back meanwhile: nothing of it was removed",
        hint: "Run the same command again.", exitStatus: .failed)
    }
    return SourceSurvey(
      home, try apart.map { try TargetSurvey($0, beside: home, repository) }, sparing: spared,
      promising: promise, proofs, options)
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
    // Log that came before the first snapshot belongs to no source that was removed.
    let isGone =
      try policy.removesSource && snapshots.isEmpty && repository.notes.read(name).notes.removalOfHighest != nil
    return try archive.systems().compactMap { system in
      let plan = try WALPrunePlan(archive, system, left: snapshots, isSourceGone: isGone)
      return plan.isEmpty ? nil : plan
    }
  }

  /// Returns the complete plan of a source, with its WAL.
  func planWithLogs(_ name: SourceName) throws -> PrunePlan {
    var plan = try plan(name, repository.notes.readToChange(name))
    plan.logs = try logs(of: name, left: plan.left)
    return plan
  }
}
