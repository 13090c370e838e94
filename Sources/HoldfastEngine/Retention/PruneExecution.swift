internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Carries out the plan of one source, under its lease. Each step is noted before it is done: first that snapshots are
/// removed, then that some are collected; then the objects of those are deleted. Before each note the plan is compared
/// with the repository as it is now, because a run without this lease may have added notes, or built on a snapshot that
/// is to be removed.
struct PruneExecution {
  private let repository: Repository
  private let source: SourceName
  private let planner: PrunePlanner
  private let lease: Lease
  /// The reason for which this machine cannot remember removals. Then nothing is collected whose grace period depends
  /// on that.
  private(set) var memoryProblem: String?

  /// - Parameter lease: the lease on the source.
  init(_ planner: PrunePlanner, of source: SourceName, under lease: Lease) {
    (repository, self.planner, self.source, self.lease) = (planner.repository, planner, source, lease)
  }

  /// - Returns: the plan as it was carried out.
  /// - Throws: `Prune.Refusal` if nothing may be removed.
  mutating func run(_ plan: PrunePlan) throws -> PrunePlan {
    let noted = try noteRemovals(plan)
    let grace = rememberRemovals(noted)
    var plan = try noteCollected(noted.remade(noted.survey, noted.notes, grace), grace)
    try removeObjects(&plan)
    // The WAL that is needed is known only after the snapshots are gone.
    plan.logs = try planner.logs(of: source, left: plan.left)
    try WALPruneExecution(repository, of: source, under: lease).run(plan.logs)
    return plan
  }

  /// - Returns: the plan whose removals are noted; a new plan if notes were added meanwhile.
  private func noteRemovals(_ plan: PrunePlan) throws -> PrunePlan {
    var noted = plan
    try repository.notes.change(source) { notes, reading in
      try lease.checkHeld()
      if reading != noted.survey.reading { noted = try planner.plan(source, reading) }
      notes = noted.notes
      return notes != reading.notes
    }
    return noted
  }

  private mutating func rememberRemovals(_ plan: PrunePlan) -> GracePeriod {
    do {
      return try GracePeriod.remembered(planner.grace, plan.removals, of: source, in: repository)
    } catch {
      // Without this memory nothing is collected too early, so the prune goes on.
      if !plan.removals.isEmpty { memoryProblem = describe(error).message }
      return GracePeriod(length: planner.grace)
    }
  }

  /// - Returns: the plan whose collected snapshots are noted as collected.
  private func noteCollected(_ plan: PrunePlan, _ grace: GracePeriod) throws -> PrunePlan {
    guard plan.collects else { return plan }
    var noted = plan
    try repository.notes.change(source) { notes, reading in
      try lease.checkHeld()
      noted = try plan.remade(planner.survey(source, reading), reading.notes, grace)
      let now = RecordedTime(repository.host.clock.now())
      for snapshot in noted.collected {
        let removal = notes[snapshot].removed
        notes[snapshot.id, snapshot.sequence].removed = removal.map { $0.isCollected ? $0 : $0.collected(at: now) }
      }
      for target in noted.targets {
        for snapshot in target.collected {
          guard let removal = notes[snapshot].removal(at: target.name), !removal.isCollected else { continue }
          notes[snapshot.id, snapshot.sequence].setRemoval(removal.collected(at: now), at: target.name)
        }
      }
      return notes != reading.notes
    }
    return noted
  }

  /// Deletes leftovers and the objects of collected snapshots. Objects that are locked stay until a later prune.
  private func removeObjects(_ plan: inout PrunePlan) throws {
    let needed = plan.neededKeys
    for sequence in plan.survey.home.leftovers {
      // Another run may have committed a snapshot under this number meanwhile: then the objects belong to that
      // snapshot.
      guard try !repository.catalog.isCommitted(source, sequence) else { continue }
      try lease.checkHeld()
      _ = try StoreError.lockEnd { try repository.catalog.removeObjects(of: source, sequence, butThose: needed) }
    }
    for snapshot in plan.collected.reversed() {
      try repository.host.cancellation.check()
      try lease.checkHeld()
      let lockEnd = try StoreError.lockEnd {
        try repository.catalog.removeObjects(of: source, snapshot.sequence, butThose: needed)
      }
      if let lockEnd { plan.hold(snapshot, until: lockEnd) }
    }
    try removeUnfinished()
  }

  /// Removes the unfinished objects of killed runs: they show in no listing, and take space. Those of notes stay: notes
  /// are added without the lease, so they may belong to a run that is at work.
  private func removeUnfinished() throws {
    let unfinished = try repository.store.unfinished(below: Keys.source(source), .everything).filter {
      Keys.isOfSnapshot($0.key)
    }
    guard !unfinished.isEmpty else { return }
    try lease.checkHeld()
    do {
      try repository.store.removeUnfinished(unfinished)
    } catch let error as any OperatorError where error.scope == .machine && !(error is Interrupted) {
      // A user who may remove objects need not have the right to remove unfinished ones. They stay, and only take
      // space.
    }
  }
}
