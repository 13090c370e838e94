internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastDrill
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

struct DrillCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drill", abstract: "Restore a snapshot on trial, open its databases, and measure the time.",
    discussion: """
      A drill restores into a scratch directory of its own, opens every database there (SQLite: integrity_check and \
      foreign_key_check; PostgreSQL: a private server that recovers to the end of the archived log, pg_amcheck), asks \
      the assertions of the site, and removes the data again. Sources and their servers are not touched. The result is \
      kept in the journal, signed in a sealed repository; `status` takes from it how long a restore takes. The log of \
      the last drill stays in DIR/holdfast-drill-NAME/log.

      \(HelpEnd.text("holdfast drill orders --in /var/tmp/drill", "holdfast drill orders --draw 7 --assert 'SELECT count(*) FROM orders'"))
      """)

  @Argument(help: ArgumentHelp("The source. (default: the only one)", valueName: "name"))
  var source: SourceName?

  @Option(help: "The snapshot: latest, an ID, or the beginning of an ID.", completion: Candidates.snapshots)
  var snapshot = SnapshotSelector.Name.latest

  @Option(
    help: ArgumentHelp(
      "Draw an older snapshot by this number, recent ones more often: the same number draws the same one.",
      valueName: "seed"))
  var draw: UInt64?

  @Option(
    name: .customLong("in"),
    help: ArgumentHelp(
      "The directory in which the scratch directory is made. (default: as configured, else below HOLDFAST_STATE_DIR)",
      valueName: "dir"), completion: .directory)
  var directory: String?

  @Option(help: ArgumentHelp("Restore at most so much, such as 100GiB. (default: as configured)", valueName: "size"))
  var maxSize: ByteSize?

  @Option(
    help: ArgumentHelp(
      "End the drill when it takes longer than this, such as 30min or 6h. (default: as configured, else 24h)",
      valueName: "time"), transform: TimeSpan.argument)
  var timeout: TimeSpan?

  @Option(
    help: ArgumentHelp(
      "The database that assertions ask: the path of an SQLite file below the source, or the name of a database of PostgreSQL. (default: as configured, else the only one)",
      valueName: "name"))
  var database: String?

  @Option(
    name: .customLong("assert"),
    help: ArgumentHelp(
      "Ask this too: the first column of the first row must be neither 0 nor NULL. May be repeated.", valueName: "sql"))
  var assertions: [String] = []

  @Flag(name: .long, help: "Only show what would be restored.")
  var dryRun = false

  @Flag(help: "Leave the restored data in place.")
  var keep = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var rate: RateOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if draw != nil, snapshot != .latest { throw ValidationError("--draw and --snapshot exclude each other") }
  }

  func run() throws {
    let machine = location.machine(output)
    let watch = output.watch(.drill, machine, isDryRun: dryRun)
    let report = try watch.run {
      let report = try run(machine, watch)
      watch.status = report.exitStatus
      return report
    }
    try Outcome.end(report.exitStatus)
  }

  private func run(_ machine: MachineContext, _ watch: RunWatch) throws -> Drill.Report {
    let clock = machine.host.clock
    let context = try location.context(machine, identity: identity, writer: writer, asks: true, of: source)
    let begun = clock.uptime()
    let repository = try context.open(copy, limit: rate.limit(machine), for: source, looksAround: source == nil)
    let openingTime = clock.uptime() - begun
    watch.opened(repository, source: source)
    let progress = watch.makeProgress()
    defer { progress.end() }
    let (chosen, isOlder) = try choose(in: repository, progress)
    let configured = try context.configuredSources(in: repository).first { $0.name == chosen.sourceName }?.drill
    var task = DrillTask(try settings(configured ?? DrillSettings(), machine), at: context)
    (task.isOlder, task.isDryRun, task.keepsData) = (isOlder, dryRun, keep)
    let report = try task.perform(on: chosen, in: repository, openingTime: openingTime, watch, progress)
    if !dryRun {
      for text in context.noteDamage(metIn: repository) { watch.tellAndRecord(Notice(.warning, text), as: text) }
    }
    progress.end()
    if output.json {
      try Console.json(DrillJSON(report), machine)
    } else if !output.quiet || dryRun {
      DrillText.lines(report).forEach(Console.output)
      Console.transfer(machine)
    }
    watch.tell(report)
    return report
  }

  /// Returns the snapshot to drill, and true if it is another one than the newest.
  private func choose(
    in repository: Repository, _ progress: any ProgressObserver
  ) throws -> (chosen: Snapshot, isOlder: Bool) {
    let known = try source == nil ? repository.catalog.sourceNames() : []
    guard known.count <= 1 else {
      throw EngineError(
        .usage, "the repository holds several sources: " + known.sorted().map(\.text).joined(separator: ", "),
        hint: "Say which one to drill: holdfast drill \(known.sorted()[0]).", exitStatus: .usage)
    }
    let (chosen, all) = try SnapshotSelector(snapshot, source: source).chooseAmongAll(in: repository.catalog) {
      progress.warn($0.message)
    }
    guard let draw else { return (chosen, all.contains { Snapshot.isOlder(chosen, $0) }) }
    guard let drawn = SnapshotDraw.draw(all.filter { $0.id != chosen.id }, seed: draw) else {
      throw EngineError(
        .usage, "there is no older snapshot of \(chosen.sourceName) to draw", hint: "Leave out --draw.")
    }
    return (drawn, true)
  }

  /// Returns the settings of the source, as the command line changes them.
  private func settings(_ configured: DrillSettings, _ machine: MachineContext) throws -> DrillSettings {
    var settings = configured
    if let directory { settings.directory = try machine.environment.absolute(directory) }
    settings.bytesMax = maxSize?.bytes ?? settings.bytesMax
    settings.timeout = timeout ?? settings.timeout
    settings.database = database ?? settings.database
    settings.assertions += assertions.map { DrillAssertion($0) }
    return settings
  }
}

extension ByteSize: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}
