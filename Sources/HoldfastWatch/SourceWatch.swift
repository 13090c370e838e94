package import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
package import HoldfastOperations
internal import HoldfastRepository
package import HoldfastStore
internal import HoldfastSystem

/// The watch of one source: holds its lease, sees changes, and takes snapshots, until a signal ends it.
package final class SourceWatch {
  /// The longest wait before the flag that a signal raises is looked at.
  private static let lookMax = TimeSpan.milliseconds(250)
  /// The time after which a lease or a source is tried again.
  private static let retry = TimeSpan.seconds(5)
  /// The interval of news of success for those who are told of runs.
  private static let newsInterval = TimeSpan.minutes(5)
  /// The terms of a lease whose old numbers nobody may remove: so there are 384 a day.
  private static let rareTerms = LeaseTerms(duration: .minutes(15))

  private let source: SourceSettings
  private let settings: Settings
  private let machine: MachineContext
  private let request: RepositoryRequest
  private let notices: WatchNotices
  private let history: NotificationHistory
  private let observers: [any HeartbeatObserver]
  private let policy: WatchPolicy
  package let board: WatchBoard
  private var tree: WatchedTree
  private var state: WatchState
  private var held: (lease: Lease, repository: Identifier)?
  private var nextTry: TimeSpan
  private var beatsRarely = false
  private var isGapTold = false
  /// True if a look at the source is cheap enough to be made before each run.
  private var looksBeforeRuns = true

  /// - Parameters:
  ///   - request: the keys of the command line.
  ///   - observer: shows what happens.
  ///   - path: the directory of the source.
  ///   - observers: learn of each heartbeat.
  package init(
    _ source: SourceSettings, at path: Path, settings: Settings, machine: MachineContext, _ request: RepositoryRequest,
    observer: any SourceRunObserver, board: WatchBoard, observers: [any HeartbeatObserver] = []
  ) {
    let clock = machine.host.clock
    (self.source, self.settings, self.machine, self.request) = (source, settings, machine, request)
    (self.board, self.observers) = (board, observers + [board])
    notices = WatchNotices(observer, board, clock: clock)
    history = NotificationHistory(every: Self.newsInterval, clock: clock)
    policy = Self.policy(source, path, machine.host.files)
    let cancellation = machine.host.cancellation
    tree = WatchedTree(path, exclusions: source.exclusions, files: machine.host.files) { [board] in
      try cancellation.check()
      board.sign()
    }
    state = WatchState(policy, begin: clock.uptime())
    nextTry = clock.uptime()
  }

  /// Returns the directory of a source.
  /// - Throws: when the source is the output of a command, or commands run around its backups.
  package static func directory(of source: SourceSettings) throws -> Path {
    guard case .directory(let path) = source.subject else {
      throw EngineError(
        .usage, "the source \(source.name) is the output of a command, which cannot be watched",
        hint: "Name the sources to watch that are directories, and run the others from cron.", exitStatus: .usage)
    }
    guard source.before == nil, source.after == nil else {
      throw EngineError(
        .usage,
        "the source \(source.name) has hooks (before, after), and what these change would lead to the next snapshot",
        hint: "Take the hooks out for what is watched, or run this source from cron.", exitStatus: .usage)
    }
    return path
  }

  /// Every backup of a PostgreSQL cluster makes a checkpoint, and its log is pushed anyway: there the longest interval
  /// is the shortest, too.
  private static func policy(_ source: SourceSettings, _ path: Path, _ files: FileSystem) -> WatchPolicy {
    var policy = WatchPolicy(source.watch)
    let isCluster =
      source.postgres != nil || (try? files.statusIfPresent(of: path.appending("PG_VERSION"))) != nil
    if isCluster { policy.minInterval = max(policy.minInterval, policy.maxInterval) }
    return policy
  }

  private var now: TimeSpan { machine.host.clock.uptime() }
  private var cancellation: Cancellation { machine.host.cancellation }

  // MARK: The loop

  /// Watches until a signal ends it. Everything that fails is told once, and tried again.
  package func run() {
    defer {
      held?.lease.end()
      board.set(.ended)
    }
    while !cancellation.isRaised {
      guard holdLease() else { continue }
      guard openTree() else { continue }
      takeNews()
      switch state.step(at: now) {
      case .run(let work): perform(work)
      case .look: look()
      case .wait(let until):
        board.set(.watching)
        TreeNotices.wait(for: tree.notices, max(.zero, min(until - now, Self.lookMax)))
      }
    }
  }

  private func pause() {
    nextTry = now + Self.retry
    while !cancellation.isRaised, now < nextTry {
      board.sign()
      Pause.time(min(Self.lookMax, nextTry - now))
    }
  }

  // MARK: The lease

  /// Takes the lease if it is not held, and it is time to try. Without it the watch goes on all the same: each run
  /// takes the lease for itself, at another target if home is away and the configuration allows that, or says why it
  /// cannot.
  /// - Returns: false if the watch ends.
  private func holdLease() -> Bool {
    lookAfterLease()
    guard held == nil, now >= nextTry else { return true }
    let begun = now
    board.set(.waitingForLease)
    do {
      guard let taken = try takeLease() else { throw Interrupted() }
      held = taken
      notices.isLeaseHeld = true
      // What happened while nobody held it is not known.
      state.changed(at: now)
      note()
      return true
    } catch is Interrupted {
      return false
    } catch {
      notices.isLeaseHeld = false
      notices.failed(describe(error), stopsRuns: false)
      // A store that does not answer may take long to say so.
      nextTry = now + max(Self.retry, (now - begun) * 4)
      return true
    }
  }

  /// Learns what became of the lease since the last call.
  private func lookAfterLease() {
    if let error = board.takeLateness() {
      notices.tell(
        Notice(
          .warning, "the heartbeat of \(source.name) is late: \(error.message); it is tried again", of: source.name))
    }
    if board.takeLoss() {
      held?.lease.end()
      held = nil
      notices.failed(
        EngineError(
          .transient, "another host has taken over \(source.name): this one takes no snapshots until it has it back",
          hint: "If that was no failover, stop the other watch."))
    }
    if let lease = held?.lease, lease.holder.isRemovalRefused, !beatsRarely { beatRarely(lease) }
  }

  /// Takes the lease anew with a longer term, because its old numbers cannot be removed.
  private func beatRarely(_ lease: Lease) {
    beatsRarely = true
    guard source.watch.heartbeat < Self.rareTerms.renewal else { return }
    notices.tell(
      Notice(
        .warning,
        "old lease numbers may not be removed from \(lease.location): from now on a heartbeat comes every \(Self.rareTerms.renewal) only, and another host may take over after \(Self.rareTerms.duration)",
        of: source.name))
    notices.tell(Notice(.hint, "Allow this host to remove what is below leases/, and start the watch anew."))
    board.set(interval: Self.rareTerms.renewal)
    lease.end()
    held = nil
  }

  private func takeLease() throws -> (lease: Lease, repository: Identifier)? {
    let context = try RepositoryContext(of: source, in: settings, request, on: machine)
    let repository = try context.openHome { notices.tell(Notice(.warning, $0, of: source.name)) }.repository
    let terms =
      beatsRarely ? Self.rareTerms : LeaseTerms(duration: source.watch.lease, renewal: source.watch.heartbeat)
    let name = try repository.names.source(source.name)
    func take(waits: Bool) throws -> Lease? {
      try Lease.take(
        name.key, in: repository.store, host: machine.host, terms: terms, waits: waits,
        content: { [board] in board.beat }, observers: observers, as: { repository.hostName(name) },
        admits: Lease.admission(to: name, of: repository))
    }
    var lease = try take(waits: false)
    if lease == nil {
      notices.tell(Notice(.warning, "another run has the lease on \(source.name): waiting for it", of: source.name))
      lease = try take(waits: true)
    }
    try lease?.settleRole(of: name, in: repository)
    // What cannot be read is reported by the next verify.
    state.opens((try? repository.catalog.opensNewest(of: name)) ?? false)
    if let chain = try? RunHistory(of: name, in: repository, onDamage: { _ in }).newestChain,
      let full = chain.last, let tip = chain.first
    {
      let today = machine.host.clock.now()
      state.found(
        WatchedChain(chain, policy), fullAge: today - full.started, tipAge: today - tip.started,
        at: now)
    }
    return lease.map { ($0, repository.id) }
  }

  // MARK: Changes

  /// - Returns: true if the source is watched, or what the kernel does not tell is found by looks.
  private func openTree() -> Bool {
    guard !tree.isOpen else { return true }
    do throws(SystemError) {
      try tree.open()
    } catch {
      board.set(.withoutSource)
      notices.failed(error)
      pause()
      return false
    }
    // It may be another directory than before.
    state.changed(at: now)
    note()
    isGapTold = false
    tellGap()
    return true
  }

  /// Tells once that the kernel does not tell of all changes.
  private func tellGap() {
    guard !isGapTold, let gap = tree.gap else { return }
    isGapTold = true
    let which = tree.notices == nil ? "changes" : "changes there, and perhaps in other directories,"
    notices.tell(
      Notice(
        .warning,
        "\(gap.message): \(which) are seen by looks every \(policy.maxInterval) only; raise fs.inotify.max_user_watches and max_user_instances",
        of: source.name))
  }

  private func takeNews() {
    guard let news = tree.notices?.take() else { return }
    tellGap()
    if news.isChanged || news.isOverflown || news.isGone {
      state.changed(at: now)
      note()
    }
    // Directories that were made when the kernel kept nothing are not watched yet.
    if news.isGone || news.isOverflown { tree.close() }
  }

  private func look() {
    do {
      let begun = now
      let isChanged = try tree.look()
      let duration = now - begun
      looksBeforeRuns = duration < .milliseconds(50)
      state.looked(taking: duration, at: now)
      guard isChanged else { return }
      state.changed(at: now)
      note()
    } catch is Interrupted {
      // The loop ends.
    } catch {
      tree.close()
    }
  }

  private func note() {
    let lag = state.lag(at: now)
    board.set(behindSince: state.isBehind ? now - lag : nil, changed: state.isBehind ? machine.host.clock.now() : nil)
  }

  // MARK: Runs

  private func perform(_ work: WatchState.Work) {
    // What the run is about to capture is no news at the next look.
    if looksBeforeRuns { look() }
    guard tree.isOpen, !cancellation.isRaised else { return }
    takeNews()
    state.began(at: now)
    board.set(.running)
    notices.begin(gathers: work != .increment)
    let gathering = work.gathering(mergesIncrements: state.mergesIncrements)
    let run = ConfiguredRun(
      settings: settings, machine: machine, observer: notices,
      held: held.map { (source.name, $0.lease, $0.repository) }, notifying: history)
    let report = run.performWatched(source, gathering: gathering, request)
    let result = WatchState.Report(report)
    if let sequence = report.done.first?.outcome.snapshot?.sequence { board.set(sequence: sequence) }
    // Whatever came during the run may not be in its snapshot.
    takeNews()
    state.ended(work, result, at: now)
    if case .gather = work, result.taken?.kind == .incremental, report.plan?.gathers == false {
      // The key is gone that was there when the lease was taken.
      state.opens(false)
    }
    board.set(.watching)
    note()
    guard result.taken != nil || !cancellation.isRaised else { return }
    notices.end(isTaken: result.taken != nil, isClean: report.outcomes.allSatisfy { $0.status == .done })
  }
}

extension RunPlan {
  /// True if increments become one.
  fileprivate var gathers: Bool { lines.contains { if case .gather = $0.step { true } else { false } } }
}

extension WatchState.Work {
  fileprivate func gathering(mergesIncrements: Bool) -> RunPlan.Gathering? {
    switch self {
    case .increment: nil
    case .differential: .differential
    case .gather(let count): .increments(count)
    case .merge: .full(takes: mergesIncrements ? .incremental : .differential)
    }
  }
}

extension WatchedChain {
  /// - Parameter chain: the newest snapshot first.
  package init(_ chain: [RunHistory.Item], _ policy: WatchPolicy) {
    self.init()
    var previous: RunHistory.Item?
    for item in chain.reversed() {
      let isMerged = item.standsFor != item.sequence
      let before = previous?.standsFor ?? item.standsFor
      let count = isMerged && item.standsFor > before ? item.standsFor - before : 1
      let span = Self.span(
        previous.map { item.started - $0.started } ?? .zero, ofMerged: count, max: policy.maxInterval,
        levels: policy.levels)
      add(Link(item.kind, storedBytes: item.storedBytes, span: span))
      previous = item
    }
  }
}

extension WatchState.Report {
  /// A snapshot counts once it is committed, and a merge by its own result.
  init(_ report: SourceRun.Report) {
    self.init(taken: nil)
    for done in report.done {
      let made = done.outcome.error == nil ? done.outcome.snapshot : nil
      switch done.line.step {
      case .take: taken = made.map { WatchedChain.Link($0.kind, storedBytes: $0.storedBytes) }
      case .merge where done.outcome.error != nil: merge = .failed
      case .gather where done.outcome.error != nil: merge = .failed
      case .merge: merge = made.map { .full(storedBytes: $0.storedBytes) } ?? .leftAlone
      case .gather: merge = made.map { .increment(storedBytes: $0.storedBytes) } ?? .leftAlone
      case .mergeElsewhere: merge = .leftAlone
      case .prune, .pruneElsewhere, .verify, .drill, .drillElsewhere: break
      }
    }
  }
}
