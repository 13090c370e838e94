internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastDrill
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastStandby
internal import HoldfastStore
internal import HoldfastSystem

/// One failover from its confirmation to its end: does what the course says is next, and tells the course what came of
/// it.
struct FailoverRun {
  private static let look = TimeSpan.milliseconds(200)
  private let failover: Failover
  private let plan: FailoverPlan
  private let takeover: Takeover
  /// As it was opened before the lease was taken.
  private let before: Repository
  /// As it was opened under the lease.
  private var under: Repository?
  private var course: FailoverCourse
  private var wasFenced = false
  private var lease: Lease?
  private var silence: LeaseLook?
  private var promotion: Promotion?
  /// The role that announces this host; `nil` before that.
  private var role: ServingRole?
  /// The highest number of a snapshot before the one was chosen from which this host will serve.
  private var highest: UInt64 = 0
  /// True once the announcement was begun, if it is not known that it has failed.
  private var mayBeAnnounced = false
  private var report: FailoverReport

  init(_ failover: Failover, _ plan: FailoverPlan, _ takeover: Takeover, _ repository: Repository) {
    (self.failover, self.plan, self.takeover, before) = (failover, plan, takeover, repository)
    course = FailoverCourse(isAnnounced: plan.isAnnounced)
    report = FailoverReport(plan, isDryRun: false)
    (promotion, role) = (plan.current, plan.isAnnounced ? plan.role : nil)
  }

  private var source: SourceName { plan.source }
  private var host: Host { failover.host }

  mutating func run() throws -> FailoverReport {
    defer { lease?.end() }
    while course.step != .tell {
      let step = course.step
      do {
        try perform(step)
      } catch {
        throw FailoverError(step, of: source, error, standing: standing, isServingUnknown: isServingUnknown)
      }
    }
    return report
  }

  private mutating func perform(_ step: FailoverCourse.Step) throws {
    switch step {
    case .listen: try listen()
    case .probe: try probe()
    case .fence: try fence()
    case .take: try take()
    case .restore: try restore()
    case .announce: try announce()
    case .promote: try promote()
    case .tell: break
    }
  }

  private mutating func learn(_ fact: FailoverCourse.Fact) throws {
    guard course.learn(fact) else {
      throw EngineError(.transient, "\(fact) came, which no step expects", hint: nil)
    }
  }

  private func outOfOrder(_ step: FailoverCourse.Step) -> EngineError {
    EngineError(.machine, "\(step.rawValue) came before its time", hint: nil)
  }

  // MARK: How things stand

  /// True while `promote` was begun and has not succeeded.
  private var isServingUnknown: Bool { promotion?.stage == .promoting }

  private var standing: String {
    if isServingUnknown { return "\(plan.host) is announced, and it is not known if it serves" }
    if let role {
      return "\(plan.host) is announced since number \(role.since), and promote was not begun: nobody serves"
    }
    if mayBeAnnounced {
      return "It is not known if \(plan.host) is announced, and nobody serves; the same command finds out, and goes on"
    }
    let fenced = wasFenced ? "The other host was fenced, and nobody serves" : "Nothing has changed"
    return "\(fenced); \(plan.host) is not announced"
  }

  // MARK: Without the lease

  /// Listens for the whole term of the lease. A lease that was given back says nothing of who serves.
  private mutating func listen() throws {
    let numbers = LeaseNumbers(store: before.store, name: source.key)
    var watch = LeaseWatch(terms: failover.place.terms, seesWhoIsGone: false, listens: true)
    failover.progress.note("listening for the heartbeat of \(source), for as long as its lease lasts")
    while true {
      try host.cancellation.check()
      switch try watch.look(at: numbers, clock: host.clock) {
      case .free(let number):
        silence = LeaseLook(watch: watch, finding: .free(number))
        return try learn(.silent(seen: number - 1))
      case .held(isAlive: true):
        throw EngineError(
          .transient, "the heartbeat of \(source) goes on: its host is alive, and has the lease",
          hint: "There is nothing to fail over. To move the service in peace: holdfast switchover \(source).",
          exitStatus: .serviceAnswers)
      case .held(isAlive: false): Pause.time(Self.look)
      }
    }
  }

  private mutating func probe() throws {
    try checkIsSilent(
      "although its heartbeat is silent",
      hint: "Find out why its host cannot reach the repository. Nothing is failed over while it serves.")
    try learn(.probeFailed)
  }

  /// Refuses to go on while the service answers.
  private func checkIsSilent(_ although: String, hint: String) throws {
    let end = try failover.place.site.run(.probe, variables)
    guard !end.isSuccess else {
      throw EngineError(
        .transient, "the service of \(source) answers the probe, \(although)", hint: hint, exitStatus: .serviceAnswers)
    }
    failover.progress.note("the probe of \(source) failed: \(end.text)")
  }

  private mutating func fence() throws {
    if let reason = plan.fencedBecause {
      failover.watch.warn("the other host was fenced by hand: \(reason)")
    } else {
      let end = try failover.place.site.run(.fence, variables)
      guard end.isSuccess else {
        throw EngineError(
          .machine, "the fence has not succeeded: \(end.text)",
          hint:
            "Make sure that the other host cannot serve and cannot come up again, and run the same command again; if the fence cannot say so, with --fenced \"REASON\"."
        )
      }
    }
    wasFenced = true
    try learn(.fenced)
  }

  // MARK: The lease

  private mutating func take() throws {
    if plan.isAnnounced { return try takeAgain() }
    guard let silence, case .fenced(let seen) = course.phase else { throw outOfOrder(.take) }
    // A fence by hand may be longer ago than it seemed, and one of the site may have missed.
    try checkIsSilent(
      "although its host was fenced",
      hint: "Find out which host serves. The fence does not keep the other one from that, or it is up again.")
    let terms = failover.place.terms
    guard let taken = try Lease.takeOver(source, of: before, after: silence, following: seen, terms: terms) else {
      try learn(.overtaken)
      throw EngineError(
        .transient,
        "another number of the lease on \(source) came after the fence, or a process on this machine holds its lock",
        hint:
          "Run the same command again: it listens, probes and fences anew. A process that was stopped keeps its lock until it is ended.",
        exitStatus: .locked)
    }
    lease = taken
    try learn(.created(number: seen + 1))
  }

  /// Takes the lease as the host that is announced already.
  private mutating func takeAgain() throws {
    let admission = Lease.admission(to: source, of: before, begins: true)
    guard
      let taken = try Lease.take(
        source.key, in: before.store, host: host, terms: failover.place.terms, waits: false,
        as: { [name = plan.host] in name }, admits: admission,
        onWait: { [progress = failover.progress, source] in
          progress.note("waiting to see if the last holder of the lease on \(source) is gone")
        })
    else {
      throw EngineError(
        .transient, "another run holds the lease on \(source)", hint: "Find out which: holdfast status.",
        exitStatus: .locked)
    }
    lease = taken
    try taken.settleRole(of: source, in: before, begins: true)
    try learn(.created(number: taken.number))
  }

  /// Looks up the newest snapshot, now that nobody else can add one that counts, and makes a copy of it.
  private mutating func restore() throws {
    try bring()
    try learn(.restored)
  }

  /// - Parameter start: the snapshot with which this host was announced; `nil` before that.
  private mutating func bring(from start: ServingRole.Start? = nil) throws {
    let repository = try failover.open()
    under = repository
    if start == nil { try checkNothingCame(repository) }
    let drill = failover.place.configured.drill
    var checks: [String] = []
    let draft = try takeover.bring(repository, from: start) { [host] data, snapshot in
      checks = try TreeCheck(
        data, stateTime: snapshot.envelope.started, database: drill.database, assertions: drill.assertions, host: host
      ).run()
    }
    (report.checks, report.data, report.snapshot) = (checks, draft.data, draft.snapshot)
    (report.writtenBytes, highest) = (draft.writtenBytes, draft.highest)
    failover.watch.parts = [RunRecord.Part(of: draft.snapshot)]
    let noted = draft.promotion
    try takeover.note(noted)
    promotion = noted
  }

  /// Refuses to go on when more would be lost than the plan has shown.
  private func checkNothingCame(_ repository: Repository) throws {
    let outlook = try takeover.look(repository)
    let shown = Set(plan.outlook.passedOver.map(\.id))
    if let passed = outlook.passedOver.first(where: { !shown.contains($0.id) }) {
      throw EngineError(
        .usage, "snapshot \(passed.id.short), number \(passed.sequence), came meanwhile, and would be lost",
        hint: "Look at it with `holdfast show \(passed.id.short)`, and run the same command again.",
        exitStatus: .incomplete)
    }
    if let damage = outlook.damage.first { throw Failover.unreadable(damage, of: source) }
  }

  private mutating func announce() throws {
    guard let lease, let repository = under else { throw outOfOrder(.announce) }
    mayBeAnnounced = true
    let role: ServingRole
    do {
      role = try lease.announce(
        plan.host, from: report.snapshot, highest: highest, isAwaited: true, of: source, in: repository)
    } catch LeaseError.taken(let name, let location) {
      mayBeAnnounced = false
      throw LeaseError.taken(name: name, location: location)
    }
    self.role = role
    // Between the number that was taken and this one there are only its own.
    try learn(.renewed(number: role.since - 1))
    try learn(.created(number: role.since))
  }

  // MARK: The service

  private mutating func promote() throws {
    guard let lease, let role else { throw outOfOrder(.promote) }
    try resume(role)
    guard var noted = promotion, let data = report.data else { throw outOfOrder(.promote) }
    noted.since = role.since
    report.since = role.since
    var variables = variables
    variables["HOLDFAST_DATA"] = data.description
    variables["HOLDFAST_SNAPSHOT"] = noted.snapshot.description
    try lease.checkHeld()
    noted.stage = .promoting
    try takeover.note(noted)
    promotion = noted
    // From here on the gate lets the service start.
    if role.isAwaited { try lease.begin(role, of: source, in: under ?? before) }
    try lease.confirmHeld()
    let end = try failover.place.site.run(.promote, variables)
    guard end.isSuccess else {
      throw EngineError(
        .machine, "promote has not succeeded: \(end.text)",
        hint:
          "See if the service runs here. The same command runs promote again; no other host may serve meanwhile.")
    }
    try checkServesFrom(data)
    noted.stage = .serving
    try takeover.note(noted)
    promotion = noted
    try learn(.promoted)
  }

  /// Goes on after an earlier call, or after a hand-over. A copy from which this host may serve already is left as it
  /// is: there may be orders in it. Otherwise it becomes the snapshot with which this host was announced.
  private mutating func resume(_ role: ServingRole) throws {
    if let known = plan.current {
      (promotion, report.data) = (known, takeover.data(of: known))
    } else if promotion == nil {
      guard let start = role.from else {
        throw EngineError(
          .usage, "\(plan.host) was announced to serve \(source) from no snapshot: there is nothing to restore",
          hint: "Run `holdfast serving \(source) --show` to see how that came.", exitStatus: .usage)
      }
      try bring(from: start)
    }
  }

  /// Refuses to call it done when the configured source does not lead to the copy: the next backup would take something
  /// else, and perhaps the service serves that.
  private func checkServesFrom(_ data: Path) throws {
    guard case .directory(let path) = failover.place.configured.subject else { return }
    let served = try? host.files.status(of: path, followLink: true)
    guard try served?.isSameFile(as: host.files.status(of: data, followLink: true)) != true else {
      return
    }
    throw EngineError(
      .machine, "promote has succeeded, and \(path) does not lead to \(data), from which the service should serve",
      hint:
        "Let promote make it so, such as with `ln -sfnT`, and run the same command again. Where \(path) is a directory with data of its own, move it away first.",
      exitStatus: .servingUnknown)
  }

  private var variables: [String: String] {
    var variables = ["HOLDFAST_PRIMARY": plan.isAnnounced ? "" : plan.role?.serving.text ?? ""]
    if let lease { variables["HOLDFAST_LEASE"] = String(lease.number) }
    return variables
  }
}
