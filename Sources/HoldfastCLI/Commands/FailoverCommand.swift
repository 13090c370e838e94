internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastFailover
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

struct FailoverCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "failover", abstract: "Let this host serve a source in the place of one that is gone.",
    discussion: """
      Typed by a person on the host of a standby, whose service was stopped before. It shows a plan and asks; then it \
      listens for the heartbeat of the source for as long as its lease lasts, runs the commands of the site for probe \
      (which must fail) and fence (which must succeed), takes the lease, makes a copy the newest snapshot, checks its \
      databases, announces in the repository that this host serves, and runs promote. From the announcement on, no \
      other host serves or adds snapshots that count.

      Where it stops, it says how things stand, and the same command goes on from there. What the other host has taken \
      after the newest snapshot is lost here; `holdfast failback` on it keeps it.

      What promote leaves in the background goes on, but its output goes into a file that is gone: give a service that \
      promote starts by itself an output of its own.

      \(HelpEnd.text("holdfast failover orders --dry-run", "holdfast failover orders --in /srv/standby --fenced 'the host is unplugged'"))
      """)

  @Argument(help: ArgumentHelp("The source.", valueName: "name"))
  var source: SourceName

  @Option(
    name: .customLong("in"),
    help: ArgumentHelp("The directory of the standby. (default: as configured)", valueName: "dir"),
    completion: .directory)
  var directory: String?

  @Option(
    help: ArgumentHelp(
      "Do not run the fence: you made sure that the other host cannot serve and cannot come up again, as you say here.",
      valueName: "reason"))
  var fenced: String?

  @OptionGroup var confirmation: ConfirmationOptions
  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard fenced?.allSatisfy(\.isWhitespace) != true else { throw ValidationError("--fenced says no reason") }
  }

  func run() throws {
    let machine = location.machine(output)
    var options = Failover.Options()
    options.directory = try directory.map { try machine.environment.absolute($0) }
    options.fencedBecause = fenced
    let question = "let this host serve \(source)?"
    let watch = output.watch(.failover, machine, isDryRun: confirmation.dryRun)
    let report = try watch.run {
      let context = try location.context(machine, identity: identity, writer: writer, asks: true, of: source)
      let progress = watch.makeProgress()
      defer { progress.end() }
      let failover = try Failover(source, at: context, options, watch, progress: progress)
      if confirmation.dryRun { return try failover.look() }
      return try failover.run { plan in
        progress.end()
        try confirmation.confirm(plan.lines, question, quiet: output.quiet, machine.host.cancellation)
      }
    }
    try Console.show(report, report.lines, output, isDryRun: confirmation.dryRun, machine)
  }
}

extension Console {
  /// Shows the report of a command, as JSON or as lines.
  static func show(
    _ report: some Encodable, _ lines: [String], _ output: OutputOptions, isDryRun: Bool, _ machine: MachineContext
  ) throws {
    if output.json {
      try json(report, machine)
    } else if !output.quiet || isDryRun {
      lines.forEach { Console.output($0) }
      transfer(machine)
    }
  }
}
