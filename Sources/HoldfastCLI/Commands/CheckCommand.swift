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

      With --repository, or where HOLDFAST_REPOSITORY names one, only the storage of that one is tried. It needs no \
      repository there, and says whether there is one; `init` does the same before it makes one.

      To try a storage it writes small objects below probe/, two at once under one name, reads and lists them, and removes them where \
      this host may. For the snapshots themselves see `verify`.

      \(HelpEnd.text("holdfast check", "holdfast check -r sftp:backup@nas/volume/shop --json"))
      """)

  @Flag(help: "Send one notification to each receiver.")
  var notify = false

  @Flag(help: "Leave out what writes to storage or lets a database server end a segment of its log.")
  var noWrite = false

  @Flag(help: "Print one line, and end with the exit status of a Nagios plugin.")
  var nagios = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard !(nagios && output.json) else { throw ValidationError("--nagios and --json exclude each other.") }
    guard location.repository == nil || !(notify || noWrite || nagios) else {
      throw ValidationError(
        "--notify, --no-write and --nagios are for everything that is configured: leave --repository out.")
    }
  }

  func run() throws {
    let machine = location.machine(output)
    // Flags that only make sense for everything go before the environment.
    let isOne =
      location.repository != nil || machine.environment.text("HOLDFAST_REPOSITORY") != nil && !notify && !noWrite
    guard nagios else {
      if !isOne, let settings = try machine.loader().load() { return try report(examine(settings, machine), machine) }
      return try checkStorage(machine)
    }
    do {
      let line = DoctorNagios(try examine(machine.neededSettings(for: "repositories"), machine))
      Console.output(line.text)
      throw NagiosOutcome(status: line.status)
    } catch let error as any OperatorError {
      Console.output(NagiosLine(unknown: error.message).text)
      throw NagiosOutcome(status: .unknown)
    }
  }

  // MARK: Everything

  private func examine(_ settings: Settings, _ machine: MachineContext) throws -> DoctorReport {
    var options = Doctor.Options()
    (options.writes, options.notifies) = (!noWrite, notify)
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
    let check = try StoreCheck.run(context.store(), host: machine.host)
    context.rememberTrial(check) { Console.warn($0) }
    if location.expectKeyring != nil { _ = try context.open() }
    if output.json {
      try Console.json(StoreCheckJSON(check), machine)
    } else if !output.quiet {
      StoreCheckText.lines(check).forEach(Console.output)
      Console.transfer(machine)
    }
    check.weaknesses.forEach { Console.warn($0) }
  }
}
