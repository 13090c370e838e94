internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The restore of a PostgreSQL cluster whose server recovers, or follows a primary.
extension RestoreCommand {
  /// Chooses the snapshot from which the target can be reached, and proves that it can.
  func planRecovery(
    to target: RecoveryTarget, _ repository: Repository, _ progress: any ProgressObserver
  ) throws -> RecoveryPlan {
    let named =
      snapshot == .latest
      ? nil
      : try SnapshotSelector(snapshot, source: source.name).choose(in: repository.catalog) { progress.warn($0.message) }
    return try RecoveryPlanner(
      repository, target: target, isExclusive: recovery.exclusive, timeline: recovery.timeline?.wanted
    ).plan(from: named, of: source.name) { progress.warn($0.message) }
  }

  /// Chooses the snapshot of a standby: the newest one from which the end of the archived log can be reached. So it
  /// lies on the way to the timeline of the primary.
  /// - Returns: `nil` if it is no standby, if a snapshot is named, or if nothing leads there: then the newest is taken.
  func planStandby(_ repository: Repository, _ progress: any ProgressObserver) throws -> RecoveryPlan? {
    guard recovery.standby, snapshot == .latest, at == nil else { return nil }
    do {
      return try RecoveryPlanner(repository, target: .end, timeline: recovery.timeline?.wanted).plan(
        from: nil, of: source.name
      ) { progress.warn($0.message) }
    } catch let error as EngineError where error.scope == .usage && error.exitStatus != .usage {
      return nil
    }
  }

  /// Returns what the server of the snapshot is told; `nil` if it starts as the snapshot says.
  func settings(
    for chosen: Snapshot, _ plan: RecoveryPlan?, _ context: RepositoryContext, _ repository: Repository,
    _ progress: any ProgressObserver
  ) throws -> RecoverySettings? {
    guard recovery.standby || plan != nil else { return recovery.settings(nil, from: chosen.id, restoreCommand: nil) }
    guard let system = chosen.envelope.postgres.flatMap({ SystemIdentifier($0.system) }) else {
      throw EngineError(
        .usage, "snapshot \(chosen.id.short) does not hold a PostgreSQL cluster that was captured while its server ran",
        hint: "Take one with `holdfast backup SOURCE --postgres CONNINFO`; a standby can be made of that.")
    }
    let archived = try plan ?? archived(behind: chosen, repository, progress)
    let command = try context.restoreCommand(forLogOf: chosen.sourceName, system, in: repository)
    return recovery.settings(archived, from: chosen.id, restoreCommand: command)
  }

  /// Returns the part of the log that a standby replays from the archive; `nil` if it does not lead on from the
  /// snapshot. Then the primary must have what follows.
  private func archived(
    behind chosen: Snapshot, _ repository: Repository, _ progress: any ProgressObserver
  ) throws -> RecoveryPlan? {
    do {
      return try RecoveryPlanner(repository, target: .end, timeline: recovery.timeline?.wanted).plan(
        from: chosen, of: chosen.sourceName
      ) { progress.warn($0.message) }
    } catch let error as EngineError where error.scope == .usage {
      progress.warn(
        "\(error.message): the standby needs all that follows from its primary, which may have removed it already")
      return nil
    }
  }

  func show(_ settings: RecoverySettings, isDryRun: Bool) {
    let plan = settings.plan
    let archived = plan.map { "\(Amount.count($0.count, "archived segment")), \($0.first) to \($0.last)" }
    switch settings.purpose {
    case .recovery(let plan):
      Console.output(
        "  when its server starts, it \(isDryRun ? "would recover" : "recovers") to \(plan.isExclusive ? "just before " : "")\(plan.target.text) on timeline \(plan.timeline), reading \(archived ?? "")"
      )
    case .standby(let wishes):
      let reading = archived.map { ", reading \($0)" } ?? ""
      let following = wishes.primary == nil ? "what is archived" : "its primary"
      Console.output(
        "  when its server starts, it \(isDryRun ? "would be" : "is") a standby\(reading), and then follows \(following)"
      )
    case .unchanged: Console.output("  its server \(isDryRun ? "would start" : "starts") with")
    }
    for line in settings.shownLines { Console.output("    \(line)") }
    for (name, value) in (plan?.minima ?? [:]).sorted(by: { $0.key < $1.key }) {
      Console.output("    \(name) = \(value) or more, as the log asks for: raised where the snapshot has less")
    }
    for tablespace in plan?.tablespaces ?? [] {
      Console.output(
        "  it makes tablespace \(tablespace.oid) in \(tablespace.directory), which is empty; the user who owns the cluster must own that too"
      )
    }
    if case .unchanged = settings.purpose { return }
    if !isDryRun {
      Console.output("  start the server as the user who owns the cluster; it must be able to run the restore_command")
    }
  }
}
