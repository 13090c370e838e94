internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastPage
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Write a report: can the shop be restored, from when, and how fast.",
    discussion: """
      The report is one HTML file that needs nothing else, and can be mailed and printed. It shows what `holdfast \
      status` shows, and how that has changed.

      \(HelpEnd.text("holdfast report --html report.html", "holdfast report --html /srv/www/holdfast.html --since 90d"))
      """)

  @Option(help: ArgumentHelp("Write the report to this file.", valueName: "file"), completion: .file())
  var html: String?

  @Option(
    help: ArgumentHelp("Show this much of the past: 7d, 12w. (default: 30d)", valueName: "time"),
    transform: TimeSpan.argument)
  var since: TimeSpan = .days(30)

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard html != nil || output.json else { throw ValidationError("a file for the report is needed: --html FILE") }
    guard since > .zero else { throw ValidationError("--since is more than 0") }
  }

  func run() throws {
    let machine = location.machine(output)
    let facts = try facts(machine)
    if let html {
      let path = try machine.environment.absolute(html)
      try TextFile.replace(path, by: ReportPage(facts).text, machine.host)
      if !output.json, !output.quiet { Console.output("report written to \(path)") }
    }
    if output.json { try Console.json(ReportJSON(facts)) }
  }

  private func facts(_ machine: MachineContext) throws -> ReportFacts {
    let context = try location.context(machine, of: source.name)
    let repository = try context.open(looksAround: source.name == nil)
    let configured = try context.configuredSources(in: repository)
    let statuses = try SourceStatus.read(from: repository, of: source.name, expected: configured.map(\.name)) { name in
      Objectives(configured.first { $0.name == name }?.objectives)
    }
    let targets = try TargetRow.read(context, .success(repository), source.name)
    let now = machine.host.clock.now()
    var begin = now
    begin.seconds -= since.wholeSeconds
    return ReportFacts(
      repository: repository.id, location: repository.location, now: now, since: begin,
      sources: try statuses.map { status in
        try Self.facts(status, configured.first { $0.name == status.name }?.retention, repository)
      },
      areAllSources: source.name == nil, targets: targets.map(\.facts),
      redundancy: TargetRow.redundancy(of: statuses, at: targets, repository),
      // Everything else counts without it.
      availableBytes: (try? repository.store.availableBytes()) ?? nil)
  }

  /// The status tells of damage, so what cannot be read is left out here.
  private static func facts(
    _ status: SourceStatus, _ policy: RetentionPolicy?, _ repository: Repository
  ) throws -> ReportFacts.Source {
    let isThere = try repository.catalog.isKnown(status.name)
    let all =
      isThere
      ? try repository.catalog.allSnapshots(of: status.name, includingRemoved: true, includingDiverged: true) { _ in }
      : []
    let notes = try repository.notes.read(status.name)
    let journal = try repository.journal.entriesIfReadable(of: status.name)
    return ReportFacts.Source(
      status, snapshots: all.filter { notes.removal(of: $0) == nil && !$0.isDiverged }, notes: notes.notes.notes,
      runs: SourceStatus.counted(journal, of: status.name, in: repository),
      kept: KeptSnapshots(all, notes, policy: policy, in: repository),
      log: try WALArchive(repository, of: status.name).amount())
  }
}
