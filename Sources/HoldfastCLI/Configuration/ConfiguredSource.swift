internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// A configured source with its repository opened: what it takes to work on it.
struct ConfiguredSource {
  let settings: SourceSettings
  let repository: Repository
  let host: Host
  let cache: StateCache
  private let directory: Path

  /// - Parameters:
  ///   - place: the repository that the command line names goes before the configured one already in the settings.
  ///   - identity, writer: keys of the command line go before configured ones.
  init(
    _ settings: SourceSettings, of run: ConfiguredRun, place: RepositoryOptions,
    identity: IdentityOptions,
    writer: WriterOptions
  ) throws {
    self.settings = settings
    var place = place
    place.repository = String(decoding: run.repository(of: settings).bytes, as: UTF8.self)
    host = run.host.reading(within: RateOptions.limit(settings.limitRate, run.host))
    repository = try place.open(host, credentials: identity.credentials(host, writer: writer, asks: false))
    directory = try place.directory(host)
    cache = StateCache(directory: try Environment.cacheDirectory())
  }

  /// Tells the watch of a run on which source of which repository it is.
  func introduce(to watch: RunWatch) {
    watch.opened(repository, source: settings.name)
    // A configured name counts before there is a snapshot: the first backup may fail for weeks.
    watch.parts = [RunRecord.Part(settings.name)]
  }

  var backupOptions: Backup.Options {
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
    options.postgres = settings.postgres ?? Environment.postgres
    options.expectsPostgres = settings.postgres != nil
    options.repositoryDirectory = directory
    return options
  }

  var compression: Compression { Compression(settings.compression) ?? .standard }

  private var hooks: Hooks {
    var hooks = Hooks()
    (hooks.before, hooks.after, hooks.onFailure) = (settings.before, settings.after, settings.onFailure)
    return hooks
  }

  /// Takes a snapshot, between the hooks.
  func backup(
    _ options: Backup.Options, _ watch: RunWatch, _ progress: any ProgressObserver
  ) throws -> Backup.Report {
    let backup = Backup(repository: repository, options: options, cache: cache, progress: progress)
    return try hooks.surround(source: options.source, progress: progress, cancellation: host.cancellation) {
      let report = try backup.run()
      // A hook may fail yet: what was committed is.
      watch.parts = [RunRecord.Part(report)]
      return report
    }
  }
}

extension Backup.Report {
  /// What was done, in a line.
  var summary: String {
    let kind = "\(envelope.kind.rawValue) \(envelope.snapshot.short), number \(envelope.sequence)"
    let bytes = Amount.bytes(envelope.storedBytes)
    let open = problems.isEmpty ? "" : "; INCOMPLETE: \(Amount.count(UInt64(problems.count), "path"))"
    return isDryRun
      ? "would take \(kind); would store about \(bytes)\(open)"
      : "took \(kind); stored \(bytes) in \(Amount.duration(seconds))\(open)"
  }
}
