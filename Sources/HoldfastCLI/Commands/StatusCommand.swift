internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the status of each source, and check its objectives.",
    discussion: """
      Past runs are read from the journal of the repository, which is information and no proof. What cannot be \
      determined is shown as unknown; an objective that cannot be shown to be met is missed. With --nagios: one line, \
      and the exit status of a Nagios plugin: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

      \(HelpEnd.text("holdfast status", "holdfast status --max-age 26h --nagios"))
      """)

  @Option(
    help: ArgumentHelp("Maximum age of the newest complete snapshot of a source: 90min, 26h, 8d.", valueName: "time"),
    transform: TimeSpan.argument)
  var maxAge: TimeSpan?

  @Option(help: ArgumentHelp("Maximum number of snapshots in the chain of the newest.", valueName: "n"))
  var maxChain: Int?

  @Option(
    help: ArgumentHelp(
      "Time within which `verify --data` must have read everything that is stored: 8d, 5w.", valueName: "time"),
    transform: TimeSpan.argument)
  var proveWithin: TimeSpan?

  @Option(
    help: ArgumentHelp(
      "Maximum time of a restore until the database answers, as drills measure it: 30min, 2h.", valueName: "time"),
    transform: TimeSpan.argument)
  var restoreWithin: TimeSpan?

  @Option(
    help: ArgumentHelp("Time within which a drill must have passed: 8d, 5w.", valueName: "time"),
    transform: TimeSpan.argument)
  var drilledWithin: TimeSpan?

  @Option(
    name: [.customLong("source"), .customLong("name")],
    help: ArgumentHelp("Only this source.", valueName: "name"))
  var source: SourceName?

  @Flag(help: "Print one line, and end with the exit status of a Nagios plugin.")
  var nagios = false

  @Option(
    help: ArgumentHelp("Write metrics to this file, for the textfile collector of Prometheus.", valueName: "file"),
    completion: .file())
  var prometheus: String?

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard maxChain.map({ $0 >= 1 }) ?? true else { throw ValidationError("--max-chain is at least 1") }
    guard !(nagios && output.json) else { throw ValidationError("--nagios and --json exclude each other") }
  }

  func run() throws {
    guard nagios else { return try Outcome.end(report()) }
    do {
      let machine = location.machine(output)
      let found = try read(machine)
      try writeMetrics(found, machine)
      let line = NagiosLine(found.statuses, objectives, location: found.repository.location)
      Console.output(line.text)
      throw NagiosOutcome(status: line.status)
    } catch let error as any OperatorError {
      Console.output(NagiosLine.unknown(error.message))
      throw NagiosOutcome(status: .unknown)
    }
  }

  /// True if the arguments ask for a plugin, which must end like one even if they are wrong.
  static func isPlugin(_ arguments: some Collection<String>) -> Bool {
    [configuration.commandName, CheckCommand.configuration.commandName].contains(arguments.first)
      && arguments.contains("--nagios")
  }

  /// The objectives of the command line, for every source.
  private var objectives: Objectives { promised(nil) }

  /// Returns the objectives of a source. The command line overrides its configuration.
  private func promised(_ settings: SourceSettings.Objectives?) -> Objectives {
    var objectives = Objectives(settings)
    objectives.maxAge = maxAge ?? objectives.maxAge
    objectives.maxChain = maxChain ?? objectives.maxChain
    objectives.proveWithin = proveWithin ?? objectives.proveWithin
    objectives.restoreWithin = restoreWithin ?? objectives.restoreWithin
    objectives.drilledWithin = drilledWithin ?? objectives.drilledWithin
    return objectives
  }

  private struct Found {
    let repository: Repository
    let statuses: [SourceStatus]
    /// Empty for a repository with only one target.
    let targets: [TargetRow]
    let redundancy: [RedundancyStatus]
  }

  private func read(_ machine: MachineContext) throws -> Found {
    let context = try location.context(machine, of: source)
    let repository = try context.open(looksAround: source == nil)
    context.warnOfOtherHome(than: repository) { Console.warn($0) }
    let configured = try context.configuredSources()
    let statuses = try SourceStatus.read(from: repository, of: source, expected: configured.map(\.name)) { name in
      promised(configured.first { $0.name == name }?.objectives)
    }
    let targets = nagios && prometheus == nil ? [] : try TargetRow.read(context, .success(repository), source)
    return Found(
      repository: repository, statuses: statuses, targets: targets,
      redundancy: TargetRow.redundancy(of: statuses, at: targets, repository))
  }

  private func writeMetrics(_ found: Found, _ machine: MachineContext) throws {
    guard let prometheus else { return }
    let metrics = PrometheusText(
      found.statuses, repository: found.repository.id, now: machine.host.clock.now(),
      // Everything else counts without it.
      availableBytes: (try? found.repository.store.availableBytes()) ?? nil, targets: found.targets.map(\.reading))
    try TextFile.replace(try machine.environment.absolute(prometheus), by: metrics.text, machine.host)
  }

  private func report() throws -> ExitStatus {
    let machine = location.machine(output)
    let found = try read(machine)
    let (statuses, location) = (found.statuses, found.repository.location)
    let weaknesses = found.repository.store.capabilities.weaknesses(of: location)
    if output.json {
      try Console.json(
        StatusJSON(
          statuses, objectives, location: location, weaknesses: weaknesses,
          targets: found.targets.isEmpty ? nil : found.targets.map(\.json),
          redundancy: found.targets.isEmpty ? nil : found.redundancy), machine)
    } else if output.quiet {
      for concern in StatusText.concerns(statuses, objectives, location: location) {
        Console.error("holdfast: \(concern.text)", StatusText.color(concern.level))
      }
    } else {
      weaknesses.forEach { Console.warn($0) }
      StatusText.lines(statuses, location: location, inColor: Console.showsColors).forEach(Console.output)
      found.targets.flatMap(\.lines).forEach(Console.output)
      found.redundancy.flatMap { RedundancyText.lines($0) }.forEach(Console.output)
    }
    let status = StatusVerdict(statuses, objectives).exitStatus
    if status == .dataLoss { Console.hint("Run `holdfast verify --data` to see what can still be restored.") }
    do {
      try writeMetrics(found, machine)
    } catch let error as any OperatorError where status != .done {
      // The result matters more than a file that could not be written.
      Console.error("holdfast: \(error)", .red)
    }
    return status
  }
}

extension Objectives {
  /// The objectives that the configuration has for a source.
  /// - Parameter settings: `nil` for a source that is not configured.
  init(_ settings: SourceSettings.Objectives?) {
    self.init()
    maxAge = settings?.maxAge
    maxChain = settings?.maxChain
    proveWithin = settings?.proveWithin
    restoreWithin = settings?.restoreWithin
    drilledWithin = settings?.drilledWithin
  }
}

/// The end of a plugin that has reported everything itself.
struct NagiosOutcome: Error {
  let status: NagiosStatus
}
