internal import HoldfastArchive
package import HoldfastModel
package import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastStore
package import HoldfastSystem

/// `holdfast standby`: keeps a warm copy of a source on this host, from its snapshots. It only reads the repository.
package final class Standby {
  package struct Options: Sendable {
    /// The directory of the standby, absolute.
    package var directory: Path
    /// The time from one look at the repository to the next.
    package var interval = TimeSpan.seconds(10)
    package var place = ReadingPlace.all
    package var limit: RateLimit?
    package var olderCopy = false
    /// True if `once` may write over copies that somebody has changed.
    package var discardsChanges = false

    package init(directory: Path) { self.directory = directory }
  }

  /// The longest wait before the flag that a signal raises is looked at.
  private static let lookMax = TimeSpan.milliseconds(250)
  private static let pauseMax = TimeSpan.minutes(1)
  private let source: SourceName
  private let context: RepositoryContext
  private let options: Options
  private let observer: any NoticeObserver
  private let board: StandbyBoard
  private let progress: StandbyProgress
  private let place: StandbyPlace
  private var pulse = SourcePulse()
  private var alarm: SilenceAlarm
  private var failure: (message: String, since: TimeSpan, count: Int)?
  private var toldPulse = SourcePulse.State.unheard.word

  /// - Parameter observer: shows progress and what goes wrong.
  /// - Throws: when the directory lies where a standby may not be.
  package init(
    _ source: SourceName, at context: RepositoryContext, _ options: Options, observer: any NoticeObserver
  ) throws {
    (self.source, self.context, self.options, self.observer) = (source, context, options, observer)
    board = StandbyBoard("\(source): looking for the newest snapshot", clock: context.machine.host.clock)
    progress = StandbyProgress(observer, board)
    place = try StandbyPlace(resolving: options.directory, files: context.machine.host.files)
    alarm = SilenceAlarm(source, at: context, place.path, observer: observer)
    try place.check(context)
  }

  private var host: Host { context.machine.host }
  private var clock: Clock { host.clock }

  // MARK: Once

  /// Finds out what a pass would do, and does nothing.
  package func look() throws -> StandbyReport {
    let directory = try StandbyDirectory(lookingAt: place.path, files: host.files)
    defer { progress.end() }
    return try pass(in: directory, isDryRun: true)
  }

  /// Makes one pass.
  /// - Throws: with exit status 11 while another standby works in the directory.
  package func once() throws -> StandbyReport {
    let directory = try StandbyDirectory(working: place.path, files: host.files)
    defer { progress.end() }
    return try pass(in: directory, discardsChanges: options.discardsChanges)
  }

  private func pass(
    in directory: StandbyDirectory?, isDryRun: Bool = false, discardsChanges: Bool = false
  ) throws -> StandbyReport {
    let begun = clock.uptime()
    // Parts of the reading run on other threads, and what they warn of is told on this one.
    let warnings = Warnings()
    defer { warnings.take().forEach(progress.warn) }
    let (repository, source, heard) = try open(warnings)
    var pass = StandbyPass(
      repository: repository, source: source, directory: directory, directoryPath: place.path,
      isRoot: context.machine.environment.isRoot, discardsChanges: discardsChanges, progress: progress)
    let plan = try pass.plan()
    var report = StandbyReport(
      source: source, repository: repository.id, directory: place.path, isDryRun: isDryRun, step: plan.step,
      serving: plan.serving, newest: (plan.newest.id, plan.newest.sequence), lag: plan.lag)
    report.pulse = heard
    defer { report.concerns.forEach { progress.warn($0.text) } }
    report.concerns = plan.concerns
    guard !isDryRun, plan.step != .nothing else { return report }
    board.set(report.line)
    report.writtenBytes = try pass.perform(plan)
    pass.discardsChanges = false
    var after = try pass.plan()
    // A copy that was whole serves at once, and then the other one becomes the newest snapshot.
    if case .serve = plan.step, case .make = after.step {
      report.writtenBytes = try pass.perform(after)
      (report.step, after) = (after.step, try pass.plan())
    }
    (report.newest, report.serving, report.lag) = ((after.newest.id, after.newest.sequence), after.serving, after.lag)
    report.concerns = after.concerns
    report.duration = clock.uptime() - begun
    tellOfLog(after.newest)
    return report
  }

  /// Opens the repository, and listens to the heartbeat of the source.
  private func open(_ warnings: Warnings) throws -> (Repository, SourceName, SourcePulse.State) {
    do {
      let repository = try context.openToRead(
        from: options.place, limit: options.limit, olderCopy: options.olderCopy, for: source
      ) { warnings.add($0) }
      let source = try repository.names.source(source)
      let numbers = LeaseNumbers(store: repository.store, name: source.key)
      let heard = try pulse.look(at: numbers, now: clock.uptime())
      tellOfPulse(heard, repository.names)
      return (repository, source, heard)
    } catch {
      pulse.interrupt()
      throw error
    }
  }

  /// A copy of a cluster is its newest snapshot: the archived log after it is not replayed.
  private func tellOfLog(_ snapshot: Snapshot) {
    guard snapshot.envelope.postgres != nil else { return }
    progress.warn(
      "the copy is the newest snapshot, and archived log after it is not replayed: `holdfast restore --to-end` into a directory elsewhere goes on to its end"
    )
  }

  // MARK: As a service

  /// Makes passes until a signal ends it. What fails is told once, and tried again.
  /// - Parameter tell: gets the report of each pass.
  /// - Throws: an error of the first pass that no later one can mend: a wrong key, a wrong directory, a wrong source;
  ///   at any time, when another directory has come to the path of the standby.
  package func run(_ tell: (StandbyReport) -> Void) throws {
    let directory = try StandbyDirectory(working: place.path, files: host.files)
    let service = ServiceSigns(board, context.machine)
    defer {
      progress.end()
      service.end()
    }
    var hasSucceeded = false
    while !host.cancellation.isRaised {
      // The lock of what is there now was never taken.
      try directory.checkIsInPlace()
      do {
        board.set(isWorking: true)
        defer { board.set(isWorking: false) }
        let report = try pass(in: directory)
        progress.end()
        succeeded()
        hasSucceeded = true
        board.set(report.line)
        tell(report)
      } catch is Interrupted {
        break
      } catch {
        progress.end()
        let known = describe(error)
        let isHopeless = known.exitStatus == .usage || known.exitStatus == .wrongKey
        if isHopeless, !hasSucceeded { throw error }
        failed(known)
      }
      wait()
    }
  }

  /// Tells when the heartbeat of the source becomes silent or stale, and when it is there again.
  private func tellOfPulse(_ state: SourcePulse.State, _ names: SourceNameStore) {
    let isNews = state.word != toldPulse
    if isNews { progress.end() }
    if isNews, case .silent = state { observer.tell(Notice(.warning, state.text, of: source)) }
    let hasProbe = alarm.look(state, names)
    guard isNews else { return }
    let wasConcern = [.silent(since: .zero), .stale(lag: .zero)].map(\SourcePulse.State.word).contains(toldPulse)
    toldPulse = state.word
    switch state {
    case .silent:
      guard !hasProbe else { return }
      observer.tell(
        Notice(.hint, "If its host is gone: docs/operations.md, \"The primary is gone: serve from the copy\"."))
    case .stale: observer.tell(Notice(.warning, state.text, of: source))
    case .alive, .unwatched: if wasConcern { observer.tell(Notice(.warning, state.text, of: source)) }
    case .unheard: break
    }
  }

  private func failed(_ error: any OperatorError) {
    if failure?.message != error.message {
      observer.tell(Notice(.warning, "\(error.message); it is tried again", of: source))
      if let hint = error.hint { observer.tell(Notice(.hint, hint)) }
    }
    failure = (error.message, failure?.since ?? clock.uptime(), (failure?.count ?? 0) + 1)
    board.set("\(source): \(error.message)")
  }

  private func succeeded() {
    guard let failure else { return }
    let span = Amount.age(clock.uptime() - failure.since)
    observer.tell(Notice(.warning, "the standby follows again, after \(span)", of: source))
    self.failure = nil
  }

  /// Waits for the next pass: the interval, or after failures twice, four times … as long.
  private func wait() {
    let doublings = min(failure.map { $0.count - 1 } ?? 0, 10)
    let pause = options.interval * Double(1 << max(0, doublings))
    let until = clock.uptime() + min(pause, max(Self.pauseMax, options.interval))
    while !host.cancellation.isRaised, clock.uptime() < until {
      board.sign()
      Pause.time(min(Self.lookMax, until - clock.uptime()))
    }
  }
}
