internal import HoldfastArchive
internal import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The work of `holdfast run` on one source. It determines what is due and takes the snapshot. Later, when the
/// snapshots of all sources are taken, it merges, prunes, verifies and drills.
package struct SourceRun {
  /// A step of the plan, and its result.
  package struct Done {
    package let line: RunPlan.Line
    package var outcome: SourceOutcome
  }

  package struct Report {
    package let source: SourceName
    package var plan: RunPlan?
    package var done: [Done] = []
    /// The reason why nothing could be planned.
    package var failure: SourceOutcome?

    package var outcomes: [SourceOutcome] { (failure.map { [$0] } ?? []) + done.map(\.outcome) }
    /// The status of all steps. Another run at work is no error: that run does what is due.
    package var status: ExitStatus { ConfiguredRun.status(of: outcomes.filter { $0.status != .locked }) }
  }

  let source: SourceSettings
  let run: ConfiguredRun
  let request: RepositoryRequest
  private(set) var report: Report
  /// Set when there is something to do.
  private var opened: ConfiguredSource?

  init(
    source: SourceSettings, run: ConfiguredRun, request: RepositoryRequest
  ) {
    self.source = source
    self.run = run
    self.request = request
    report = Report(source: source.name)
  }

  private func plan() throws -> (ConfiguredSource, RunPlan) {
    let opened = try ConfiguredSource(source, of: run, request)
    let plan = try makePlan(opened, mayMerge: source.mergeAfter != nil) { history, opens, mayPrune in
      RunPlan(history, source.policy, now: run.machine.host.clock.now(), opens: opens, mayPrune: mayPrune)
    }
    return (opened, plan)
  }

  private func makePlan(
    _ opened: ConfiguredSource, mayMerge: Bool,
    _ plan: (_ history: RunHistory, _ opens: Bool, _ mayPrune: Bool) -> RunPlan
  ) throws -> RunPlan {
    let progress = WatchedProgress(run.observer.makeProgress(), watch: nil, of: source.name)
    let history = try RunHistory(of: opened.settings.name, in: opened.repository) { progress.warn($0.message) }
    let opens =
      try (!mayMerge && source.drill.every == nil) || opened.repository.catalog.opensNewest(of: opened.settings.name)
    // Without a writer key, the prune itself reports that.
    let mayPrune = source.retention == nil || (try? opened.repository.keyring.mayPrune()) ?? true
    return plan(history, opens, mayPrune)
  }

  /// Only makes the plan.
  mutating func preview() {
    do {
      report.plan = try plan().1
    } catch {
      let known = describe(error)
      report.failure = SourceOutcome(
        source: source.name, status: known.exitStatus, summary: "failed: \(known.message)", error: known)
    }
  }

  /// Determines what is due, and takes the snapshot if it is.
  mutating func capture() {
    do {
      let (opened, plan) = try plan()
      report.plan = plan
      self.opened = opened
    } catch {
      // A missing repository fails the backup that was due, so that notifications of backups report it.
      report.failure = run.run(.backup, source, isDryRun: false) { _ in throw error }
    }
    perform { $0.isTake }
  }

  /// Takes a snapshot, and does what else belongs to it.
  mutating func watch(_ gathering: RunPlan.Gathering?) {
    do {
      let opened = try ConfiguredSource(source, of: run, request)
      self.opened = opened
      if let gathering {
        report.plan = try makePlan(opened, mayMerge: gathering != .differential) { history, opens, mayPrune in
          RunPlan(
            gathering, history, source.policy, now: run.machine.host.clock.now(), opens: opens, mayPrune: mayPrune)
        }
      } else {
        report.plan = .incremental
      }
    } catch {
      report.failure = run.run(.backup, source, isDryRun: false) { _ in throw error }
    }
    perform { _ in true }
  }

  /// Merges, prunes and verifies what is due.
  mutating func lookAfter() {
    perform { !$0.isTake }
  }

  private mutating func perform(which: (RunPlan.Step) -> Bool) {
    guard let opened, let plan = report.plan else { return }
    // Notes and keyring stay at home, so nothing is merged or pruned without it.
    let isHome = opened.repository.isHome
    for line in plan.lines
    where which(line.step) && (isHome || line.step.isTake) && isWorthwhile(line.step, after: report.done, opened) {
      let done = Done(line: line, outcome: perform(line.step, opened))
      report.done.append(done)
      run.observer.ended(done, of: source.name)
      if [.interrupted, .locked].contains(done.outcome.status) { return self.opened = nil }
    }
  }

  /// True if a step is still useful: if no snapshot could be taken, no older one is removed, but stored data is
  /// verified.
  private func isWorthwhile(_ step: RunPlan.Step, after done: [Done], _ opened: ConfiguredSource) -> Bool {
    if case .verify = step { return (try? opened.repository.catalog.isKnown(opened.settings.name)) ?? true }
    if case .drill = step { return (try? opened.repository.catalog.isKnown(opened.settings.name)) ?? true }
    return !done.contains { $0.line.step.isTake && $0.outcome.error != nil }
  }

  private func perform(_ step: RunPlan.Step, _ opened: ConfiguredSource) -> SourceOutcome {
    switch step {
    case .take(let kind): watched(.backup, opened) { try take(kind, opened, $0, $1) }
    case .merge: watched(.merge, opened) { try merge(onto: .nothing, opened, $0, $1) }
    case .gather(let count): watched(.merge, opened) { try merge(onto: .beforeNewest(count), opened, $0, $1) }
    case .mergeElsewhere:
      SourceOutcome(
        source: source.name,
        summary: "a merge is due, and runs where an identity is: `holdfast merge --name \(source.name)`")
    case .pruneElsewhere:
      SourceOutcome(
        source: source.name,
        summary: "a prune is due, and runs on a machine that may: `holdfast prune --name \(source.name)`")
    case .prune: watched(.prune, opened) { watch, _ in try prune(opened, watch) }
    case .verify(let first, let count): watched(.verify, opened) { try verify(first, count, opened, $0, $1) }
    case .drill:
      watched(.drill, opened) { watch, progress in
        let result = try opened.drill(watch, progress)
        return outcome(result.status, result.summary)
      }
    case .drillElsewhere:
      SourceOutcome(
        source: source.name,
        summary: "a drill is due, and runs where an identity is: `holdfast drill \(source.name)`")
    }
  }

  private func watched(
    _ command: RunCommand, _ opened: ConfiguredSource,
    _ work: (RunWatch, any ProgressObserver) throws -> SourceOutcome
  ) -> SourceOutcome {
    run.run(command, source, isDryRun: false) { watch in
      opened.introduce(to: watch)
      let progress = watch.makeProgress(of: source.name)
      defer { progress.end() }
      return try work(watch, progress)
    }
  }

  private func outcome(_ status: ExitStatus, _ summary: String) -> SourceOutcome {
    SourceOutcome(source: source.name, status: status, summary: summary)
  }

  // MARK: Steps

  private func take(
    _ kind: SnapshotKind, _ opened: ConfiguredSource, _ watch: RunWatch, _ progress: any ProgressObserver
  ) throws -> SourceOutcome {
    // An incremental is the default. Only for the default is a reason given when it becomes a full.
    let options = opened.backupOptions(kind: kind == .incremental ? nil : kind)
    let taken = try opened.backup(options, watch, progress)
    let report = taken.report
    watch.tell(report, of: source.name)
    let copies = try opened.bringUp(taken, progress)
    if let copies { watch.tell(copies, of: source.name) }
    var result = outcome(
      max(report.exitStatus, copies?.exitStatus ?? .done),
      report.summary + (copies.map { "; \($0.summary)" } ?? ""))
    result.snapshot = SourceOutcome.Snapshot(report.envelope)
    return result
  }

  private func merge(
    onto base: MergeBase, _ opened: ConfiguredSource, _ watch: RunWatch, _ progress: any ProgressObserver
  ) throws -> SourceOutcome {
    var options = Merge.Options(SnapshotSelector(.latest, source: opened.settings.name))
    options.base = base
    options.compression = opened.compression
    options.parity = { [parity = source.parity] _ in parity }
    let (report, pass) = try opened.runTargets.inOnePass(on: \.chain.tip.sourceName, progress) { repository in
      try Merge(repository: repository, options: options, cache: opened.cache, progress: progress).run()
    }
    watch.parts = [RunRecord.Part(report)]
    guard let envelope = report.envelope else { return outcome(.done, "there is nothing to merge") }
    let count = Amount.count(UInt64(report.merged.count), "snapshot")
    let kind = envelope.kind == .full ? "full" : "increment"
    let text =
      "merged \(count) into \(kind) \(envelope.snapshot.short), number \(envelope.sequence); stored \(Amount.bytes(envelope.storedBytes)) in \(Amount.duration(report.duration))"
    var result = outcome(.done, text)
    result.snapshot = SourceOutcome.Snapshot(envelope)
    guard let pass else { return result }
    let copies = try opened.runTargets.bringUp(opened.settings.name, envelope.sequence, after: pass, progress)
    watch.tell(copies, of: source.name)
    (result.status, result.summary) = (copies.exitStatus, "\(text); \(copies.summary)")
    return result
  }

  private func prune(_ opened: ConfiguredSource, _ watch: RunWatch) throws -> SourceOutcome {
    var options = Prune.Options(policy: source.retention ?? RetentionPolicy())
    options.grace = source.grace
    options.source = opened.settings.name
    opened.targets.rule(&options)
    let report = try Prune(repository: opened.repository, options: options).run()
    watch.parts = report.sources.map { RunRecord.Part($0) }
    if let problem = report.memoryProblem {
      let text =
        "this machine cannot remember when it saw that snapshots were removed, so none is collected: \(problem)"
      watch.tellAndRecord(Notice(.warning, text + "; set HOLDFAST_STATE_DIR", of: source.name), as: text)
    }
    for warning in report.sources.flatMap(\.warnings) {
      watch.tellAndRecord(Notice(.warning, warning, of: source.name), as: warning)
    }
    if let refusal = report.sources.compactMap(\.refusal).first {
      guard refusal.exitStatus != .locked else { return outcome(.locked, refusal.message) }
      watch.tell(refusal, of: source.name)
      return outcome(report.exitStatus, "removed nothing")
    }
    let refusals = report.targetRefusals
    for refusal in refusals {
      watch.tellAndRecord(Notice(.warning, refusal.message, of: source.name), as: refusal.message)
    }
    let actions = report.sources.flatMap(\.lines).map(\.action)
    let removed = actions.count { $0 == .removed }
    let collected = actions.count { $0 == .collected }
    let held = report.sources.reduce(0) { $0 + $1.lastProved.count }
    // A target that is away was counted when the snapshot was copied.
    return outcome(
      .worst(of: refusals.map(\.exitStatus).filter { $0 != .incomplete }),
      "kept \(actions.count - removed - collected), removed \(removed), collected \(collected)"
        + (held > 0 ? "; \(held) stay as the last proved copies" : ""))
  }

  private func verify(
    _ first: Int, _ count: Int, _ opened: ConfiguredSource, _ watch: RunWatch, _ progress: any ProgressObserver
  ) throws -> SourceOutcome {
    let began = run.machine.host.clock.now()
    var options = Verify.Options()
    options.readsData = true
    options.share = Double(count) / Double(VerifyRound.parts)
    options.begin = Double(first) / Double(VerifyRound.parts)
    let report = try Verify(repository: opened.repository, options: options, progress: progress).run(
      nil, source: opened.settings.name)
    watch.parts = RunRecord.parts(of: report, nil, share: options.share, begin: options.begin)
    do {
      try opened.repository.notes.notePassed(report, share: options.share)
    } catch {
      // The result counts even if it could not be noted.
      progress.warn("what was found is not noted in the repository: \(describe(error).message)")
    }
    do {
      try opened.repository.machine.remember(provedFrom: first, count: count, of: opened.settings.name, at: began)
    } catch {
      let reason = describe(error).message
      progress.warn("this machine cannot remember what it has proved: \(reason); set HOLDFAST_STATE_DIR")
    }
    tell(report, opened, watch)
    let share = Amount.share(options.share)
    let standing: ExitStatus = try tellsOfStandingDamage(opened, watch, besides: report) ? .dataLoss : .done
    let proved =
      "proved \(share) of its data, \(Amount.bytes(report.provenBytes)), in \(Amount.duration(report.duration))"
    guard let scrub = try opened.scrubOthers(first: first, count: count, watch, progress) else {
      return outcome(.worst(of: [report.exitStatus, standing]), proved)
    }
    return outcome(.worst(of: [report.exitStatus, standing, scrub.status]), "\(proved); \(scrub.summary)")
  }

  /// Reports damage that an earlier verify found. It stands until a verify has read all data again, because a part of
  /// it proves nothing about the rest.
  /// - Parameter report: the findings of this verify, which were reported already.
  /// - Returns: true if there is such damage.
  private func tellsOfStandingDamage(
    _ opened: ConfiguredSource, _ watch: RunWatch, besides report: Verify.Report
  ) throws -> Bool {
    let told = Set(report.snapshots.lazy.filter { !$0.isSound }.map(\.snapshot.id))
    let damaged = try opened.repository.notes.standingDamage(of: opened.settings.name).filter {
      !told.contains($0.snapshot)
    }
    for note in damaged {
      watch.tell(
        Notice(
          .damage,
          "\(note.snapshot.short) was found damaged on \(note.damaged?.description ?? ""), and nothing has proved all of it since",
          of: source.name))
    }
    guard !damaged.isEmpty else { return false }
    watch.tell(
      Notice(
        .hint,
        "Mend it and run `holdfast verify --data --name \(source.name)`, or take a new full and prune what is broken."))
    return true
  }

  private func tell(_ report: Verify.Report, _ opened: ConfiguredSource, _ watch: RunWatch) {
    let findings =
      report.unreadable.map(\.message)
      + report.snapshots.flatMap { result in result.findings.map { "\(result.snapshot.id.short): \($0.message)" } }
      + report.logs.flatMap { log in log.findings.map { "its log: \($0.message)" } }
      + report.others.filter { $0.level != .note }.map(\.message)
    for finding in findings { watch.tell(Notice(.damage, finding, of: source.name)) }
    guard !findings.isEmpty else { return }
    if report.isRepairableFromParity {
      return watch.tell(
        Notice(.hint, "Run `holdfast scrub --repair --name \(source.name)`: it writes anew what is damaged."))
    }
    guard opened.targets.others.isEmpty else {
      return watch.tell(
        Notice(.hint, "Run `holdfast scrub --repair --name \(source.name)`: other targets may have it sound."))
    }
    watch.tell(
      Notice(.hint, "Run `holdfast verify --data --name \(source.name)` to see all of it, and take a new full."))
  }
}

extension RunPlan.Step {
  fileprivate var isTake: Bool { if case .take = self { true } else { false } }
}

extension SourceSettings {
  /// The policy for the plan of a run.
  var policy: RunPolicy {
    var policy = RunPolicy()
    policy.intervals = schedule
    policy.mergeAfter = mergeAfter
    policy.prunes = retention != nil
    policy.verifyShare = verify.share
    policy.verifyWithin = verify.within
    policy.drillEvery = drill.every
    return policy
  }
}
