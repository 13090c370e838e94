internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

struct RestoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Restore a snapshot.",
    discussion: """
      All files are completed in TARGET/.holdfast-restore before any of them gets its name. With --delta, existing \
      files are compared page by page, only differences are written, and files that the snapshot does not have are \
      removed: look first with --dry-run. At a terminal it asks before it changes or removes existing files; otherwise \
      it refuses to remove most of them, unless --yes is given.

      \(HelpEnd.text("holdfast restore --target /srv/restored", "holdfast restore --at 2026-11-22T14:04 --target /srv/orders --delta --dry-run"))
      """)

  @Argument(help: "The snapshot: latest, an ID, or the beginning of an ID.", completion: Candidates.snapshots)
  var snapshot = SnapshotSelector.Name.latest

  @Option(
    help: ArgumentHelp("The directory to restore to; without --delta it must be empty or not exist.", valueName: "dir"),
    completion: .directory)
  var target: String

  @Option(
    help: ArgumentHelp(
      "Restore the newest snapshot that was begun at or before this time, such as \"2026-11-22 14:05:03\", 2026-11-22T14:05 or 2026-11-22, in local time or with a zone: the whole second, minute or day.",
      valueName: "time"))
  var at: String?

  @Option(
    help: ArgumentHelp(
      "Restore only this path and everything below it: relative to the source, or absolute below its path. May be repeated.",
      valueName: "path"), completion: Candidates.paths)
  var path: [String] = []

  @Option(
    help: ArgumentHelp(
      "Restore this tablespace of a PostgreSQL cluster to its own directory instead of the data directory. May be repeated.",
      valueName: "oid=dir"))
  var tablespace: [String] = []

  @Option(
    help: ArgumentHelp(
      "Restore all tablespaces of a PostgreSQL cluster to directories below this one, each named by its OID; --tablespace goes before.",
      valueName: "dir"), completion: .directory)
  var tablespaceAll: String?

  @Option(
    help: ArgumentHelp(
      "Restore only this database of a PostgreSQL cluster, beside the server's own: the files of the others become zeros, which take no room, so that the server starts and can drop them. May be repeated.",
      valueName: "name-or-oid"))
  var dbInclude: [String] = []

  @OptionGroup var recovery: RecoveryOptions

  @Flag(help: "Restore over existing files: write only what differs, remove what the snapshot does not have.")
  var delta = false

  @Flag(name: .long, help: "Like --delta, but remove nothing.")
  var noRemove = false

  @Flag(name: .long, help: "Restore only files that are missing in the target; existing files stay unchanged.")
  var missingOnly = false

  @Flag(help: "Do not ask, and allow removing most of the existing files.")
  var yes = false

  @Flag(name: .long, help: "Only show what would be read, written and removed.")
  var dryRun = false

  @Flag(
    name: .long,
    help:
      "With --delta, also remove files in file systems that are mounted below the target and are not in the snapshot.")
  var acrossMounts = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var rate: RateOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    try recovery.checkPurpose()
    if let at, WrittenTime(at) == nil {
      throw ValidationError(
        "--at \(at) is not a time such as 2026-11-22T14:05, 2026-11-22T14:05:03+01:00 or 2026-11-22")
    }
    if acrossMounts, !delta { throw ValidationError("--across-mounts is for --delta") }
    if recovery.target != nil, !path.isEmpty || at != nil {
      throw ValidationError("\(RecoveryOptions.targets) exclude --path and --at")
    }
    guard !noRemove || !missingOnly else { throw ValidationError("--no-remove and --missing-only exclude each other") }
    if recovery.target != nil, noRemove || missingOnly {
      throw ValidationError("\(RecoveryOptions.targets) exclude --no-remove and --missing-only")
    }
    let isPart = !path.isEmpty || noRemove || missingOnly
    guard !recovery.standby && recovery.archiveMode != .off && dbInclude.isEmpty || !isPart else {
      throw ValidationError(
        "--standby, --archive-mode off and --db-include exclude --path, --no-remove and --missing-only")
    }
    guard !dbInclude.contains("") else { throw ValidationError("--db-include is the name or OID of a database") }
  }

  func run() throws {
    let machine = location.machine(output)
    let watch = output.watch(.restore, machine, isDryRun: dryRun)
    try watch.run { try run(machine, watch) }
  }

  private func run(_ machine: MachineContext, _ watch: RunWatch) throws {
    let host = machine.host
    let context = try location.context(machine, identity: identity, asks: true, of: source.name)
    let repository = try context.open(
      copy, limit: rate.limit(machine), for: source.name, looksAround: source.name == nil)
    watch.opened(repository, source: source.name)
    let progress = watch.makeProgress()
    defer { progress.end() }
    let plan =
      try recovery.target.map { try planRecovery(to: $0, repository, progress) } ?? planStandby(repository, progress)
    var options = try options(context)
    let (chosen, known) = try plan.map { ($0.snapshot, []) } ?? choose(for: options, in: repository, host, progress)
    let settings = try settings(for: chosen, plan, context, repository, progress)
    options.recovery = settings
    if try repository.notes.read(chosen.sourceName).removal(of: chosen) != nil {
      progress.warn(
        "snapshot \(chosen.id.short) is removed, and may be collected while it is restored; call it back first with `holdfast undelete \(chosen.id.short)`"
      )
    }
    watch.parts = [RunRecord.Part(of: chosen)]
    options.paths = try paths(of: chosen, repository)
    let restore = Restore(
      repository: repository, snapshot: chosen, known: known, options: options, progress: progress
    ) { impact in
      if yes { return }
      guard Console.canAsk else { return try impact.check() }
      progress.end()
      try Confirmation.ask(impact, host.cancellation)
    }
    let report: Restore.Report
    do {
      report = try restore.run()
    } catch let error as FrozenArchives where dryRun && !output.json {
      // A loop around the provider's own tool can read these lines.
      for object in error.objects { Console.output(object.line) }
      throw error
    } catch {
      noteDamage(context, repository, watch)
      throw error
    }
    noteDamage(context, repository, watch)
    let newer = SnapshotSelector.newer(than: chosen, among: known)
    progress.end()
    watch.parts = [RunRecord.Part(report, isDelta: isDelta)]
    watch.name(report.problems)
    if output.json {
      try Console.json(RestoreJSON(report, settings, newer: at.flatMap { _ in newer }), context.machine)
    } else if !output.quiet || dryRun {
      show(report, newer: newer)
      if let settings { show(settings, isDryRun: report.isDryRun) }
      Console.transfer(context.machine)
    }
    try Outcome.end(report.exitStatus)
  }

  /// Notes the damage that the restore has read around. A dry run notes nothing.
  private func noteDamage(_ context: RepositoryContext, _ repository: Repository, _ watch: RunWatch) {
    guard !dryRun else { return }
    for text in context.noteDamage(metIn: repository) { watch.tellAndRecord(Notice(.warning, text), as: text) }
  }

  private func options(_ context: RepositoryContext) throws -> Restore.Options {
    let environment = context.machine.environment
    var options = Restore.Options(target: try environment.absolute(target))
    options.tablespaces = try tablespaces(environment)
    options.tablespaceRoot = try tablespaceAll.map { try environment.absolute($0) }
    options.databases = dbInclude
    options.isDelta = isDelta
    options.keeps = missingOnly ? .everything : noRemove ? .others : .nothing
    options.isDryRun = dryRun
    options.crossesMounts = acrossMounts
    options.setsOwner = environment.isRoot
    return options
  }

  /// Chooses the snapshot. If none is named, a repeated command continues with the snapshot of the interrupted restore,
  /// even if there is a newer one now.
  private func choose(
    for options: Restore.Options, in repository: Repository, _ host: Host, _ progress: any ProgressObserver
  ) throws -> (Snapshot, [Snapshot]) {
    let (chosen, all) = try SnapshotSelector(snapshot, source: source.name, at: at.flatMap { WrittenTime($0)?.last })
      .chooseAmongAll(in: repository.catalog) { progress.warn($0.message) }
    var options = options
    options.paths = try paths(of: chosen, repository)
    options.recovery = recovery.settings(nil, from: chosen.id, restoreCommand: nil)
    guard snapshot == .latest, at == nil,
      let unfinished = Restore.unfinished(in: options.target, files: host.files),
      unfinished.isSameCommand(as: RestoreRecord(options, of: chosen.id)),
      let begun = all.first(where: { $0.id.description == unfinished.snapshot }), begun.id != chosen.id
    else { return (chosen, all) }
    progress.warn(
      "an earlier restore of snapshot \(begun.id.short), taken \(TimeText.local(begun.envelope.started)), into \(options.target) did not end: it goes on with that, and not with the newest, \(chosen.id.short)"
    )
    return (begun, all)
  }

  /// The paths of `--path` as entries of a snapshot.
  private func paths(of snapshot: Snapshot, _ repository: Repository) throws -> [Path] {
    try path.map { try repository.entryPath(TypedPath($0), of: snapshot) }
  }

  private var isDelta: Bool { delta || noRemove || missingOnly }

  private func tablespaces(_ environment: ProcessEnvironment) throws -> [String: Path] {
    var places: [String: Path] = [:]
    for text in tablespace {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, places[parts[0]] == nil else {
        throw EngineError(
          .usage, "\"\(text)\" does not say where a tablespace goes",
          hint: "Say it once for each, like --tablespace 16384=/srv/fast.",
          exitStatus: .usage)
      }
      places[parts[0]] = try environment.absolute(parts[1])
    }
    return places
  }

  private func show(_ report: Restore.Report, newer: Snapshot?) {
    let envelope = report.snapshot.envelope
    let verb = report.isDryRun ? "would restore" : "restored"
    Console.output(
      "\(verb) \(envelope.snapshot.short) of \(envelope.source.name), taken \(TimeText.local(envelope.started)), into \(report.target)"
    )
    if let at {
      let next = newer.map { "the next newer, \($0.id.short), was taken \(TimeText.local($0.envelope.started))" }
      Console.output("  it is the newest of \(at) or before; \(next ?? "there is no newer one")")
    }
    Console.output(
      "  holds \(Amount.bytes(report.bytes)) in \(Amount.count(report.entries, "entry", "entries"))")
    Console.output("  \(report.isDryRun ? "would read" : "read") \(Amount.bytes(report.readBytes)) from the repository")
    Console.output(
      "  \(report.isDryRun ? "would write" : "wrote") \(Amount.bytes(report.writtenBytes)) to \(Amount.count(report.writtenFiles, "file"))"
    )
    for database in report.zeroedDatabases {
      Console.output(
        "  database \(database.oid)\(database.name.isEmpty ? "" : " (\(Path(database.name)))") becomes zeros: DROP DATABASE it when the server runs"
      )
    }
    let removed = Amount.count(UInt64(report.removed.count), "path")
    let all = "\(Amount.count(report.removedEntries, "entry", "entries")), \(Amount.bytes(report.removedBytes))"
    Console.output(
      "  \(report.isDryRun ? "would remove" : "removed") \(removed) that the snapshot does not have"
        + (report.removed.isEmpty ? "" : ": \(all)"))
    if report.isDryRun { for path in report.removed { Console.output("    - \(path)") } }
    if let refusal = report.refusal { Console.output("  without --yes it would be refused: \(refusal)") }
    if !report.isDryRun {
      Console.output(
        "  took \(Amount.duration(report.duration)); every page was proved against its digest, and the target is durable"
      )
    }
  }
}
