internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct SyncCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sync", abstract: "Bring the other targets of a repository up to home.",
    discussion: """
      Copies what a target lacks, without the source: every object is checked on its way against the digest that its \
      signed manifest demands, and what is damaged is named and not copied. What a prune has collected at home is \
      removed. Where archives are in shards over the targets, and the scheme or the list of targets was changed, each target \
      gets its shards first. The targets are brought up side by side; one that fails does not keep the others. It may be stopped at \
      any time, and run again. A backup does the same for its own source when it is done.

      \(HelpEnd.text("holdfast sync --dry-run", "holdfast sync --to barn"))
      """)

  @Option(help: ArgumentHelp("Only this target. May be repeated. (default: all)", valueName: "target"))
  var to: [String] = []

  @Flag(name: .long, help: "Only show what would be copied and removed.")
  var dryRun = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let configured = try location.context(machine, of: source.name)
    try configured.checkIsHome()
    guard !RepositoryTargets(configured).others.isEmpty else {
      throw EngineError(
        .usage, "the repository has no other targets",
        hint: "Name them below `targets:` of the repository, and the repository by its name there.", exitStatus: .usage)
    }
    var (home, place) = try configured.openHome { Console.warn($0) }
    let targets = RepositoryTargets(place, isChosen: true)
    let chosen = try targets.chosen(to)
    if !dryRun, try targets.divide(home) { home = try place.open() }
    let repository = home
    defer { repository.errands.wait() }
    let display = output.observer(machine).makeProgress()
    defer { display.end() }
    let progress = SyncProgress(display)
    let placed = try ShardPlacement(repository, observer: progress)?.run(source.name, isDryRun: dryRun) ?? []
    let results = try targets.sync(
      from: repository, to: targets.opened(chosen), source.name, isDryRun: dryRun, observer: progress)
    display.end()
    home.warnOfParityUses()
    show(placed)
    try show(results, placed, machine)
    let statuses = results.map(\.exitStatus) + placed.map { $0.isWithoutFault ? .done : .incomplete }
    try Outcome.end(.worst(of: dryRun ? statuses.filter { $0 != .incomplete } : statuses))
  }

  /// Shows what was placed for a new scheme or at another target.
  private func show(_ placed: [PlacementResult]) {
    for result in placed {
      let text = PlacementText(result, isDryRun: dryRun)
      if !output.json, !output.quiet { text.lines.forEach(Console.output) }
      for warning in text.warnings { Console.error("holdfast: \(warning)", .yellow) }
    }
  }

  private func show(_ results: [TargetResult], _ placed: [PlacementResult], _ machine: MachineContext) throws {
    if output.json { try Console.json(SyncJSON(results, placed: placed, isDryRun: dryRun), machine) }
    for result in results {
      let text = TargetResultText(result, isDryRun: dryRun)
      if !output.json, !output.quiet { text.lines.forEach(Console.output) }
      for warning in text.warnings { Console.error("holdfast: \(warning)", .yellow) }
      if let hint = text.hint { Console.hint(hint) }
    }
    if !output.json, !output.quiet { Console.transfer(machine) }
  }
}
