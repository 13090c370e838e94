internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct TargetAddCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add", abstract: "Fill a new target, and add it to the list of targets.",
    discussion: """
      Name the target in the configuration first. An empty place is filled from home; it may be stopped at any time, and \
      run again. One that is a copy of the repository already gets what it lacks. With --seed, what a copy has that was \
      carried there on a disk is taken from that copy. Every object is proved on its way.

      \(HelpEnd.text("holdfast target add barn", "holdfast target add barn --seed /mnt/disk/shop"))
      """)

  @Argument(help: ArgumentHelp("A target of the configuration.", valueName: "target"))
  var target: String

  @Option(help: ArgumentHelp("A copy of the repository to take from first.", valueName: "directory"))
  var seed: String?

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var rate: RateOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let limited = machine.reading(within: try rate.limit(machine))
    let configured = try location.context(limited)
    guard configured.configured != nil else { throw RepositoryContext.notConfigured }
    let (home, place) = try configured.openHome { Console.warn($0) }
    defer { home.errands.wait() }
    let targets = RepositoryTargets(place, isChosen: true)
    guard let added = try targets.chosen([target]).first else { return }
    let seeded = try seed.map { try place.openSeed(machine.environment.absolute($0), of: home) }
    let display = output.observer(machine).makeProgress()
    defer { display.end() }
    let results = try targets.add(added, of: home, seed: seeded, observer: SyncProgress(display)) { Console.warn($0) }
    display.end()
    if output.json { try Console.json(SyncJSON(results, placed: nil, isDryRun: false), machine) }
    for result in results {
      let text = TargetResultText(result, isDryRun: false)
      if !output.json, !output.quiet { text.lines.forEach(Console.output) }
      for warning in text.warnings { Console.error("holdfast: \(warning)", .yellow) }
      if let hint = text.hint { Console.hint(hint) }
    }
    if !output.json, !output.quiet { Console.output("\(target) is in the list of targets") }
    // What the seed lacked came from home.
    try Outcome.end(results.last?.exitStatus ?? .done)
  }
}

struct TargetRemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Take a target out of the list of targets.",
    discussion: """
      Refuses if only it has a snapshot. Says where the newest snapshots are without it, and asks. What is there stays there; its numbers are given to \
      nobody else.

      \(HelpEnd.text("holdfast target remove barn", "holdfast target remove barn -r shop"))
      """)

  @Argument(help: ArgumentHelp("A target of the list.", valueName: "target"))
  var target: String

  @Flag(name: .long, help: "Do not ask.")
  var yes = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let configured = try location.context(machine)
    guard configured.configured != nil else { throw RepositoryContext.notConfigured }
    let (home, place) = try configured.openHome { Console.warn($0) }
    defer { home.errands.wait() }
    let targets = RepositoryTargets(place, isChosen: true)
    try targets.checkHasNothingAlone(target, of: home) { Console.warn($0) }
    for line in try targets.redundancy(of: home, without: target) { Console.error(line) }
    if !yes { try Confirmation.ask("take \(target) out of the list of targets?", machine.host.cancellation) }
    let list = try targets.remove(target, from: home) { Console.warn($0) }
    try show(list, "\(target) is out of the list of targets; take it out of the configuration, too", output)
  }
}

struct TargetPromoteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promote", abstract: "Make another target home.",
    discussion: """
      Writes the next revision of the list of targets, at the new home and at all others that answer. The old home may \
      be gone, or go on unaware: it keeps its numbers, and what only it has comes with a sync when it is back.

      \(HelpEnd.text("holdfast target promote barn", "holdfast target promote barn -r shop"))
      """)

  @Argument(help: ArgumentHelp("A target of the configuration.", valueName: "target"))
  var target: String

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let configured = try location.context(machine)
    guard configured.configured != nil else { throw RepositoryContext.notConfigured }
    let place = try configured.on(configured.target(named: target))
    let repository = try place.open()
    defer { repository.errands.wait() }
    let list = try RepositoryTargets(place, isChosen: true).promote(repository) { Console.warn($0) }
    try show(list, "\(target) is home now; name it first in the configuration", output)
  }
}

/// Shows the list of targets after a change.
private func show(_ list: TargetList, _ text: String, _ output: OutputOptions) throws {
  if output.json { return try Console.json(TargetsJSON(list.targets.map { TargetMemberJSON($0, in: list) })) }
  if !output.quiet { Console.output(text) }
}

struct TargetCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Try whether targets answer, and what they can do.",
    discussion: """
      Does for each target what `check` does for one location. This machine remembers if it could remove what it had \
      written: `status` says by that which copies are immutable.

      \(HelpEnd.text("holdfast target check", "holdfast target check barn --json"))
      """)

  @Argument(help: ArgumentHelp("Only these targets. (default: all)", valueName: "target"))
  var targets: [String] = []

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let context = try location.context(machine)
    guard let configured = context.configured else { throw RepositoryContext.notConfigured }
    let chosen = try targets.isEmpty ? configured.targets : targets.map { try context.target(named: $0) }
    var checks: [TargetCheckJSON] = []
    var status = ExitStatus.done
    for target in chosen {
      do {
        let place = try context.on(target)
        let check = try StoreCheck.run(place.store(), host: machine.host)
        place.rememberTrial(check) { Console.warn($0) }
        checks.append(TargetCheckJSON(target.name, .success(check)))
        if !output.json, !output.quiet {
          StoreCheckText.lines(check).forEach { Console.output("\(target.name): \($0)") }
        }
        check.weaknesses.forEach { Console.warn("\(target.name): \($0)") }
      } catch let signal as Interrupted {
        throw signal
      } catch {
        Console.error("holdfast: \(target.name): \(describe(error).message)", .red)
        checks.append(TargetCheckJSON(target.name, .failure(error)))
        status = .incomplete
      }
    }
    if output.json { try Console.json(TargetsJSON(checks)) }
    try Outcome.end(status)
  }
}
