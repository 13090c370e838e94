internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastFailover
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastStandby
internal import HoldfastSystem

struct FailbackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "failback", abstract: "Let a host that has served a source stand by for the one that serves now.",
    discussion: """
      Typed on the old host, when it is up again and another one serves. It runs the command of the site for demote; \
      takes a snapshot of everything that the source has here, as a source of its own, NAME-diverged-HOST, so that \
      nothing is lost that was never in a snapshot; makes the old directory the first copy of a standby, and brings it \
      up to the newest snapshot by a delta restore. Nothing is moved before everything is kept.

      After it, run `holdfast standby` as a service here. To let this host serve again: `holdfast switchover`.

      \(HelpEnd.text("holdfast failback orders --dry-run", "holdfast failback orders --in /srv/standby"))
      """)

  @Argument(help: ArgumentHelp("The source.", valueName: "name"))
  var source: SourceName

  @Option(
    name: .customLong("in"),
    help: ArgumentHelp("The directory of the standby. (default: as configured)", valueName: "dir"),
    completion: .directory)
  var directory: String?

  @OptionGroup var confirmation: ConfirmationOptions
  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let directory = try directory.map { try machine.environment.absolute($0) }
    let watch = output.watch(.failback, machine, isDryRun: confirmation.dryRun)
    let report = try watch.run {
      let context = try location.context(machine, identity: identity, writer: writer, asks: true, of: source)
      let progress = watch.makeProgress()
      defer { progress.end() }
      let failback = try Failback(source, at: context, directory: directory, watch, progress: progress)
      if confirmation.dryRun { return try failback.look() }
      return try failback.run { plan in
        progress.end()
        try confirmation.confirm(
          plan.lines, "keep what is here, and stand by?", quiet: output.quiet, machine.host.cancellation)
      }
    }
    try Console.show(report, report.lines, output, isDryRun: confirmation.dryRun, machine)
    try Outcome.end(report.standby?.exitStatus ?? .done)
  }
}
