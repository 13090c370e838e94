internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastSystem

struct RunSourcesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Back up, merge, prune and verify the configured sources, as due.",
    discussion: """
      The configuration of a source says what is due: schedule, merge-after, keep, verify. Run this at least as often \
      as the shortest interval, from cron or with `holdfast schedule install`. A source that another run works on is \
      skipped, which is no error. A source that fails does not stop the others.

      \(ExitStatusTable.text)
      """)

  @Argument(help: ArgumentHelp("Only these sources. (default: all configured sources)", valueName: "name"))
  var names: [SourceName] = []

  @Flag(name: .long, help: "Only show what is due, and why.")
  var dryRun = false

  @OptionGroup var place: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = place.machine()
    var flags = FlagValues()
    flags.set("repository", place.repository.map { [$0] } ?? [])
    let settings = try machine.neededSettings(flags: flags, for: "sources to run for")
    let run = ConfiguredRun(settings: settings, machine: machine)
    var sources = try run.sources(names).map {
      SourceRun(
        source: $0, run: run, request: place.request(machine, identity: identity, writer: writer),
        isQuiet: output.quiet)
    }
    if dryRun { preview(&sources) } else { perform(&sources) }
    let reports = sources.map(\.report).filter { $0.plan != nil || $0.failure != nil }
    if output.json { try Console.json(reports.map(Self.json)) }
    try Outcome.end(
      ConfiguredRun.status(of: reports.map { SourceOutcome(source: $0.source, status: $0.status, summary: "") }))
  }

  private func preview(_ sources: inout [SourceRun]) {
    for index in sources.indices {
      sources[index].preview()
      let report = sources[index].report
      for line in report.plan?.lines ?? [] { say("\(report.source): \(StepText.words(line.step)): \(line.reason)") }
      sayWhyNothingIsTaken(report)
    }
  }

  /// Every source is captured before any is looked after: the merge or the proof of one keeps no other waiting.
  private func perform(_ sources: inout [SourceRun]) {
    for index in sources.indices {
      let name = sources[index].source.name
      sources[index].capture { show($0, of: name) }
      sayWhyNothingIsTaken(sources[index].report)
      if sources[index].report.status == .interrupted { return }
    }
    for index in sources.indices {
      let name = sources[index].source.name
      sources[index].lookAfter { show($0, of: name) }
      if sources[index].report.status == .interrupted { return }
    }
  }

  private func sayWhyNothingIsTaken(_ report: SourceRun.Report) {
    if let failure = report.failure { ConfiguredRun.report(failure) }
    if let idle = report.plan?.idleReason { say("\(report.source): no snapshot: \(idle)") }
  }

  private func show(_ done: SourceRun.Done, of source: SourceName) {
    let outcome = done.outcome
    guard outcome.status != .locked else {
      return say("\(source): left to another run: \(outcome.error?.message ?? outcome.summary)")
    }
    ConfiguredRun.report(outcome)
    say("\(source): \(outcome.summary) (\(done.line.reason))")
  }

  private func say(_ text: String) { if !output.json, !output.quiet { Console.output(text) } }

  private static func json(_ report: SourceRun.Report) -> RunJSON {
    RunJSON(
      report.source, status: report.status, error: report.outcomes.compactMap { $0.error?.message }.first,
      plan: report.plan
    ) { line in report.done.first { $0.line == line }.map { ($0.outcome.status, $0.outcome.summary) } }
  }
}
