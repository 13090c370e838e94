internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastDoctor
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Try everything on which the backups of this machine depend.",
    discussion: """
      Tries what is configured: each repository and all its targets, keys, sources, database logins, a round trip of \
      PostgreSQL's log, free space, the clock, the schedule, and with --notify the notifications. Says of each thing \
      what came of it, and what to do. One that fails or hangs keeps no other from being tried. `config check` looks at the file alone.

      With --repository, or where nothing is configured and HOLDFAST_REPOSITORY names one, only the storage of that one \
      is tried. It says whether there is a repository; that there is none fails where one is configured.

      With --nagios it ends after 50 seconds at the latest, before the monitoring gives up.

      To try a storage it writes small objects below probe/, two at once under one name, reads and lists them, and removes them where \
      this host may. For the snapshots themselves see `verify`.

      \(HelpEnd.text("holdfast check", "holdfast check -r sftp:backup@nas/volume/shop --json"))
      """)

  /// Nagios gives a plugin 60 seconds.
  private static let nagiosTime = TimeSpan.seconds(50)
  private static let nagiosLogPatience = TimeSpan.seconds(15)

  @Flag(help: "Send one notification to each receiver.")
  var notify = false

  @Flag(help: "Leave out what writes to storage or lets a database server end a segment of its log.")
  var noWrite = false

  @Flag(help: "Print one line, and end with the exit status of a Nagios plugin.")
  var nagios = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard !(nagios && output.json) else { throw ValidationError("--nagios and --json exclude each other") }
    guard location.repository == nil || !(notify || noWrite || nagios) else {
      throw ValidationError(
        "--notify, --no-write and --nagios are for everything that is configured: leave --repository out")
    }
  }

  func run() throws {
    let machine = location.machine(output)
    let plain = Self.withoutVariable(machine)
    guard nagios else {
      if location.repository == nil, let settings = try plain.loader().load(), settings.hasSomethingToTry {
        return try report(examine(settings, plain), plain)
      }
      return try checkStorage(machine)
    }
    do {
      let line = DoctorNagios(try examine(plain.neededSettings(for: "repositories"), plain))
      Console.output(line.text)
      throw NagiosOutcome(status: line.status)
    } catch let error as any OperatorError {
      Console.output(NagiosLine(unknown: error.message).text)
      throw NagiosOutcome(status: .unknown)
    }
  }

  // MARK: Everything

  /// Returns the context without HOLDFAST_REPOSITORY, unless the configuration needs it. That of an operator's shell is
  /// not that of the runs, and must not lead sources elsewhere.
  private static func withoutVariable(_ machine: MachineContext) -> MachineContext {
    let plain = machine.without("HOLDFAST_REPOSITORY")
    return (try? plain.loader().load()) == nil ? machine : plain
  }

  private func examine(_ settings: Settings, _ machine: MachineContext) throws -> DoctorReport {
    var options = Doctor.Options()
    (options.writes, options.notifies) = (!noWrite, notify)
    if nagios { (options.total, options.logPatience) = (Self.nagiosTime, Self.nagiosLogPatience) }
    return try Doctor(settings, on: machine, options: options).run()
  }

  private func report(_ report: DoctorReport, _ machine: MachineContext) throws {
    if output.json {
      try Console.json(DoctorJSON(report), machine)
    } else {
      DoctorText.lines(report, onlyConcerns: output.quiet).forEach(Console.output)
      if !output.quiet { Console.transfer(machine) }
    }
    try Outcome.end(report.exitStatus)
  }

  // MARK: One storage

  private func checkStorage(_ machine: MachineContext) throws {
    let context = try location.context(machine)
    let store = try context.store()
    let check = try StoreCheck.run(store, host: machine.host)
    context.rememberTrial(check) { Console.warn($0) }
    if location.expectKeyring != nil { _ = try context.open() }
    if output.json {
      try Console.json(StoreCheckJSON(check), machine)
    } else if !output.quiet {
      StoreCheckText.lines(check).forEach(Console.output)
      Console.transfer(machine)
    }
    check.weaknesses.forEach { Console.warn($0) }
    guard check.repository == nil, let repository = context.configured, let target = context.target else { return }
    let missing = try MissingRepository(at: target, of: repository, in: store)
    Console.error("holdfast: \(missing)", .red)
    throw Outcome(status: missing.exitStatus)
  }
}

extension Settings {
  fileprivate var hasSomethingToTry: Bool { !repositories.isEmpty || !sources.isEmpty }
}
