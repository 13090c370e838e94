internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastSystem

struct RunSourcesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Back up, merge, prune, verify and drill the configured sources, as due.",
    discussion: """
      The configuration of a source says what is due: schedule, merge-after, keep, verify, drill. Run this at least as \
      often as the shortest interval, from cron or with `holdfast schedule install`. A source that another run works \
      on is skipped, which is no error. A source that fails does not stop the others.

      \(HelpEnd.text("holdfast run --dry-run", "holdfast run orders --quiet"))
      """)

  @Argument(help: ArgumentHelp("Only these sources. (default: all configured sources)", valueName: "name"))
  var names: [SourceName] = []

  @Flag(name: .long, help: "Only show what is due, and why.")
  var dryRun = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var targets: LingerOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let began = machine.host.clock.now()
    let run: ConfiguredRun
    let sources: [SourceSettings]
    do {
      (run, sources) = try chosen(machine)
    } catch {
      // Whoever is told of runs is told of this one, too.
      if !dryRun { UnbegunRun.tell(error, began: began, on: machine, notices: output.observer(machine)) }
      throw error
    }
    let request = location.request(machine, identity: identity, writer: writer)
    let reports = dryRun ? run.planDue(sources, request) : run.performDue(sources, request)
    if output.json { try Console.json(RunsJSON(reports.map(Self.json))) }
    try Outcome.end(
      ConfiguredRun.status(of: reports.map { SourceOutcome(source: $0.source, status: $0.status, summary: "") }))
  }

  private func chosen(_ machine: MachineContext) throws -> (ConfiguredRun, [SourceSettings]) {
    var flags = FlagValues()
    flags.set("repository", location.repository)
    let settings = try machine.neededSettings(flags: flags, for: "sources to run for")
    let run = ConfiguredRun(
      settings: settings, machine: machine, observer: output.observer(machine), linger: targets.linger)
    return (run, try run.sources(names))
  }

  private static func json(_ report: SourceRun.Report) -> RunJSON {
    RunJSON(
      report.source, status: report.status, error: report.outcomes.compactMap(\.error).first,
      plan: report.plan
    ) { line in report.done.first { $0.line == line }.map { ($0.outcome.status, $0.outcome.summary) } }
  }
}
