internal import HoldfastArchive
internal import HoldfastCodec
package import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// A source with its settings and its open repository. The settings come from a configuration, or from the command line
/// alone.
package struct ConfiguredSource {
  /// The settings, with the source as the repository calls it.
  package let settings: SourceSettings
  /// The name of the source in the configuration, or on the command line.
  private let givenName: SourceName
  let repository: Repository
  let cache: StateCache
  /// The targets that its runs write to.
  let runTargets: RunTargets
  let context: RepositoryContext

  /// A snapshot that was taken.
  package struct Taken {
    package let report: Backup.Report
    /// The pass that wrote to the other targets; `nil` when there are none, or nothing was stored.
    fileprivate let pass: RunTargets.Pass?
  }

  /// - Parameters:
  ///   - context: gives the repository, on a machine whose rate of reading the settings limit.
  ///   - linger: the longest wait for targets that are not needed; `nil` for the time in the configuration.
  ///   - away: the targets that did not answer for other sources of the run.
  package init(
    _ settings: SourceSettings, in repository: Repository, at context: RepositoryContext, linger: TimeSpan? = nil,
    away: AwayTargets = AwayTargets()
  ) throws {
    var resolved = settings
    resolved.name = try repository.names.source(settings.name)
    (self.settings, givenName) = (resolved, settings.name)
    self.repository = repository
    self.context = context
    cache = try context.machine.cache()
    runTargets = RunTargets(repository, of: context, linger: linger, away: away)
  }

  /// - Parameter request: the keys of the command line, which override the configuration.
  package init(_ settings: SourceSettings, of run: ConfiguredRun, _ request: RepositoryRequest) throws {
    let machine = run.machine.reading(within: run.machine.limit(settings.limitRate))
    let context = try RepositoryContext(of: settings, in: run.settings, request, on: machine)
    try context.checkIsHome()
    var (repository, place) = try context.openToCommit(for: settings.name, away: run.away) {
      run.observer.tell(Notice(.warning, $0))
    }
    // Of disks that take turns at a place, the lease is on one.
    if let held = run.held, held.lease.location == repository.location, held.repository == repository.id {
      repository.held = (try repository.names.source(held.source), held.lease)
    }
    try self.init(settings, in: repository, at: place, linger: run.linger, away: run.away)
  }

  var host: Host { context.machine.host }

  /// The other targets of the repository.
  package var targets: RepositoryTargets {
    RepositoryTargets(context, isChosen: context.target != context.configured?.home)
  }

  /// Tells the watch of a run its source and repository.
  package func introduce(to watch: RunWatch) {
    watch.opened(repository, source: settings.name)
    // A configured name is used even if there is no snapshot yet: the first backup may fail for weeks.
    watch.parts = [RunRecord.Part(settings.name)]
  }

  /// - Parameter kind: the requested kind; `nil` for an incremental if there is a sound parent, otherwise a full.
  package func backupOptions(
    kind: SnapshotKind?, isDryRun: Bool = false, waitsForLock: Bool = false
  ) -> Backup.Options {
    var settings = settings
    // The backup refuses a name that is no longer the present one.
    settings.name = givenName
    return Backup.Options(
      settings, serverInEnvironment: context.machine.environment.postgres,
      kind: kind, isDryRun: isDryRun, waitsForLock: waitsForLock)
  }

  var compression: Compression { Compression(settings.compression) ?? .standard }

  /// Brings the other targets up to home after a backup, as far as they did not get the snapshot while it was taken.
  /// - Returns: the targets that have the snapshot; `nil` when there is only one target, or nothing was committed.
  package func bringUp(_ taken: Taken, _ progress: any ProgressObserver) throws -> SnapshotCopies? {
    let envelope = taken.report.envelope
    return try taken.pass.map {
      try runTargets.bringUp(envelope.source.name, envelope.sequence, after: $0, progress)
    }
  }

  /// Takes a snapshot, between the hooks, and writes it to all targets that are in step.
  package func backup(
    _ options: Backup.Options, _ watch: RunWatch, _ progress: any ProgressObserver
  ) throws -> Taken {
    if options.command == nil { try targets.checkAreApart(from: options.source) }
    let hooks = Hooks(settings)
    var pass: RunTargets.Pass?
    let report = try hooks.surround(source: options.source, progress: progress, cancellation: host.cancellation) {
      // A hook may run a command that takes the lease.
      defer { if hooks != Hooks() { repository.errands.wait() } }
      func take(_ repository: Repository) throws -> Backup.Report {
        let backup = Backup(repository: repository, options: options, cache: cache, progress: progress)
        let report = try backup.run()
        // A hook may still fail, but the snapshot is committed.
        watch.parts = [RunRecord.Part(report)]
        return report
      }
      guard !options.isDryRun else { return try take(repository) }
      let done = try runTargets.inOnePass(on: \.envelope.source.name, progress, take)
      pass = done.pass
      return done.value
    }
    return Taken(report: report, pass: pass)
  }
}

extension Backup.Report {
  /// The result of the backup, in one line.
  package var summary: String {
    let kind = "\(envelope.kind.rawValue) \(envelope.snapshot.short), number \(envelope.sequence)"
    let bytes = Amount.bytes(envelope.storedBytes)
    let open = problems.isEmpty ? "" : "; INCOMPLETE: \(Amount.count(UInt64(problems.count), "path"))"
    return isDryRun
      ? "would take \(kind); would store about \(bytes)\(open)"
      : "took \(kind); stored \(bytes) in \(Amount.duration(duration))\(open)"
  }
}
