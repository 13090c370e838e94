internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Examines a source, and makes the plan of a prune for it.
struct PrunePlanner {
  let repository: Repository
  let grace: TimeSpan
  private let policy: RetentionPolicy
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
    (self.repository, policy, grace, self.options) = (repository, rules.policy, rules.grace, options)
    let notes = try repository.notes.readToChange(name).notes
    let noted = notes.targetsApart
    let mayCollect = rules.grace <= .zero || notes.notes.contains { $0.removed != nil || $0.removedAt != nil }
    proofs = try mayCollect ? options.proofs?(name, repository) : nil
    let ruled = Set(options.targets.filter { $0.policy != nil }.map(\.name))
    // A target that this machine does not know may have a retention of its own on another one.
    spared = ruled.union(noted.subtracting(options.targets.map(\.name)))
    apart = try options.targets.filter { ruled.contains($0.name) || noted.contains($0.name) }.map {
      try TargetApart($0, $0.policy ?? rules.policy, of: name, home: repository)
    }
  }

  func survey(_ name: SourceName, _ reading: NotesReading) throws -> SourceSurvey {
    let home = try PruneSurvey(name, in: repository, policy: policy, reading: reading)
    return SourceSurvey(
      home, try apart.map { try TargetSurvey($0, beside: home, repository) }, sparing: spared, proofs,
      options)
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
    var plan = try plan(name, repository.notes.readToChange(name))
    plan.logs = try logs(of: name, left: plan.left)
    return plan
  }
}
