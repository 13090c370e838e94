package import HoldfastArchive
package import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
package import HoldfastStore
internal import HoldfastSystem

/// The end of the run on one source.
package struct SourceOutcome {
  package let source: SourceName
  package var status = ExitStatus.done
  /// The work that was done, in one line.
  package var summary: String
  /// The reason why it failed; `nil` when it did not.
  package var error: (any OperatorError)?
  /// The snapshot that was taken, or the full that a merge has made; `nil` if there is none.
  package internal(set) var snapshot: Snapshot?

  /// A snapshot that a step has committed.
  package struct Snapshot: Hashable, Sendable {
    package let sequence: UInt64
    package let kind: SnapshotKind
    package let storedBytes: UInt64

    init(_ envelope: Envelope) {
      (sequence, kind, storedBytes) = (envelope.sequence, envelope.kind, envelope.storedBytes)
    }
  }

  package init(
    source: SourceName, status: ExitStatus = .done, summary: String, error: (any OperatorError)? = nil
  ) {
    (self.source, self.status, self.summary, self.error) = (source, status, summary, error)
  }
}

/// Runs on configured sources one after the other. A source that fails does not stop the others.
package struct ConfiguredRun {
  package let settings: Settings
  package let machine: MachineContext
  let observer: any SourceRunObserver
  /// Counts all runs as one for a ping receiver.
  private let history: NotificationHistory
  /// Collects the runs for one notification; `nil` when each is told by itself.
  private var digest: RunDigest?
  /// The lease that is held for longer than this run: its source needs no other one.
  let held: (source: SourceName, lease: Lease, repository: Identifier)?
  /// The longest wait for targets that are not needed; `nil` for the time in the configuration.
  let linger: TimeSpan?
  /// The targets that did not answer. They are waited for once, not for each source.
  let away = AwayTargets()

  package init(
    settings: Settings, machine: MachineContext, observer: any SourceRunObserver, linger: TimeSpan? = nil,
    held: (source: SourceName, lease: Lease, repository: Identifier)? = nil,
    notifying history: NotificationHistory = NotificationHistory()
  ) {
    (self.held, self.history) = (held, history)
    (self.settings, self.machine, self.observer, self.linger) = (settings, machine, observer, linger)
  }

  /// - Parameter names: the sources; empty for all.
  package func sources(_ names: [SourceName]) throws -> [SourceSettings] {
    guard !settings.sources.isEmpty else {
      throw EngineError(
        .usage, "no source is configured in \(settings.files.map(\.description).joined(separator: ", "))",
        hint: "Name one below sources: `orders: {path: /srv/orders}`.", exitStatus: .usage)
    }
    guard !names.isEmpty else { return settings.sources }
    return try names.map { name in
      guard let known = settings.source(name.text) else {
        throw EngineError(
          .usage, "no source \(name) is configured",
          hint: "There can be \(settings.sources.map(\.name.text).joined(separator: ", ")).",
          exitStatus: .usage)
      }
      return known
    }
  }

  /// Runs `run` on all sources, until a signal stops it.
  /// - Returns: the outcome of each source that was run.
  package func forEach(_ sources: [SourceSettings], _ run: (SourceSettings) -> SourceOutcome) -> [SourceOutcome] {
    var outcomes: [SourceOutcome] = []
    for source in sources {
      let outcome = run(source)
      outcomes.append(outcome)
      if outcome.status == .interrupted { break }
    }
    return outcomes
  }

  /// Runs a command on a configured source. Every such run is made here, so that observers are added to its watch.
  package func run(
    _ command: RunCommand, _ source: SourceSettings, isDryRun: Bool,
    _ work: (RunWatch) throws -> SourceOutcome
  ) -> SourceOutcome {
    let watch =
      digest?.watch(command, source.name)
      ?? RunWatch(command, machine, notices: observer, isDryRun: isDryRun, notifying: history)
    do {
      return try watch.run {
        let outcome = try work(watch)
        watch.status = outcome.status
        return outcome
      }
    } catch {
      let known = describe(error)
      digest?.failed(source.name, known)
      return SourceOutcome(
        source: source.name, status: known.exitStatus, summary: "failed: \(known.message)", error: known)
    }
  }

  /// Returns the worst status of all.
  package static func status(of outcomes: [SourceOutcome]) -> ExitStatus { .worst(of: outcomes.map(\.status)) }

  // MARK: Watching

  /// Takes a snapshot of a source now, whatever its schedule says, and does the other work that belongs to it.
  /// - Parameters:
  ///   - gathering: `nil` for an incremental and nothing else; otherwise a differential is taken, and what is due is
  ///     pruned and verified.
  ///   - request: the keys of the command line.
  package func performWatched(
    _ source: SourceSettings, gathering: RunPlan.Gathering? = nil, _ request: RepositoryRequest
  ) -> SourceRun.Report {
    var run = SourceRun(source: source, run: self, request: request)
    run.watch(gathering)
    if run.report.failure != nil { observer.planned(run.report, isDryRun: false) }
    return run.report
  }

  // MARK: Due steps

  /// Does what is due. All sources are captured before any is merged, pruned or verified, so that no backup waits for
  /// these. The observer is told of every step. Receivers of notifications are told of all of it at once, at the end.
  /// - Parameter request: the keys of the command line.
  /// - Returns: the reports of all sources that were handled before a signal ended the run.
  package func performDue(_ sources: [SourceSettings], _ request: RepositoryRequest) -> [SourceRun.Report] {
    let digest = RunDigest(machine, history, notices: observer)
    defer { digest.send(sources) }
    var told = self
    told.digest = digest
    var runs = sources.map { SourceRun(source: $0, run: told, request: request) }
    for index in runs.indices {
      runs[index].capture()
      observer.planned(runs[index].report, isDryRun: false)
      if runs[index].report.status == .interrupted { return Self.planned(runs) }
    }
    for index in runs.indices {
      runs[index].lookAfter()
      if runs[index].report.status == .interrupted { return Self.planned(runs) }
    }
    return Self.planned(runs)
  }

  /// Determines what is due, and does nothing.
  package func planDue(_ sources: [SourceSettings], _ request: RepositoryRequest) -> [SourceRun.Report] {
    sources.map { source in
      var run = SourceRun(source: source, run: self, request: request)
      run.preview()
      observer.planned(run.report, isDryRun: true)
      return run.report
    }
  }

  private static func planned(_ runs: [SourceRun]) -> [SourceRun.Report] {
    runs.map(\.report).filter { $0.plan != nil || $0.failure != nil }
  }
}
