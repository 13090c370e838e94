internal import HoldfastArchive
internal import HoldfastCodec
package import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// A configured source with its open repository.
package struct ConfiguredSource {
  let settings: SourceSettings
  let repository: Repository
  let cache: StateCache
  private let context: RepositoryContext

  /// - Parameter request: the keys of the command line, which override the configuration.
  package init(_ settings: SourceSettings, of run: ConfiguredRun, _ request: RepositoryRequest) throws {
    self.settings = settings
    let machine = run.machine.reading(within: run.machine.limit(settings.limitRate))
    context = try RepositoryContext(of: settings, in: run.settings, request, on: machine)
    repository = try context.open { run.observer.tell(Notice(.warning, $0)) }
    cache = try machine.cache()
  }

  var host: Host { context.machine.host }

  /// Tells the watch of a run its source and repository.
  package func introduce(to watch: RunWatch) {
    watch.opened(repository, source: settings.name)
    // A configured name counts before there is a snapshot: the first backup may fail for weeks.
    watch.parts = [RunRecord.Part(settings.name)]
  }

  package var backupOptions: Backup.Options {
    var options: Backup.Options
    switch settings.subject {
    case .directory(let path): options = Backup.Options(source: path)
    case .command(let text, let fileName):
      options = Backup.Options(source: Path(fileName))
      options.command = ShellCommand(text)
    }
    options.name = settings.name
    options.exclusions = settings.exclusions
    options.compression = compression
    options.tags = settings.tags
    options.isParanoid = settings.isParanoid
    options.groupsDatabases = settings.groupsDatabases
    options.postgres = settings.postgres ?? context.machine.environment.postgres
    options.expectsPostgres = settings.postgres != nil
    options.repositoryDirectory = context.location
    return options
  }

  var compression: Compression { Compression(settings.compression) ?? .standard }

  private var hooks: Hooks {
    var hooks = Hooks()
    (hooks.before, hooks.after, hooks.onFailure) = (settings.before, settings.after, settings.onFailure)
    return hooks
  }

  /// Takes a snapshot, between the hooks.
  package func backup(
    _ options: Backup.Options, _ watch: RunWatch, _ progress: any ProgressObserver
  ) throws -> Backup.Report {
    let backup = Backup(repository: repository, options: options, cache: cache, progress: progress)
    return try hooks.surround(source: options.source, progress: progress, cancellation: host.cancellation) {
      let report = try backup.run()
      // A hook may still fail, but the snapshot is committed.
      watch.parts = [RunRecord.Part(report)]
      return report
    }
  }
}

extension Backup.Report {
  /// What was done, in one line.
  package var summary: String {
    let kind = "\(envelope.kind.rawValue) \(envelope.snapshot.short), number \(envelope.sequence)"
    let bytes = Amount.bytes(envelope.storedBytes)
    let open = problems.isEmpty ? "" : "; INCOMPLETE: \(Amount.count(UInt64(problems.count), "path"))"
    return isDryRun
      ? "would take \(kind); would store about \(bytes)\(open)"
      : "took \(kind); stored \(bytes) in \(Amount.duration(seconds))\(open)"
  }
}
