internal import HoldfastArchive
internal import HoldfastCodec
package import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// A source with its settings and its open repository. The settings come from a configuration, or from the command line
/// alone.
package struct ConfiguredSource {
  package let settings: SourceSettings
  let repository: Repository
  let cache: StateCache
  private let context: RepositoryContext

  /// - Parameter context: the context of the repository, with the limit for reading the source that the settings
  ///   contain.
  package init(_ settings: SourceSettings, in repository: Repository, at context: RepositoryContext) throws {
    self.settings = settings
    self.repository = repository
    self.context = context
    cache = try context.machine.cache()
  }

  /// - Parameter request: the keys of the command line, which override the configuration.
  package init(_ settings: SourceSettings, of run: ConfiguredRun, _ request: RepositoryRequest) throws {
    let machine = run.machine.reading(within: run.machine.limit(settings.limitRate))
    let context = try RepositoryContext(of: settings, in: run.settings, request, on: machine)
    let repository = try context.open(for: settings.name, takesLease: true) {
      run.observer.tell(Notice(.warning, $0))
    }
    try self.init(settings, in: repository, at: context)
  }

  var host: Host { context.machine.host }

  /// The other targets of the repository.
  package var targets: RepositoryTargets { RepositoryTargets(context) }

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
    Backup.Options(
      settings, serverInEnvironment: context.machine.environment.postgres,
      kind: kind, isDryRun: isDryRun, waitsForLock: waitsForLock)
  }

  var compression: Compression { Compression(settings.compression) ?? .standard }

  /// Brings the other targets up to home after a backup.
  /// - Returns: the targets that have the snapshot; `nil` when there is only one target, or nothing was committed.
  package func copy(_ report: Backup.Report, _ progress: any ProgressObserver) throws -> SnapshotCopies? {
    let targets = targets
    guard !targets.others.isEmpty, !report.isDryRun else { return nil }
    let (name, sequence) = (report.envelope.source.name, report.envelope.sequence)
    let results = try targets.sync(
      from: repository, to: targets.others, name, observer: SyncProgress(progress))
    let tip = try repository.catalog.snapshotIfCommitted(name, sequence)
    let parents = try tip.map { try repository.catalog.chain(to: $0).snapshots.map(\.sequence) } ?? []
    return SnapshotCopies(
      home: targets.homeName, chain: parents + [sequence], minCopies: targets.minCopies, others: results)
  }

  /// Takes a snapshot, between the hooks.
  package func backup(
    _ options: Backup.Options, _ watch: RunWatch, _ progress: any ProgressObserver
  ) throws -> Backup.Report {
    let backup = Backup(repository: repository, options: options, cache: cache, progress: progress)
    let hooks = Hooks(settings)
    return try hooks.surround(source: options.source, progress: progress, cancellation: host.cancellation) {
      // A hook may run a command that takes the lease.
      defer { if hooks != Hooks() { repository.errands.wait() } }
      let report = try backup.run()
      // A hook may still fail, but the snapshot is committed.
      watch.parts = [RunRecord.Part(report)]
      return report
    }
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
