internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastStandby
internal import HoldfastStore
internal import HoldfastSystem

/// `holdfast failover`, on the host of the standby: makes this host the one that serves a source, in the steps of
/// docs/decisions/0045-standby-and-failover.md. A call that ends at any point harms nothing, and the next one goes on.
package final class Failover {
  package struct Options: Sendable {
    /// The directory of the standby; `nil` for the configured one.
    package var directory: Path?
    /// The reason for which an operator says that the other host cannot serve; `nil`: the fence makes sure of it.
    package var fencedBecause: String?
    /// The longest wait for a host that hands over; `nil` for a failover, which waits for nobody.
    package var handOverWithin: TimeSpan?

    package init() {}
  }

  /// The source; its stored name is known once the repository is open.
  private(set) var source: SourceName
  let context: RepositoryContext
  let options: Options
  let place: FailoverPlace
  let watch: RunWatch
  let progress: any ProgressObserver
  var host: Host { context.machine.host }

  /// - Throws: with exit status 2 when the configuration of the source does not say what a failover needs.
  package init(
    _ source: SourceName, at context: RepositoryContext, _ options: Options, _ watch: RunWatch,
    progress: any ProgressObserver
  ) throws {
    (self.source, self.context, self.options) = (source, context, options)
    (self.watch, self.progress) = (watch, progress)
    place = try FailoverPlace(source, at: context, directory: options.directory)
  }

  /// Finds out what a failover would do, and does nothing.
  package func look() throws -> FailoverReport {
    let takeover = try place.takeover(isDryRun: true, progress)
    let repository = try open()
    let plan = try plan(takeover, repository)
    try checkNote(plan)
    return FailoverReport(plan, isDryRun: true)
  }

  /// Makes this host serve.
  /// - Parameter confirm: shows the plan; throws unless it may be done.
  /// - Throws: `FailoverError`, which says how things stand.
  package func run(confirm: (FailoverPlan) throws -> Void) throws -> FailoverReport {
    let begun = host.clock.uptime()
    let takeover = try place.takeover(isDryRun: false, progress)
    try takeover.checkPlace()
    let repository = try open()
    watch.opened(repository, source: source)
    let plan = try awaitedPlan(takeover, repository)
    watch.parts = [RunRecord.Part(of: plan.outlook.newest)]
    try checkNote(plan)
    guard !plan.isDone else { return FailoverReport(plan, isDryRun: false) }
    try check(plan)
    try confirm(plan)
    var run = FailoverRun(self, plan, takeover, repository)
    var report = try run.run()
    report.duration = host.clock.uptime() - begun
    return report
  }

  // MARK: The plan

  /// The error that something cannot be read which may be a newer snapshot than the one that was chosen.
  static func unreadable(_ damage: DamageError, of source: SourceName) -> EngineError {
    EngineError(
      .repository, "there may be a newer snapshot of \(source) that cannot be read: \(damage.message)",
      hint:
        "Run `holdfast verify`, and `holdfast scrub --repair` where another target has it whole. This host does not serve without it.",
      exitStatus: damage.exitStatus)
  }

  func open() throws -> Repository {
    let opened = try context.openHome(for: source) { [watch] in watch.tellAndRecord(Notice(.warning, $0), as: $0) }
    source = try opened.repository.names.source(source)
    return opened.repository
  }

  private func plan(_ takeover: Takeover, _ repository: Repository) throws -> FailoverPlan {
    let newest = try LeaseNumbers(store: repository.store, name: source.key).newest()
    let standing = try ServingStanding(of: source, in: repository)
    guard standing.reading != .unclear else {
      throw LeaseError.roleUnclear(name: source.text, location: repository.location)
    }
    return FailoverPlan(
      source: source, repository: repository.id, host: place.name, directory: takeover.path,
      role: standing.role, newest: newest.map { ($0.number, $0.record.host) },
      outlook: try takeover.look(repository), promotion: try takeover.promotion,
      commands: place.site.settings.commands, fencedBecause: options.fencedBecause, now: host.clock.now())
  }

  /// Returns the plan; for a switchover, when the other host has handed over.
  private func awaitedPlan(_ takeover: Takeover, _ repository: Repository) throws -> FailoverPlan {
    guard let patience = options.handOverWithin else { return try plan(takeover, repository) }
    let until = host.clock.uptime() + patience
    progress.note("waiting until the host that serves \(source) hands over to \(place.name)")
    while try ServingStanding(of: source, in: repository).role?.serving != place.name {
      try host.cancellation.check()
      guard host.clock.uptime() < until else {
        throw EngineError(
          .transient, "nobody has handed \(source) over to \(place.name) within \(patience)",
          hint:
            "Run `holdfast switchover \(source) --to \(place.name)` on the host that serves; if it is gone, `holdfast failover \(source)` here."
        )
      }
      Pause.time(.milliseconds(250))
    }
    return try plan(takeover, try open())
  }

  /// Refuses to go on where the note in the directory belongs to another time, or to another directory.
  private func checkNote(_ plan: FailoverPlan) throws {
    guard plan.current == nil else { return }
    if let promotion = plan.promotion, promotion.stage != .announcing {
      throw EngineError(
        .usage,
        "this host has served \(source) itself before, from \(plan.directory), and that time is over: \(plan.served)",
        hint: "Run `holdfast failback \(source)` first: it keeps what is in \(plan.directory), and stands by again.",
        exitStatus: .usage)
    }
    guard plan.isAnnounced, plan.role?.isAwaited == false else { return }
    throw EngineError(
      .usage, "\(plan.served), and not from \(plan.directory): there is nothing to fail over to",
      hint:
        "If a failover has let it serve from the directory of another standby, name that one with --in. Otherwise start its service.",
      exitStatus: .usage)
  }

  /// Refuses a failover that cannot come to its end.
  private func check(_ plan: FailoverPlan) throws {
    _ = try place.site.command(.promote)
    guard !plan.isAnnounced else { return }
    _ = try place.site.command(.probe)
    if options.fencedBecause == nil {
      _ = try place.site.command(
        .fence,
        hint:
          "Name it in the configuration; or make sure by hand that the other host cannot serve and cannot come up again, and say --fenced \"REASON\"."
      )
    }
    if let damage = plan.outlook.damage.first { throw Self.unreadable(damage, of: source) }
    if let concern = plan.outlook.concerns.first {
      throw EngineError(
        .usage, concern.text, hint: "Correct that first: nothing was done yet.", exitStatus: .incomplete)
    }
  }
}
