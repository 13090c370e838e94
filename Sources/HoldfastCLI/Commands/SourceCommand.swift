internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct SourceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "source", abstract: "Show, rename and remove the sources of a repository.",
    discussion: HelpEnd.text("holdfast source list", "holdfast source remove old-shop --dry-run"),
    subcommands: [
      SourceListCommand.self, SourceRenameCommand.self, SourceRemoveCommand.self, SourceUndeleteCommand.self,
    ])
}

struct SourceListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the sources of a repository, also those that are removed.",
    discussion: HelpEnd.text("holdfast source list", "holdfast source list -r /backup/shop --json"))

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let repository = try location.context(location.machine(output)).open(copy, looksAround: true)
    var damage: [DamageError] = []
    let sources = try SourceOverview.all(in: repository) { damage.append($0) }
    if output.json {
      try Console.json(SourceListJSON(sources))
    } else if sources.isEmpty {
      Console.output("no sources in \(repository.location)")
    } else {
      SourceListText.lines(sources).forEach(Console.output)
    }
    try Outcome.end(damage, hint: "Run `holdfast verify --data` to see what can still be restored.")
  }
}

struct SourceRemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Remove a source with all its snapshots.",
    discussion: """
      Its snapshots are hidden at once, and runs that would take another one are refused. `holdfast source undelete` can \
      undo this until this machine has known of it for the grace period; no prune deletes the snapshots earlier, whatever \
      its own grace period. After that, the same command or the next prune does, which frees their space. The same \
      command with a shorter --grace deletes them earlier, and asks. The next `sync` or backup does the same at other targets. The name \
      is not used again. Refuses if a snapshot is pinned.

      \(HelpEnd.text("holdfast source remove old-shop --dry-run", "holdfast source remove old-shop --yes --grace 30d"))
      """)

  @Argument(help: ArgumentHelp("The source.", valueName: "name"))
  var name: SourceName

  @Option(
    help: ArgumentHelp(
      "How long the removal can be undone. (default: the `grace` of the source in the configuration, else 7d)",
      valueName: "time"),
    transform: TimeSpan.argument)
  var grace: TimeSpan?

  @Flag(name: .long, help: "Only show what would be done.")
  var dryRun = false

  @Flag(name: .long, help: "Do not ask.")
  var yes = false

  @Flag(help: "Wait for another run on the same source.")
  var wait = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let watch = output.watch(.prune, machine, isDryRun: dryRun)
    try watch.run { try run(machine, watch) }
  }

  private func run(_ machine: MachineContext, _ watch: RunWatch) throws {
    let context = try location.context(machine, writer: writer, of: name)
    let repository = try context.openToWrite(for: name, takesLease: !dryRun) { Console.warn($0) }
    let name = try repository.names.source(name)
    watch.opened(repository, source: name)
    let settings = try context.configuredSources(in: repository).first { $0.name == name }
    var options = Prune.Options(policy: .removingSource)
    options.grace = grace ?? settings?.grace ?? options.grace
    (options.source, options.isDryRun, options.waitsForLock) = (name, dryRun, wait)
    RepositoryTargets(context).rule(&options)
    let known = try SourceOverview(name, in: repository) { Console.warn($0.message) }
    guard known.removal != nil || known.snapshots > 0 else {
      throw EngineError(
        .usage, "there is no snapshot of \(name), so there is nothing to remove",
        hint: "Run `holdfast source list` to see all sources.")
    }
    if !dryRun, !yes { try ask(known, &options, repository, machine.host.cancellation) }
    let report = try Prune(repository: repository, options: options).run()
    watch.parts = report.sources.map { RunRecord.Part($0) }
    if output.json {
      try Console.json(PruneJSON(report, grace: options.grace), machine)
    } else if !output.quiet, report.sources.allSatisfy({ $0.refusal == nil }) {
      SourceRemovalText(report, of: name, grace: options.grace).lines.forEach(Console.output)
      Console.transfer(machine)
    }
    try tell(report, of: name, isConfigured: settings != nil, repository, watch)
    try Outcome.end(report.exitStatus)
  }

  /// Asks if anything would go, and lets the prune refuse whatever comes after the question.
  private func ask(
    _ known: SourceOverview, _ options: inout Prune.Options, _ repository: Repository, _ cancellation: Cancellation
  ) throws {
    var look = options
    look.isDryRun = true
    let lines = try Prune(repository: repository, options: look).run().sources.flatMap(\.lines)
    options.agreed = Set(lines.map(\.snapshot.id))
    let going = lines.filter { $0.action == .collected }
    if known.removal == nil {
      try Confirmation.ask(question(known, options), cancellation)
    } else if !going.isEmpty {
      let bytes = going.reduce(UInt64(0)) { $0.saturatingAdding($1.bytes) }
      try Confirmation.ask(
        "delete \(Amount.count(UInt64(going.count), "snapshot")) of the removed source \(known.name) for good, \(Amount.bytes(bytes)); it CANNOT be undone?",
        cancellation)
    }
  }

  private func question(_ known: SourceOverview, _ options: Prune.Options) -> String {
    let undo = options.grace > .zero ? "; it can be undone for \(options.grace)" : "; it CANNOT be undone"
    return "remove the source \(known.name) with \(Amount.count(UInt64(known.snapshots), "snapshot")), "
      + "\(Amount.bytes(known.storedBytes))\(known.newest.map { ", the newest of \(TimeText.local($0))" } ?? "")\(undo)?"
  }

  private func tell(
    _ report: Prune.Report, of name: SourceName, isConfigured: Bool, _ repository: Repository, _ watch: RunWatch
  ) throws {
    if let problem = report.memoryProblem {
      let text =
        "this machine cannot remember when it saw that snapshots were removed, so none is collected: \(problem)"
      watch.tellAndRecord(Notice(.warning, text + "; set HOLDFAST_STATE_DIR"), as: text)
    }
    watch.tellHeld(report)
    let refusals = report.sources.compactMap(\.refusal)
    for refusal in refusals + report.targetRefusals { watch.tell(refusal) }
    guard refusals.isEmpty else { return }
    if isConfigured {
      watch.tell(Notice(.hint, "Take \(name) out of the configuration: its runs are refused from now on."))
    }
    if try repository.catalog.loggedSourceNames().contains(name) {
      watch.tell(
        Notice(
          .hint, "Take `holdfast wal push` for \(name) out of its server's archive_command: it would go on archiving."))
    }
  }
}

struct SourceUndeleteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "undelete", abstract: "Undo the removal of a source within the grace period.",
    discussion: """
      The snapshots that were removed with it come back, at every target.

      \(HelpEnd.text("holdfast source undelete old-shop", "holdfast source undelete old-shop -r /backup/shop"))
      """)

  @Argument(help: ArgumentHelp("The source.", valueName: "name"))
  var name: SourceName

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let context = try location.context(location.machine(output), writer: writer, of: name)
    let repository = try context.openToWrite { Console.warn($0) }
    let name = try repository.catalog.knownSources(name)[0]
    let count = try repository.notes.undelete(name)
    if output.json { return try Console.json(SourceUndeletedJSON(name, undeleted: count)) }
    if !output.quiet { Console.output("called back \(name) with \(Amount.count(UInt64(count), "snapshot"))") }
  }
}
