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
  private var report: FailoverReport

  init(_ failover: Failover, _ plan: FailoverPlan, _ takeover: Takeover, _ repository: Repository) {
    (self.failover, self.plan, self.takeover, before) = (failover, plan, takeover, repository)
    course = FailoverCourse(isAnnounced: plan.isAnnounced)
    report = FailoverReport(plan, isDryRun: false)
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
    if case .announced(let number) = course.phase {
      return "\(plan.host) is announced since number \(number), and promote was not begun: nobody serves"
    }
    let fenced = wasFenced ? "The other host was fenced, and nobody serves" : "Nothing has changed"
    return "\(fenced); \(plan.host) is not announced"
  }

  // MARK: Without the lease

  /// Listens for the whole term of the lease.
  private mutating func listen() throws {
    let numbers = LeaseNumbers(store: before.store, name: source.key)
    var watch = LeaseWatch(terms: failover.place.terms, seesWhoIsGone: false)
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
    let end = try failover.place.site.run(.probe, variables)
    guard !end.isSuccess else {
      throw EngineError(
        .transient, "the service of \(source) answers the probe, although its heartbeat is silent",
        hint: "Find out why its host cannot reach the repository. Nothing is failed over while it serves.",
        exitStatus: .serviceAnswers)
    }
    failover.progress.note("the probe of \(source) failed: \(end.text)")
    try learn(.probeFailed)
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
    let admission = Lease.admission(to: source, of: before)
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
    try taken.settleRole(of: source, in: before)
    try learn(.created(number: taken.number))
  }

  /// Looks up the newest snapshot, now that nobody else can add one that counts, and makes a copy of it.
  private mutating func restore() throws {
    try bring()
    try learn(.restored)
  }

  private mutating func bring() throws {
    let repository = try failover.open()
    under = repository
    let outlook = try takeover.look(repository)
    let shown = Set(plan.outlook.passedOver.map(\.id))
    if let passed = outlook.passedOver.first(where: { !shown.contains($0.id) }) {
      throw EngineError(
        .usage, "snapshot \(passed.id.short), number \(passed.sequence), came meanwhile, and would be lost",
        hint: "Look at it with `holdfast show \(passed.id.short)`, and run the same command again.",
        exitStatus: .incomplete)
    }
    let drill = failover.place.configured.drill
    var checks: [String] = []
    let draft = try takeover.bring(repository) { [host] data, snapshot in
      checks = try TreeCheck(
        data, stateTime: snapshot.envelope.started, database: drill.database, assertions: drill.assertions, host: host
      ).run()
    }
    (report.checks, report.data, report.snapshot) = (checks, draft.data, draft.snapshot)
    report.writtenBytes = draft.writtenBytes
    failover.watch.parts = [RunRecord.Part(of: draft.snapshot)]
    let noted = draft.promotion
    try takeover.note(noted)
    promotion = noted
  }

  private mutating func announce() throws {
    guard let lease, let repository = under else { throw outOfOrder(.announce) }
    let role = try lease.announce(plan.host, from: report.snapshot, of: source, in: repository)
    // Between the number that was taken and this one there are only its own.
    try learn(.renewed(number: role.since - 1))
    try learn(.created(number: role.since))
  }

  // MARK: The service

  private mutating func promote() throws {
    guard let lease, case .announced(let number) = course.phase else { throw outOfOrder(.promote) }
    if promotion == nil { try resume() }
    guard var noted = promotion, let data = report.data else { throw outOfOrder(.promote) }
    let since = plan.isAnnounced ? plan.role?.since ?? number : number
    noted.since = since
    report.since = since
    var variables = variables
    variables["HOLDFAST_DATA"] = data.description
    variables["HOLDFAST_SNAPSHOT"] = noted.snapshot.description
    try lease.checkHeld()
    noted.stage = .promoting
    try takeover.note(noted)
    promotion = noted
    try lease.confirmHeld()
    let end = try failover.place.site.run(.promote, variables)
    guard end.isSuccess else {
      throw EngineError(
        .machine, "promote has not succeeded: \(end.text)",
        hint:
          "See if the service runs here. The same command runs promote again; no other host may serve meanwhile.")
    }
    noted.stage = .serving
    try takeover.note(noted)
    promotion = noted
    try learn(.promoted)
  }

  /// Goes on after an earlier call, or after a hand-over. A copy from which this host may serve already is left as it
  /// is: there may be orders in it.
  private mutating func resume() throws {
    if let known = plan.promotion, plan.role?.from?.snapshot == known.snapshot {
      (promotion, report.data) = (known, takeover.data(of: known))
      return
    }
    try bring()
    guard let from = plan.role?.from, report.snapshot.standsFor < from.sequence else { return }
    throw EngineError(
      .usage,
      "\(plan.host) is announced to serve from snapshot \(from.snapshot.short), number \(from.sequence), and the newest one that may be followed is number \(report.snapshot.sequence)",
      hint: "Run `holdfast show \(from.snapshot.short)` to see what is wrong with it.", exitStatus: .incomplete)
  }

  private var variables: [String: String] {
    var variables = ["HOLDFAST_PRIMARY": plan.isAnnounced ? "" : plan.role?.serving.text ?? ""]
    if let lease { variables["HOLDFAST_LEASE"] = String(lease.number) }
    return variables
  }
}
