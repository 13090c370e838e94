package import ArgumentParser
internal import HoldfastArchive
internal import HoldfastCodec
package import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

extension Compression: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
  static var defaultCompletionKind: CompletionKind { .list(["none", "deflate", "deflate:6", "zstd:3"]) }
}

package struct BackupCommand: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Take a snapshot of a directory.",
    discussion: """
      Without a kind it takes an incremental if there is a sound parent, otherwise a full. Without a source it backs \
      up all configured sources, one after the other. A source can be given by its configured name, unless there is a \
      file or directory of that name.

      \(HelpEnd.text("holdfast backup /srv/orders", "holdfast backup /srv/orders --full --tag before-upgrade"))
      """)

  @Argument(
    help: "The directory to back up, or the name of a configured source. (default: all configured sources)",
    completion: .directory)
  var source: String?

  @OptionGroup var command: CommandOptions

  @OptionGroup var location: RepositoryOptions

  @Option(
    help: ArgumentHelp("The name of the source in the repository. (default: the directory's name)", valueName: "name"))
  var name: SourceName?

  @Flag(help: "Take a full: start a new chain.")
  var full = false

  @Flag(help: "Take a differential: store what differs from the full of the chain.")
  var differential = false

  @Flag(help: "Take an incremental: store what differs from the newest snapshot.")
  var incremental = false

  @Option(
    help: ArgumentHelp(
      "Exclude files that match: a name, or with a slash a path relative to the source; ** stands for any number of directories. May be repeated.",
      valueName: "glob"))
  var exclude: [String] = []

  @Option(
    help: ArgumentHelp(
      "Compression: none, deflate, deflate:1-9 or zstd:1-19. (environment: HOLDFAST_COMPRESSION; default: deflate)",
      valueName: "how"))
  var compression: Compression?

  @Option(
    help: ArgumentHelp(
      "Add parity to archives and body, with which they repair a lost MiB, or this share of their pages, by themselves: none, or 2% to 20%. (environment: HOLDFAST_PARITY; default: none)",
      valueName: "n%"))
  var parity: ParityShare?

  @Option(help: ArgumentHelp("Tag the snapshot. May be repeated.", valueName: "tag"))
  var tag: [Tag] = []

  @Flag(help: "Read and compare every file, even if its metadata is unchanged.")
  var paranoid = false

  @Flag(name: .long, help: "Do everything except storing.")
  var dryRun = false

  @Flag(
    name: .long,
    help:
      "Capture each SQLite database at its own instant instead of all at one, so that writers do not wait until all are locked."
  )
  var noGroup = false

  @Option(
    help: ArgumentHelp(
      "Connection string of the server whose cluster is in the source: capture it while the server runs. (environment: PGHOST and other libpq variables)",
      valueName: "conninfo"))
  var postgres: String?

  @Flag(help: "Wait for another run on the same source instead of giving up.")
  var wait = false

  @Option(
    help: ArgumentHelp(
      "Run this command before the backup; if it fails, there is no backup. It gets HOLDFAST_HOOK and HOLDFAST_SOURCE.",
      valueName: "command"))
  var before: String?

  @Option(
    help: ArgumentHelp(
      "Run this command after the backup, even if it failed. It also gets HOLDFAST_EXIT_STATUS and HOLDFAST_SNAPSHOT.",
      valueName: "command"))
  var after: String?

  @Option(help: ArgumentHelp("Run this command last if no snapshot was taken.", valueName: "command"))
  var onFailure: String?

  @OptionGroup var targets: LingerOptions
  @OptionGroup var rate: RateOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  package init() {}

  /// The settings that were given as flags, by the names of keys. They override the environment and the files.
  package var flags: FlagValues {
    var flags = FlagValues()
    flags.set("repository", location.repository)
    flags.set("exclude", exclude)
    flags.set("compression", compression?.description)
    flags.set("parity", parity?.description)
    flags.set("limit-rate", rate.limitRate.map { String($0.bytesPerSecond) })
    flags.set("tag", tag.map(\.text))
    flags.set("paranoid", paranoid ? "yes" : nil)
    flags.set("no-group", noGroup ? "yes" : nil)
    flags.set("postgres", postgres)
    flags.set("before", before)
    flags.set("after", after)
    flags.set("on-failure", onFailure)
    return flags
  }

  package func validate() throws {
    guard [full, differential, incremental].filter({ $0 }).count <= 1 else {
      throw ValidationError("--full, --differential and --incremental exclude each other")
    }
    try command.check(
      source: source, name: name, hasDirectoryOptions: !exclude.isEmpty || paranoid || noGroup)
  }

  package func run() throws {
    let plain = location.machine(output)
    let configured: (run: ConfiguredRun, sources: [SourceSettings], isOne: Bool)?
    do {
      configured = try configuredSources(plain)
    } catch {
      // Whoever is told of backups is told of this one, too.
      try? output.watch(.backup, plain, isDryRun: dryRun).run { () throws -> Void in throw error }
      throw error
    }
    if let (run, sources, isOne) = configured { return try backUp(run, sources, isOne: isOne) }
    let machine = plain.reading(within: try rate.limit(plain))
    let watch = output.watch(.backup, machine, isDryRun: dryRun)
    try watch.run { try run(machine, watch) }
  }

  private func run(_ machine: MachineContext, _ watch: RunWatch) throws {
    let context = try location.context(machine, identity: identity, writer: writer)
    try context.checkIsHome()
    let settings = try namedSource(machine, repository: context.location)
    let repository = try context.openToWrite(for: settings.name, takesLease: !dryRun) { Console.warn($0) }
    let opened = try ConfiguredSource(settings, in: repository, at: context, linger: targets.linger)
    watch.opened(repository, source: opened.settings.name)
    // A chosen name is used even if there is no snapshot yet: the first backup may fail for weeks.
    if name != nil { watch.parts = [RunRecord.Part(opened.settings.name)] }
    let progress = watch.makeProgress()
    defer { progress.end() }
    let options = opened.backupOptions(kind: kind, isDryRun: dryRun, waitsForLock: wait)
    let taken = try opened.backup(options, watch, progress)
    let report = taken.report
    progress.end()
    // The result is told before the copying, which may be interrupted.
    watch.tell(report)
    let copying = watch.makeProgress()
    defer { copying.end() }
    let copies = try opened.bringUp(taken, copying)
    copying.end()
    if let copies { watch.tell(copies) }
    try show(report, copies, tags: opened.settings.tags, machine)
    try Outcome.end(max(report.exitStatus, copies?.exitStatus ?? .done))
  }

  var kind: SnapshotKind? { full ? .full : differential ? .differential : incremental ? .incremental : nil }

  /// Returns the settings for the directory or the command on the command line.
  private func namedSource(_ machine: MachineContext, repository: StoreLocation) throws -> SourceSettings {
    let subject = try command.subject ?? .directory(machine.environment.absolute(source ?? ""))
    return try SourceSettings(
      subject, name: name ?? subject.usualName(machine.host.files), isNameChosen: name != nil,
      repository: repository.text, flags: flags,
      environment: machine.environment.value
    ) { Compression($0) != nil }
  }

  func show(
    _ report: Backup.Report, _ copies: SnapshotCopies?, tags: Set<Tag>, _ machine: MachineContext
  ) throws {
    if output.json { return try Console.json(BackupJSON(report, tags: tags, targets: copies?.json), machine) }
    guard !output.quiet else { return }
    let envelope = report.envelope
    let changes = envelope.changes
    let because = report.reason.map { " (\($0))" } ?? ""
    Console.output(
      (report.isDryRun ? "would take " : "took ") + "\(envelope.kind.rawValue) \(envelope.snapshot.short) of "
        + "\(envelope.source.name), number \(envelope.sequence)\(because)")
    Console.output(
      "  \(changes.added) added, \(changes.changed) changed, \(changes.removed) removed; "
        + "\(Amount.bytes(changes.pageBytes)) in \(Amount.count(changes.pages, "page")) new")
    let stored = report.isDryRun ? "would store about" : "stored"
    Console.output(
      "  \(stored) \(Amount.bytes(envelope.storedBytes)) for \(Amount.bytes(envelope.state.bytes)) in "
        + "\(Amount.count(envelope.state.files, "file")), in \(Amount.duration(report.duration))")
    if let parity = envelope.parity {
      Console.output("  of that, \(Amount.bytes(parity.bytes)) are parity, for \(parity.percent)% of its pages")
    }
    if let use = report.logUse { Console.output("  " + use.summary) }
    if report.walGrowthBytes > 0 {
      Console.output("  the WALs of its databases grew by \(Amount.bytes(report.walGrowthBytes)) meanwhile")
    }
    if !report.problems.isEmpty {
      Console.output("  INCOMPLETE: \(Amount.count(UInt64(report.problems.count), "path")) could not be captured whole")
    }
    if let copies { Console.output("  \(copies.summary)") }
    Console.transfer(machine)
  }
}

extension SnapshotCopies {
  var json: [TargetCopyJSON] {
    [TargetCopyJSON(home, has: true, cause: nil)]
      + others.map { TargetCopyJSON($0.target, has: has($0), cause: $0.isInStep ? nil : $0.cause) }
  }
}

extension SourceSettings.Subject {
  /// Returns the default name of a source.
  fileprivate func usualName(_ files: FileSystem) -> SourceName {
    switch self {
    case .directory(let path): SourceName(from: (try? files.resolve(path)) ?? path)
    case .command(_, let fileName): SourceName(from: Path(fileName))
    }
  }
}
