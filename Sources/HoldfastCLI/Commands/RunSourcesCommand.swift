internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

struct RunSourcesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Do what is due for the configured sources: take, merge, prune, prove.",
    discussion: """
      What is due is what the configuration says of a source: schedule, merge-after, keep, verify. Call it as often as the shortest interval, from cron or with \
      `holdfast schedule install`. A source that another run works on is left to it, and that is no error; a source that fails does not stop the others.

      \(ExitStatusTable.text)
      """)

  @Argument(help: ArgumentHelp("Only these sources. (default: all that are configured)", valueName: "name"))
  var names: [SourceName] = []

  @Flag(name: .long, help: "Only show what is due, and why.")
  var dryRun = false

  @OptionGroup var place: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let host = Environment.makeHost()
    var flags = FlagValues()
    flags.set("repository", place.repository.map { [$0] } ?? [])
    let settings = try SiteConfiguration.needed(host, named: place.config, flags: flags, for: "sources to run for")
    let run = ConfiguredRun(settings: settings, host: host)
    var reports: [SourceRun.Report] = []
    for source in try run.sources(names) {
      let sourceRun = SourceRun(
        source: source, run: run, place: place, identity: identity, writer: writer, isQuiet: output.quiet)
      let report = dryRun ? preview(sourceRun) : sourceRun { show($0, of: source.name) }
      if let failure = report.failure { ConfiguredRun.report(failure) }
      if let idle = report.plan?.idleReason { say("\(source.name): no snapshot: \(idle)") }
      reports.append(report)
      if report.status == .interrupted { break }
    }
    if output.json { try Console.json(reports.map { RunJSON($0) }) }
    try Outcome.end(
      ConfiguredRun.status(of: reports.map { SourceOutcome(source: $0.source, status: $0.status, summary: "") }))
  }

  private func preview(_ sourceRun: SourceRun) -> SourceRun.Report {
    let name = sourceRun.source.name
    var report = SourceRun.Report(source: name)
    do {
      let (_, plan) = try sourceRun.plan()
      report.plan = plan
      for line in plan.lines { say("\(name): \(Self.words(line.step)): \(line.reason)") }
    } catch {
      let known = error as? any OperatorError ?? EngineError("\(error)", hint: nil)
      report.failure = SourceOutcome(
        source: name, status: known.exitStatus, summary: "failed: \(known.message)", error: known)
    }
    return report
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

  static func words(_ step: RunPlan.Step) -> String {
    switch step {
    case .take(let kind): "would take \(kind == .incremental ? "an" : "a") \(kind.rawValue)"
    case .merge: "would merge"
    case .mergeElsewhere: "a merge is due, and runs where an identity is"
    case .prune: "would prune"
    case .prove(_, let count): "would prove \(Amount.share(Double(count) / Double(ProofRound.parts))) of its data"
    }
  }
}

/// What a run did for one source, or would do.
private struct RunJSON: Encodable {
  struct Step: Encodable {
    /// `full`, `differential`, `incremental`, `merge`, `merge-elsewhere`, `prune` or `prove`.
    let step: String
    let reason: String
    /// Absent where it was not done.
    let status: Int32?
    let summary: String?
  }

  let source: String
  let status: Int32
  let error: String?
  /// Why no snapshot was due, where that is so.
  let idle: String?
  let steps: [Step]

  init(_ report: SourceRun.Report) {
    source = report.source.text
    status = report.status.rawValue
    error = report.outcomes.compactMap { $0.error?.message }.first
    idle = report.plan?.idleReason
    steps = (report.plan?.lines ?? []).map { line in
      let outcome = report.done.first { $0.line == line }?.outcome
      return Step(
        step: Self.name(line.step), reason: line.reason, status: outcome?.status.rawValue, summary: outcome?.summary)
    }
  }

  private static func name(_ step: RunPlan.Step) -> String {
    switch step {
    case .take(let kind): kind.rawValue
    case .merge: "merge"
    case .mergeElsewhere: "merge-elsewhere"
    case .prune: "prune"
    case .prove: "prove"
    }
  }
}
