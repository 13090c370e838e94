internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastStore
internal import HoldfastSystem

struct ScheduleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schedule", abstract: "Let systemd or cron run holdfast.",
    discussion: HelpEnd.text("holdfast schedule install --every 15m", "holdfast schedule show"),
    subcommands: [ScheduleInstall.self, ScheduleShow.self, ScheduleRemove.self])
}

/// Chooses a schedule, and the system in which it is installed.
struct ScheduleOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The name of the schedule, if there are several.", valueName: "name"))
  var name: String?

  @Option(
    help: ArgumentHelp(
      "Change the system image in this directory, without notifying a running scheduler.", valueName: "dir"),
    completion: .directory)
  var root: String?

  /// - Parameter usual: the name if none is given.
  func scheduleName(orElse usual: String? = nil) throws -> ScheduleName {
    guard let name = ScheduleName(name ?? usual) else { throw ScheduleError.noName(name ?? "") }
    return name
  }

  func schedulers(_ machine: MachineContext) throws -> [SchedulerDirectory] {
    try SchedulerDirectory.all(machine, root: root.map { try machine.environment.absolute($0) })
  }
}

struct ScheduleInstall: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install", abstract: "Run a command periodically.",
    discussion: """
      With systemd, this installs a service and a timer; for a user other than root, in the user's systemd. Otherwise, \
      and with --cron, a line in /etc/cron.d. A schedule of the same name is replaced.

      holdfast schedule install --every 15m -- backup /srv/shop --repository /backup --quiet

      With --watch it installs a service that runs all the time, holdfast-watch unless --name says otherwise: \
      `holdfast watch --quiet`, or the command after --.

      A run that finds another one at work is no failure. The service is sandboxed: it can write to the repository, \
      /tmp and /var/tmp, but not to the source. With hooks or other commands of the site (--before, --from-command), \
      and for a restore, it can do whatever its user can.

      \(HelpEnd.text("holdfast schedule install --every 15m", "holdfast schedule install --every 1h --cron --dry-run"))
      """)

  @Argument(
    parsing: .postTerminator,
    help: ArgumentHelp(
      "After --: the holdfast command to run, with its arguments. (default: run --quiet)", valueName: "command"))
  var command: [String] = []

  @OptionGroup var target: ScheduleOptions

  @Option(
    help: ArgumentHelp(
      "When to run: 15m, 6h, hourly, daily, weekly, monthly, \"02:30\", \"Mon,Thu 02:30\", or a systemd calendar event. (default: hourly)",
      valueName: "when"))
  var every: String?

  @Flag(help: "Install `holdfast watch` as a service of systemd.")
  var watch = false

  @Option(
    help: ArgumentHelp(
      "Largest random delay of a run by systemd, different on each machine: 30s, 5min. (default: depends on --every)",
      valueName: "time"), transform: TimeSpan.argument)
  var delay: TimeSpan?

  @Option(
    help: ArgumentHelp("End a run that takes longer than this: 6h, 2d. (default: never)", valueName: "time"),
    transform: TimeSpan.argument)
  var timeout: TimeSpan?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The repository: a directory, sftp:USER@HOST/PATH or s3:https://HOST/BUCKET. (environment: HOLDFAST_REPOSITORY)",
      valueName: "dir"),
    completion: .directory)
  var repository: String?

  @Option(help: ArgumentHelp("Identity file for the run.", valueName: "file"), completion: .file())
  var identity: String?

  @Option(help: ArgumentHelp("Passphrase file for the run.", valueName: "file"), completion: .file())
  var passphraseFile: String?

  @Option(help: ArgumentHelp("Writer key file for the run.", valueName: "file"), completion: .file())
  var writerKey: String?

  @Option(
    help: ArgumentHelp("Let the service write to this directory too. May be repeated.", valueName: "dir"),
    completion: .directory)
  var write: [String] = []

  @Option(help: ArgumentHelp("Run as this user.", valueName: "user"))
  var user: String?

  @Option(
    help: ArgumentHelp(
      "Command to run after a failed run. It gets HOLDFAST_SCHEDULE. (default: a line in the journal)",
      valueName: "command"))
  var onFailure: String?

  @Flag(help: "Do not sandbox the service.")
  var noHardening = false

  @Flag(help: "Use cron, even if systemd runs.")
  var cron = false

  @Option(
    help: ArgumentHelp("The holdfast program to run. (default: this one)", valueName: "file"), completion: .file())
  var program: String?

  @Flag(name: .long, help: "Only show what would be written, removed and run.")
  var dryRun = false

  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = MachineContext.ofThisProcess()
    let (plan, scheduler, _) = try planned(machine)
    try plan.perform(scheduler, machine.host, isDry: dryRun, output)
  }

  /// Determines what is to be written, removed and run, and where.
  func planned(_ machine: MachineContext) throws -> (SchedulePlan, SchedulerDirectory, Schedule) {
    let name = try target.scheduleName(orElse: watch ? "watch" : nil)
    guard !watch || every == nil && delay == nil && timeout == nil else { throw ScheduleError.noPeriod }
    let every = every ?? "hourly"
    guard let cadence = Cadence(every) else { throw ScheduleError.noCadence(every) }
    let root = try target.root.map { try machine.environment.absolute($0) }
    let scheduler = try SchedulerDirectory.chosen(machine, root: root, cron: cron)
    let schedule = try schedule(name, cadence, scheduler, machine)
    try scheduler.checkCadence(cadence, machine.host.cancellation)
    let items = try scheduler.items(schedule)
    var plan = SchedulePlan(write: items)
    let all = try target.schedulers(machine)
    // A schedule of the same name in another scheduler would run in addition.
    plan.remove = try all.flatMap { other in
      let present = try other.present(name)
      return other.directory == scheduler.directory ? present.filter { !items.map(\.path).contains($0) } : present
    }
    if scheduler.isLive { plan.commandsAfter = scheduler.commandsToStart(schedule) }
    return (plan, scheduler, schedule)
  }

  private func schedule(
    _ name: ScheduleName, _ cadence: Cadence, _ scheduler: SchedulerDirectory, _ machine: MachineContext
  ) throws -> Schedule {
    let environment = machine.environment
    let command = command.isEmpty ? [watch ? "watch" : "run", "--quiet"] : command
    let scheduled = try ScheduledCommand(command, machine)
    guard scheduled.isWatch == watch else { throw ScheduleError.otherKind(isWatch: scheduled.isWatch) }
    let program = try self.program.map { try environment.absolute($0) } ?? machine.host.program()
    var schedule = Schedule(
      name, cadence, program: String(decoding: program.bytes, as: UTF8.self), arguments: command)
    schedule.isOfUser = scheduler.kind == .systemdOfUser
    guard user == nil || !schedule.isOfUser else { throw ScheduleError.otherUser }
    if let user, !Schedule.isUser(user) { throw ScheduleError.noUser(user) }
    schedule.isService = watch ? true : nil
    schedule.user = user
    schedule.delay = delay ?? schedule.delay
    schedule.timeout = timeout
    schedule.onFailure = onFailure
    for name in ScheduledCommand.environment {
      // The configuration overrides the variables that the shell of the installing user happens to have.
      if scheduled.isConfigured, name == "HOLDFAST_REPOSITORY" { continue }
      if let value = environment.text(name) { schedule.environment[name] = value }
    }
    for name in ScheduledCommand.files {
      if let file = schedule.environment[name] { schedule.environment[name] = try absolute(environment, file) }
    }
    if let named = repository ?? schedule.environment["HOLDFAST_REPOSITORY"] {
      let isName = scheduled.site?.repository(named) != nil
      let isPath = try !isName && StoreLocation(named).directory != nil
      schedule.environment["HOLDFAST_REPOSITORY"] = isPath ? try absolute(environment, named) : named
    }
    try ScheduledCommand.checkProxies(schedule)
    try warnOfKeys(scheduled, schedule, environment)
    schedule.credentials = try credentials(environment, takesAlong: !scheduled.isConfigured)
    let repositories = try scheduled.repositories(named: schedule.environment["HOLDFAST_REPOSITORY"])
    schedule.writable = try repositories + write.map { try absolute(environment, $0) }
    schedule.confinement =
      noHardening || scheduled.needsEverything || schedule.environment["HOLDFAST_NOTIFY_COMMAND"] != nil
      ? .none : repositories.isEmpty ? .system : .strict
    return schedule
  }

  /// Warns of keys in variables. They are secrets, so they are not put into the schedule, and the run has others or
  /// none.
  private func warnOfKeys(
    _ scheduled: ScheduledCommand, _ schedule: Schedule, _ environment: ProcessEnvironment
  ) throws {
    guard environment.text("AWS_ACCESS_KEY_ID") != nil, environment.text("AWS_SECRET_ACCESS_KEY") != nil else { return }
    for bucket in try scheduled.bucketsWithoutCredentials(named: schedule.environment["HOLDFAST_REPOSITORY"]) {
      Console.warn(
        "the keys for \(bucket) are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of this shell, which the run will not have; name a file with `credentials-file` in the configuration"
      )
    }
  }

  private static let opening: Set = ["holdfast-identity", "holdfast-passphrase"]

  /// - Parameter takesAlong: true if keys that only the environment names are included.
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
