internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastFailover
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

struct SwitchoverCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "switchover", abstract: "Move the service of a source to another host, and lose nothing.",
    discussion: """
      Typed on both hosts, in any order. With --to, on the host that serves: runs the command of the site for demote, \
      takes the last snapshot, and announces the other host in the repository. A host \
      that has never served the source needs --new-host. Without --to, on the host of the \
      standby, whose service was stopped before: waits until it is announced, makes a copy the last snapshot, checks \
      its databases, and runs promote. There is no fence, because the old host has ended its service itself.

      Where one of them stops, it says how things stand, and the same command goes on from there.

      \(HelpEnd.text("holdfast switchover orders --to barn --new-host", "holdfast switchover orders --in /srv/standby --wait 1h"))
      """)

  @Argument(help: ArgumentHelp("The source.", valueName: "name"))
  var source: SourceName

  @Option(
    help: ArgumentHelp(
      "Hand over to this host, by its name in the configuration (failover: host). Only on the host that serves.",
      valueName: "host"))
  var to: HostName?

  @Flag(help: "Hand over to a host that has never served the source. Without it, a mistyped --to ends here.")
  var newHost = false

  @Option(
    name: .customLong("in"),
    help: ArgumentHelp("The directory of the standby. (default: as configured)", valueName: "dir"),
    completion: .directory)
  var directory: String?

  @Option(
    help: ArgumentHelp(
      "On the host of the standby: wait so long for the other one, such as 1h. (default: 10min)", valueName: "time"),
    transform: TimeSpan.argument)
  var wait: TimeSpan?

  @OptionGroup var confirmation: ConfirmationOptions
  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if to != nil, directory != nil || wait != nil {
      throw ValidationError("--in and --wait are for the host of the standby, where there is no --to")
    }
    if newHost, to == nil { throw ValidationError("--new-host goes with --to") }
  }

  func run() throws {
    let machine = location.machine(output)
    let watch = output.watch(.switchover, machine, isDryRun: confirmation.dryRun)
    let progress = watch.makeProgress()
    defer { progress.end() }
    func context() throws -> HoldfastOperations.RepositoryContext {
      try location.context(machine, identity: identity, writer: writer, asks: true, of: source)
    }
    if let to {
      let report = try watch.run {
        let handOver = try HandOver(
          source, to: to, acceptsNewHost: newHost, at: context(), watch, progress: progress)
        if confirmation.dryRun { return try handOver.look() }
        return try handOver.run { plan in
          progress.end()
          try confirmation.confirm(
            plan.lines, "hand \(source) over to \(to)?", quiet: output.quiet, machine.host.cancellation)
        }
      }
      progress.end()
      return try Console.show(report, report.lines, output, isDryRun: confirmation.dryRun, machine)
    }
    var options = Failover.Options()
    options.directory = try directory.map { try machine.environment.absolute($0) }
    options.handOverWithin = wait ?? .minutes(10)
    let report = try watch.run { [options] in
      let failover = try Failover(source, at: context(), options, watch, progress: progress)
      if confirmation.dryRun { return try failover.look() }
      return try failover.run { plan in
        progress.end()
        try confirmation.confirm(
          plan.lines, "let this host serve \(source)?", quiet: output.quiet, machine.host.cancellation)
      }
    }
    progress.end()
    try Console.show(report, report.lines, output, isDryRun: confirmation.dryRun, machine)
  }
}
