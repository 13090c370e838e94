internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

struct ScheduleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schedule", abstract: "Have systemd or cron run holdfast by itself.",
    discussion: ExitStatusTable.text,
    subcommands: [ScheduleInstall.self, ScheduleShow.self, ScheduleRemove.self])
}

/// Which schedule, and where.
struct ScheduleOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The name of the schedule, where there are several.", valueName: "name"))
  var name: String?

  @Option(
    help: ArgumentHelp(
      "Work on the system below this directory, and tell no running one: for images.", valueName: "dir"),
    completion: .directory)
  var root: String?

  func scheduleName() throws -> ScheduleName {
    guard let name = ScheduleName(name) else { throw ScheduleError.noName(name ?? "") }
    return name
  }

  func places(_ machine: MachineContext) throws -> [SchedulePlace] {
    try SchedulePlace.all(machine, root: root.map { try machine.environment.absolute($0) })
  }
}

struct ScheduleInstall: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install", abstract: "Run something every so often, from now on.",
    discussion: """
      Where systemd runs: a service and a timer; for who is not root, those of this user. Elsewhere, and with --cron: a line in /etc/cron.d. What is \
      installed under the name already is replaced.

      holdfast schedule install --every 15m -- backup /srv/shop --repository /backup --quiet

      A run that finds another one at work is no failure. The service can write only where the repository is, and to /tmp and /var/tmp: not into the \
      source. Where a command of the site's is part of it (--before, --from-command and the like), and for a restore, it can do what its user can.

      \(ExitStatusTable.text)
      """)

  @Argument(
    parsing: .postTerminator,
    help: ArgumentHelp(
      "After --: what to run, a command line of holdfast. (default: run --quiet)", valueName: "command"))
  var command: [String] = []

  @OptionGroup var target: ScheduleOptions

  @Option(
    help: ArgumentHelp(
      "15m, 6h, hourly, daily, weekly, monthly, \"02:30\", \"Mon,Thu 02:30\", or a calendar event of systemd.",
      valueName: "when"))
  var every = "hourly"

  @Option(
    help: ArgumentHelp(
      "Let a run of systemd's come later by up to this, by another time on each machine: 30s, 5min. (default: by --every)",
      valueName: "time"), transform: TimeSpan.argument)
  var delay: TimeSpan?

  @Option(
    help: ArgumentHelp("End a run that takes longer: 6h, 2d. (default: never)", valueName: "time"),
    transform: TimeSpan.argument)
  var timeout: TimeSpan?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("The repository: a directory. (environment: HOLDFAST_REPOSITORY)", valueName: "dir"),
    completion: .directory)
  var repository: String?

  @Option(help: ArgumentHelp("Hand the run this identity.", valueName: "file"), completion: .file())
  var identity: String?

  @Option(help: ArgumentHelp("Hand the run the passphrase in this file.", valueName: "file"), completion: .file())
  var passphraseFile: String?

  @Option(help: ArgumentHelp("Hand the run this writer key.", valueName: "file"), completion: .file())
  var writerKey: String?

  @Option(
    help: ArgumentHelp("Let the run write below this as well. May be repeated.", valueName: "dir"),
    completion: .directory)
  var write: [String] = []

  @Option(help: ArgumentHelp("Run as this user.", valueName: "user"))
  var user: String?

  @Option(
    help: ArgumentHelp(
      "Run this when a run has failed. It sees HOLDFAST_SCHEDULE. (default: a line in the journal)",
      valueName: "command"))
  var onFailure: String?

  @Flag(help: "Confine the run in nothing.")
  var noHardening = false

  @Flag(help: "Use cron, also where systemd runs.")
  var cron = false

  @Option(
    help: ArgumentHelp("The holdfast to run. (default: this one)", valueName: "file"), completion: .file())
  var program: String?

  @Flag(name: .long, help: "Only show what would be written, removed and run.")
  var dryRun = false

  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = MachineContext.ofThisProcess()
    let (host, environment) = (machine.host, machine.environment)
    let name = try target.scheduleName()
    guard let cadence = Cadence(every) else { throw ScheduleError.noCadence(every) }
    let root = try target.root.map { try environment.absolute($0) }
    let place = try SchedulePlace.chosen(machine, root: root, cron: cron)
    let schedule = try schedule(name, cadence, place, machine)
    try place.checkCadence(cadence, host.cancellation)
    let items = try place.items(schedule)
    var plan = SchedulePlan(write: items)
    let all = try target.places(machine)
    // What is there under the name in another place would run beside it.
    plan.remove = try all.flatMap { other in
      let present = try other.present(name)
      return other.directory == place.directory ? [] : present
    }
    if place.isLive { plan.commandsAfter = place.commandsToStart(name) }
    try plan.perform(place, host, isDry: dryRun, output)
  }

  private func schedule(
    _ name: ScheduleName, _ cadence: Cadence, _ place: SchedulePlace, _ machine: MachineContext
  ) throws -> Schedule {
    let environment = machine.environment
    let command = command.isEmpty ? ["run", "--quiet"] : command
    let scheduled = try ScheduledCommand(command, machine)
    let program = try self.program.map { try environment.absolute($0) } ?? ThisProcess.program(machine.host)
    var schedule = Schedule(
      name, cadence, program: String(decoding: program.bytes, as: UTF8.self), arguments: command)
    schedule.isOfUser = place.kind == .systemdOfUser
    guard user == nil || !schedule.isOfUser else { throw ScheduleError.otherUser }
    if let user, !Schedule.isUser(user) { throw ScheduleError.noUser(user) }
    schedule.user = user
    schedule.delay = delay?.seconds ?? schedule.delay
    schedule.timeout = timeout?.seconds
    schedule.onFailure = onFailure
    for name in ScheduledCommand.environment {
      // What is configured goes before what the shell of the one who installs happens to have set.
      if scheduled.isConfigured, name == "HOLDFAST_REPOSITORY" { continue }
      if let value = environment.text(name) { schedule.environment[name] = value }
    }
    if let config = schedule.environment["HOLDFAST_CONFIG"] {
      schedule.environment["HOLDFAST_CONFIG"] = try absolute(environment, config)
    }
    if let named = repository ?? schedule.environment["HOLDFAST_REPOSITORY"] {
      let isName = scheduled.site?.repository(named) != nil
      schedule.environment["HOLDFAST_REPOSITORY"] = isName ? named : try absolute(environment, named)
    }
    schedule.credentials = try credentials(environment, takesAlong: !scheduled.isConfigured)
    let places = scheduled.places(repository: schedule.environment["HOLDFAST_REPOSITORY"])
    schedule.writable = try places + write.map { try absolute(environment, $0) }
    schedule.confinement =
      noHardening || scheduled.needsEverything || schedule.environment["HOLDFAST_NOTIFY_COMMAND"] != nil
      ? .none : places.isEmpty ? .system : .strict
    return schedule
  }

  private static let opening: Set = ["holdfast-identity", "holdfast-passphrase"]

  /// - Parameter takesAlong: whether what opens repositories is meant where only the environment names it.
  private func credentials(_ environment: ProcessEnvironment, takesAlong: Bool) throws -> [Schedule.Credential] {
    let files = [
      ("holdfast-identity", "HOLDFAST_IDENTITY_FILE", identity),
      ("holdfast-passphrase", "HOLDFAST_PASSPHRASE_FILE", passphraseFile),
      ("holdfast-writer-key", "HOLDFAST_WRITER_KEY_FILE", writerKey),
      ("holdfast-ping-url", "HOLDFAST_PING_URL_FILE", nil), ("holdfast-webhook-url", "HOLDFAST_WEBHOOK_URL_FILE", nil),
    ]
    return try files.compactMap { name, variable, file in
      guard let file = file ?? (takesAlong || !Self.opening.contains(name) ? environment.value(variable) : nil),
        !file.isEmpty
      else { return nil }
      return Schedule.Credential(name: name, variable: variable, file: try absolute(environment, file))
    }
  }

  private func absolute(_ environment: ProcessEnvironment, _ text: String) throws -> String {
    String(decoding: try environment.absolute(text).bytes, as: UTF8.self)
  }
}
