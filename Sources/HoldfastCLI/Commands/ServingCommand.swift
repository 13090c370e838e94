internal import ArgumentParser
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

struct ServingCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serving", abstract: "Let a service start only on the host that serves the source.",
    discussion: """
      For sources that hosts take turns in serving: the unit of the service runs this before it starts \
      (ExecStartPre=), on every host. It ends with 0 if this host served last, after it has created the next number \
      of the lease of the source: a host that was about to take over then begins anew. A host that was announced and \
      has not begun its promote does not count. In all other cases the service \
      must not start: it ends with 13 if another host serves, with 11 if another run has the lease, and with 1 if \
      nobody was announced yet or the repository does not answer.

      The name of this host is `failover: {host: NAME}` at the source in the configuration. Each host has another one. \
      The first time, run it with --first on the host that serves.

      \(HelpEnd.text("holdfast serving orders", "holdfast serving orders --show --json"))
      """)

  @Argument(help: ArgumentHelp("The source.", valueName: "name"))
  var source: SourceName

  @Option(
    help: ArgumentHelp(
      "The name of this host. (environment: HOLDFAST_HOST; configuration: failover: {host: NAME})", valueName: "name"))
  var host: HostName?

  @Flag(help: "Say for the first time that this host serves the source. Nothing is changed if a host was announced.")
  var first = false

  @Flag(help: "Only show which host serves. The status then does not say whether the service may start.")
  var show = false

  @Flag(
    name: .long,
    help:
      "End with 0 also if the repository does not answer, for a service that must start without it. Then two hosts may serve: use it only where something else keeps them apart."
  )
  var startUnreachable = false

  @Option(
    help: ArgumentHelp(
      "Wait for so long if another run of this host, such as its watch, has the lease: until it renews it. (default: 1m)",
      valueName: "time"),
    transform: TimeSpan.argument)
  var patience: TimeSpan?

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if show, first || startUnreachable || patience != nil {
      throw ValidationError("--show only shows: leave out --first, --start-unreachable and --patience")
    }
    if first, startUnreachable { throw ValidationError("--first needs the repository: leave out --start-unreachable") }
  }

  func run() throws {
    let machine = location.machine(output)
    do {
      let report = try report(machine)
      if output.json {
        try Console.json(ServingJSON(report), machine)
      } else if !output.quiet || show {
        ServingText.lines(report).forEach(Console.output)
      }
    } catch let error as any OperatorError where startUnreachable && Self.isUnreachable(error) {
      Console.warn("\(error.message): the service starts all the same (--start-unreachable), and another may serve")
      if output.json {
        try Console.json(ServingJSON(unknown: source, host: host ?? machine.hostName(for: source)), machine)
      }
    }
  }

  private func report(_ machine: MachineContext) throws -> ServingGate.Report {
    let context = try location.context(machine, writer: show ? nil : writer, of: source)
    var repository =
      try show ? context.open(for: source) : context.openToWrite(for: source, takesLease: true) { Console.warn($0) }
    if let host { repository.hostName = { _ in host } }
    var options = ServingGate.Options(try repository.names.source(source))
    options.patience = patience ?? options.patience
    let gate = ServingGate(options, in: repository)
    defer { repository.errands.wait() }
    return try show ? gate.look() : first ? gate.enterFirst() : gate.enter()
  }

  /// True if the repository did not answer: no answer at all, too few of its targets, or none in time. Another run that
  /// has or takes the lease, and another host that serves, are answers.
  private static func isUnreachable(_ error: any OperatorError) -> Bool {
    switch error {
    case StoreError.unavailable, ShardError.tooFew, LeaseError.notRenewed: true
    default: false
    }
  }
}

extension HostName: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}
