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
      and the exit status of a Nagios plugin: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. If several repositories are \
      configured and none is named, all are shown; one that cannot be opened or does not answer hides none of the others.

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
      let all = try read(machine)
      let line = line(all)
      try writeMetrics(all, machine, isWell: line.status == .ok)
      Console.output(line.text)
      throw NagiosOutcome(status: line.status)
    } catch let error as any OperatorError {
      let line = NagiosLine(error)
      Console.output(line.text)
      throw NagiosOutcome(status: line.status)
    }
  }

  /// True if the arguments ask for a plugin, which must end like one even if they are wrong.
  static func isPlugin(_ arguments: some Collection<String>) -> Bool {
    [configuration.commandName, CheckCommand.configuration.commandName].contains(arguments.first)
      && arguments.contains("--nagios")
  }

  /// The longest time of a plugin: who calls it gives up after a minute.
  private static let pluginLimit = TimeSpan.seconds(50)

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

  /// Reads the status of the repositories that are meant.
  private func read(_ machine: MachineContext) throws -> SeveralRepositories<RepositoryReading> {
    typealias Readings = SeveralRepositories<RepositoryReading>
    let contexts = try location.contexts(machine, of: source)
    let limit = nagios ? Self.pluginLimit : contexts.count > 1 ? Readings.limit : nil
    return try Readings(sideBySide: contexts, within: limit, unless: machine.host.cancellation) { context in
      let reading = try RepositoryReading(
        context, of: source, readsTargets: !nagios || prometheus != nil, promised)
      return (reading, StatusVerdict(reading.statuses, objectives).exitStatus)
    }
  }

  private func line(_ all: SeveralRepositories<RepositoryReading>) -> NagiosLine {
    let isOne = all.parts.count == 1
    let lines = all.parts.map { part in
      let line =
        switch part.result {
        case .success(let found):
          NagiosLine(found.statuses, objectives, location: found.location, of: isOne ? nil : part.name)
        case .failure(let error): NagiosLine(describe(error))
        }
      return (name: part.name, line: line)
    }
    return isOne ? lines[0].line : NagiosLine(lines)
  }

  /// - Parameter isWell: true if nothing is wrong. Otherwise that matters more than a file that cannot be written.
  private func writeMetrics(
    _ all: SeveralRepositories<RepositoryReading>, _ machine: MachineContext, isWell: Bool
  ) throws {
    do {
      try writeMetrics(all, machine)
    } catch let error as any OperatorError where !isWell {
      Console.error("holdfast: \(error)", .red)
    }
  }

  private func writeMetrics(_ all: SeveralRepositories<RepositoryReading>, _ machine: MachineContext) throws {
    guard let prometheus else { return }
    var metrics = PrometheusText()
    for part in all.parts {
      switch part.result {
      case .success(let found): metrics.add(found.metrics(machine.host.clock.now()))
      case .failure: metrics.add(PrometheusText(unanswering: part.name))
      }
    }
    try TextFile.replace(try machine.environment.absolute(prometheus), by: metrics.text, machine.host)
  }

  private func report() throws -> ExitStatus {
    let machine = location.machine(output)
    let all = try read(machine)
    if let failure = all.onlyFailure {
      try writeMetrics(all, machine, isWell: false)
      throw failure
    }
    let isOne = all.parts.count == 1
    let found = all.parts.compactMap { try? $0.result.get() }
    if output.json {
      if isOne {
        for one in found { try Console.json(one.json(objectives), machine) }
      } else {
        try Console.json(all.json { $0.json(objectives) }, machine)
      }
    } else if output.quiet {
      for concern in found.flatMap({ StatusText.concerns($0.statuses, location: $0.location) }) {
        Console.error("holdfast: \(concern.text)", StatusText.color(concern.level))
      }
    } else {
      found.flatMap(\.weaknesses).forEach { Console.warn($0) }
      if isOne { found.flatMap(\.lines).forEach(Console.output) } else { all.show(\.lines) }
    }
    all.tellFailures()
    if all.parts.contains(where: { $0.status == .dataLoss }) {
      Console.hint("Run `holdfast verify --data` to see what can still be restored.")
    }
    try writeMetrics(all, machine, isWell: all.status == .done)
    return all.status
  }
}

/// The findings of `status` about one repository.
private struct RepositoryReading {
  private let repository: Repository
  private let name: String
  let statuses: [SourceStatus]
  /// Empty for a repository with only one target.
  private let targets: [TargetRow]
  private let redundancy: [RedundancyStatus]

  /// - Parameter promised: returns the objectives of a source, by those in its configuration.
  init(
    _ context: RepositoryContext, of source: SourceName?, readsTargets: Bool,
    _ promised: (SourceSettings.Objectives?) -> Objectives
  ) throws {
    let repository = try context.open(looksAround: source == nil)
    context.warnOfOtherHome(than: repository) { Console.warn($0) }
    let configured = try context.configuredSources(in: repository)
    statuses = try SourceStatus.read(from: repository, of: source, expected: configured.map(\.name)) { name in
      promised(configured.first { $0.name == name }?.objectives)
    }
    targets = readsTargets ? try TargetRow.read(context, .success(repository), source) : []
    redundancy = TargetRow.redundancy(of: statuses, at: targets, repository)
    (self.repository, name) = (repository, context.name)
  }

  var location: String { repository.location }
  var weaknesses: [String] { repository.store.capabilities.weaknesses(of: location) }

  var lines: [String] {
    StatusText.lines(statuses, location: location, inColor: Console.showsColors) + targets.flatMap(\.lines)
      + redundancy.flatMap { RedundancyText.lines($0) }
  }

  func json(_ objectives: Objectives) -> StatusJSON {
    StatusJSON(
      statuses, objectives, location: location, weaknesses: weaknesses,
      targets: targets.isEmpty ? nil : targets.map(\.json), redundancy: targets.isEmpty ? nil : redundancy)
  }

  func metrics(_ now: Timestamp) -> PrometheusText {
    PrometheusText(
      statuses, repository: repository.id, name: name, now: now,
      // Everything else counts without it.
      availableBytes: (try? repository.store.availableBytes()) ?? nil, targets: targets.map(\.reading))
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
