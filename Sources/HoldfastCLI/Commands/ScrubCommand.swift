internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct ScrubCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scrub", abstract: "Find what is damaged at the targets of a repository, and repair it.",
    discussion: """
      At every target, home among them, this compares what is there with what the signed manifests demand, and proves \
      every stored byte, or a share, against the digests in them. No key is needed. With --repair, what is damaged or \
      missing is replaced by what its parity or other targets have sound. What none of them has is made again from the \
      pages that the source on this machine still has; a sealed repository needs an --identity for that. Each byte is \
      proved on its way, and the damaged object goes only when the sound one is complete. Nothing else is ever \
      written. It may be stopped at any time, and run again. \
      What was repaired does not count as damage: the command ends with 0 when nothing is left.

      \(HelpEnd.text("holdfast scrub", "holdfast scrub --target barn --share 5% --repair"))
      """)

  @Option(
    help: ArgumentHelp(
      "Only this target; the others only give what is replaced. May be repeated. (default: all)", valueName: "target"))
  var target: [String] = []

  @Option(
    help: ArgumentHelp(
      "Prove only the next share of the stored bytes, such as 5%, in an order in which all have their turn.",
      valueName: "n%"))
  var share: Percentage?

  @Flag(help: "Replace what is damaged, and copy what is missing.")
  var repair = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var rate: RateOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let watch = output.watch(.scrub, machine)
    try watch.run { try run(machine, watch) }
  }

  private func run(_ machine: MachineContext, _ watch: RunWatch) throws {
    let context = try location.context(machine, identity: identity, writer: writer, of: source.name)
    let configured = RepositoryTargets(context)
    let names = [configured.scrubbedHome] + configured.others.map(\.name)
    if let unknown = target.first(where: { !names.contains($0) }) { _ = try context.target(named: unknown) }
    let began = machine.host.clock.now()
    let opened = try configured.openToScrub(limit: rate.limit(machine)) { Console.warn($0) }
    let targets = opened.targets
    let repository = opened.repository
    watch.opened(repository, source: source.name)
    var options = Scrub.Options()
    (options.repairs, options.source, options.chosen) = (repair, source.name, Set(target))
    let round = ScrubRound(share: share?.share, of: Set(target), of: repository)
    (options.share, options.begin) = (round.share, round.begin)
    options.directory = context.sourceDirectories(in: repository)
    let display = watch.makeProgress()
    defer { display.end() }
    let progress = ScrubProgress(display)
    let results = try targets.scrub((repository, opened.target), options, limit: rate.limit(machine)) {
      progress.proved($0)
    }
    display.end()
    watch.parts = RunRecord.parts(of: results, share: options.share, begin: options.begin)
    if output.json { try Console.json(ScrubJSON(results, share: options.share), machine) }
    show(results, machine)
    round.remember(results, at: began) { watch.tell(Notice(.warning, $0)) }
    try Outcome.end(.worst(of: results.map(\.exitStatus)))
  }

  /// Shows findings on standard error, and the results on standard output unless that is for JSON.
  private func show(_ results: [ScrubResult], _ machine: MachineContext) {
    let texts = results.map { ScrubText($0) }
    for text in texts {
      if !output.json, !output.quiet { text.lines.forEach(Console.output) }
      for warning in text.warnings { Console.error("holdfast: \(warning)", .yellow) }
      if !output.quiet { for note in text.notes { Console.error("holdfast: \(note)") } }
    }
    var told: Set<String> = []
    for hint in texts.flatMap(\.hints) where told.insert(hint).inserted { Console.hint(hint) }
    if !output.json, !output.quiet { Console.transfer(machine) }
  }
}
