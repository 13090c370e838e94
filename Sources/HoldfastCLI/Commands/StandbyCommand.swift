internal import ArgumentParser
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastStandby
internal import HoldfastSystem

struct StandbyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "standby", abstract: "Keep a warm copy of a source on this host.",
    discussion: """
      Follows the snapshots of a source until a signal ends it, best as a service. Below DIR there are two copies, a and \
      b, and `current`, a symbolic link to the one that serves. When there is a newer snapshot, the other copy becomes \
      it by a delta restore, is proved page by page, and then gets the link in one step. So `current` always leads to a \
      whole snapshot, also after a crash at any moment. The repository is only read.

      It tells how far the copy is behind, and listens to the heartbeat of `holdfast watch` on the host of the source. \
      What fails is told once, and tried again. A copy that somebody else has changed stays as it is. A snapshot that \
      looks wrong is followed only after `holdfast accept`, and so is what came after it.

      A program that keeps a file of the copy open, or works in it, reads a torn copy from the second newer snapshot on: \
      open what you read through `current`, and anew for each use.

      \(HelpEnd.text("holdfast standby orders --in /srv/standby", "holdfast standby orders --in /srv/standby --dry-run --json"))
      """)

  @Argument(help: ArgumentHelp("The source.", valueName: "name"))
  var source: SourceName

  @Option(
    name: .customLong("in"),
    help: ArgumentHelp(
      "The directory of the copies. It must be empty, not exist, or be that of this standby, and needs room for two copies.",
      valueName: "dir"), completion: .directory)
  var directory: String

  @Option(
    help: ArgumentHelp(
      "The time from one look at the repository to the next, such as 10s. (default: 10s)", valueName: "time"),
    transform: TimeSpan.argument)
  var interval: TimeSpan?

  @Flag(help: "Follow the newest snapshot once, and end: for cron.")
  var once = false

  @Flag(name: .long, help: "Only show what serves, how far it is behind, and what would be done.")
  var dryRun = false

  @Flag(name: .long, help: "Write over copies that somebody else has changed. Only with --once.")
  var discardChanges = false

  @Option(
    help: ArgumentHelp(
      "Write metrics to this file after each look, for the textfile collector of Prometheus.", valueName: "file"),
    completion: .file())
  var prometheus: String?

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var rate: RateOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard interval.map({ $0 > .zero }) ?? true else { throw ValidationError("--interval is at least 1s") }
    if interval != nil, once || dryRun { throw ValidationError("--interval is for a standby that goes on") }
    if discardChanges, !once {
      throw ValidationError("--discard-changes is for --once: a standby that goes on would discard later changes, too")
    }
    if once, dryRun { throw ValidationError("--once and --dry-run exclude each other") }
  }

  func run() throws {
    let machine = location.machine(output)
    let context = try location.context(machine, identity: identity, asks: once || dryRun, of: source)
    let standby = try Standby(source, at: context, options(machine), observer: output.observer(machine))
    if dryRun { return try show(standby.look(), machine) }
    if once { return try show(standby.once(), machine) }
    var shown: UInt64?
    try standby.run { report in
      do {
        try writeMetrics(report, machine)
        guard shown != report.serving?.record.sequence else { return }
        shown = report.serving?.record.sequence
        if output.json { try Console.jsonLine(report) } else if !output.quiet { report.lines.forEach(Console.output) }
      } catch {
        // The copy matters more than a file that could not be written.
        Console.warn(describe(error).message)
      }
    }
  }

  private func options(_ machine: MachineContext) throws -> Standby.Options {
    var options = Standby.Options(directory: try machine.environment.absolute(directory))
    options.interval = interval ?? options.interval
    options.place = copy.from.map { .target($0) } ?? .all
    (options.limit, options.olderCopy) = (try rate.limit(machine), copy.olderCopy)
    options.discardsChanges = discardChanges
    return options
  }

  private func show(_ report: StandbyReport, _ machine: MachineContext) throws {
    try writeMetrics(report, machine)
    if output.json {
      try Console.json(report, machine)
    } else if !output.quiet || dryRun {
      report.lines.forEach(Console.output)
      Console.transfer(machine)
    }
    try Outcome.end(report.exitStatus)
  }

  private func writeMetrics(_ report: StandbyReport, _ machine: MachineContext) throws {
    guard let prometheus else { return }
    let metrics = report.metrics(at: machine.host.clock.now())
    try TextFile.replace(try machine.environment.absolute(prometheus), by: metrics.text, machine.host)
  }
}
