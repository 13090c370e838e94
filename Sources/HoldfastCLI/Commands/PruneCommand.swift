internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

extension Tag: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

/// The rules that say which snapshots to keep.
struct RetentionOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Keep the last n snapshots.", valueName: "n"))
  var keepLast: Int?

  @Option(help: ArgumentHelp("Keep the newest snapshot of each of the last n hours that have one.", valueName: "n"))
  var keepHourly: Int?

  @Option(
    help: ArgumentHelp(
      "Keep the newest snapshot of each of the last n days (local time) that have one.", valueName: "n"))
  var keepDaily: Int?

  @Option(
    help: ArgumentHelp(
      "Keep the newest snapshot of each of the last n weeks (from Monday) that have one.", valueName: "n"))
  var keepWeekly: Int?

  @Option(help: ArgumentHelp("Keep the newest snapshot of each of the last n months that have one.", valueName: "n"))
  var keepMonthly: Int?

  @Option(help: ArgumentHelp("Keep the newest snapshot of each of the last n years that have one.", valueName: "n"))
  var keepYearly: Int?

  @Option(
    help: ArgumentHelp(
      "Keep snapshots at most this much older than the newest of their source: 36h, 30d, 8w, 6mo, 2y.",
      valueName: "time"),
    transform: TimeSpan.argument)
  var keepWithin: TimeSpan?

  @Option(help: ArgumentHelp("Keep snapshots with this tag. May be repeated.", valueName: "tag"))
  var keepTag: [Tag] = []

  func validate() throws {
    let counts = [keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly]
    guard counts.allSatisfy({ $0.map { $0 >= 0 } ?? true }) else {
      throw ValidationError("a number of snapshots to keep is negative")
    }
  }

  /// True if the command line has any rule. One that keeps nothing (`--keep-daily 0`) is a rule too.
  var areGiven: Bool {
    let counts = [keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly]
    return counts.contains { $0 != nil } || keepWithin != nil || !keepTag.isEmpty
  }

  var policy: RetentionPolicy {
    var policy = RetentionPolicy()
    policy.last = keepLast ?? 0
    let counts: [(RetentionPolicy.Period, Int?)] = [
      (.hour, keepHourly), (.day, keepDaily), (.week, keepWeekly), (.month, keepMonthly), (.year, keepYearly),
    ]
    for case (let period, .some(let count)) in counts { policy.periods[period] = count }
    policy.within = keepWithin ?? .zero
    policy.tags = Set(keepTag)
    return policy
  }
}

struct PruneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prune", abstract: "Remove snapshots that no rule keeps.",
    discussion: """
      A removed snapshot is hidden at once. `holdfast undelete` can undo the removal until this machine has known of \
      it for the grace period; the next prune after that collects it, which frees its space. Always kept: the newest \
      snapshot of a source, the newest complete one, the newest full that was verified, pinned snapshots, snapshots \
      with a time in the future, and everything that a kept snapshot builds on.

      Without any of the rules below, what the configuration says of each source counts: its `keep` and `grace`. The \
      `keep` of another target counts there, and is shown for it: it may keep more or less than home. The next `sync` or \
      backup removes there what was collected. Home collects nothing that such a target keeps and does not have yet.

      \(HelpEnd.text("holdfast prune --keep-daily 14 --keep-weekly 8 --dry-run", "holdfast prune --keep-last 96 --keep-monthly 12 --name orders"))
      """)

  @OptionGroup var rules: RetentionOptions

  @Option(
    help: ArgumentHelp(
      "How long a removal can be undone. (default: 7d, or the `grace` of the source where its `keep` counts)",
      valueName: "time"),
    transform: TimeSpan.argument)
  var grace: TimeSpan?

  @Flag(name: .long, help: "Only show what would be done, and why.")
  var dryRun = false

  @Flag(help: "Wait for another run on the same source instead of skipping the source.")
  var wait = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let watch = output.watch(.prune, machine, isDryRun: dryRun)
    try watch.run { try run(machine, watch) }
  }

  private func run(_ machine: MachineContext, _ watch: RunWatch) throws {
    let context = try location.context(machine, writer: writer, of: source.name)
    let repository = try context.openToWrite(for: source.name, takesLease: !dryRun) { Console.warn($0) }
    watch.opened(repository, source: source.name)
    var options = Prune.Options(policy: rules.policy)
    if let grace { options.grace = grace }
    if !rules.areGiven { options.sourceRules = try configuredRules(context, repository) }
    options.source = source.name
    options.isDryRun = dryRun
    options.waitsForLock = wait
    RepositoryTargets(context).rule(&options)
    let report = try Prune(repository: repository, options: options).run()
    watch.parts = report.sources.map { RunRecord.Part($0) }
    if output.json {
      let graces = options.sourceRules.isEmpty ? [options.grace] : options.sourceRules.values.map(\.grace)
      try Console.json(PruneJSON(report, grace: graces.max() ?? options.grace), machine)
    } else if !output.quiet {
      PruneText(report).lines.forEach(Console.output)
      Console.transfer(machine)
    }
    if let problem = report.memoryProblem {
      let notice = Notice(
        .warning,
        "this machine cannot remember when it saw that snapshots were removed, so none is collected: \(problem); set HOLDFAST_STATE_DIR"
      )
      watch.tellAndRecord(
        notice, as: "this machine cannot remember when it saw that snapshots were removed: \(problem)")
    }
    for warning in report.sources.flatMap(\.warnings) {
      watch.tellAndRecord(Notice(.warning, warning), as: warning)
    }
    watch.tellHeld(report)
    for refusal in report.sources.compactMap(\.refusal) + report.targetRefusals { watch.tell(refusal) }
    try Outcome.end(report.exitStatus)
  }

  /// Returns the rules of the configuration for the sources of this repository.
  private func configuredRules(
    _ context: RepositoryContext, _ repository: Repository
  ) throws -> [SourceName: Prune.Rules] {
    var found: [SourceName: Prune.Rules] = [:]
    for source in try context.configuredSources(in: repository) {
      guard let policy = source.retention else { continue }
      found[source.name] = Prune.Rules(policy: policy, grace: grace ?? source.grace)
    }
    return found
  }
}
