internal import ArgumentParser
internal import HoldfastModel
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

  func places(_ host: Host) throws -> [SchedulePlace] {
    try SchedulePlace.all(host.files, root: root.map { try Environment.absolute($0) })
  }
}

struct ScheduleInstall: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install", abstract: "Run something every so often, from now on.",
    discussion: """
      Where systemd runs: a service and a timer; for who is not root, those of this user. Elsewhere, and with --cron: a line in /etc/cron.d. What is \
      installed under the name already is replaced.

      holdfast schedule install --every 15m -- backup /srv/shop --repository /backup --quiet

      A run that finds another one at work is no failure. The service can write only where the repository and the source are; where a command of the \
      site's is part of it (--before, --from-command and the like), it can do what its user can.

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
      valueName: "time"))
  var delay: TimeSpan?

  @Option(help: ArgumentHelp("End a run that takes longer: 6h, 2d. (default: never)", valueName: "time"))
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
    let host = Environment.makeHost()
    let name = try target.scheduleName()
    guard let cadence = Cadence(every) else { throw ScheduleError.noCadence(every) }
    let root = try target.root.map { try Environment.absolute($0) }
    let place = try SchedulePlace.chosen(host.files, root: root, cron: cron)
    let schedule = try schedule(name, cadence, place, host)
    try place.checkCadence(cadence, host.cancellation)
    let items = try place.items(schedule)
    var plan = SchedulePlan(write: items)
    let all = try target.places(host)
    // What is there under the name in another place would run beside it.
    plan.remove = try all.flatMap { other in
      let present = try other.present(name)
      return other.directory == place.directory ? [] : present
    }
    if place.isLive { plan.commandsAfter = place.commandsToStart(name) }
    try plan.perform(place, host, isDry: dryRun, output)
  }

  private func schedule(
    _ name: ScheduleName, _ cadence: Cadence, _ place: SchedulePlace, _ host: Host
  ) throws -> Schedule {
    let command = command.isEmpty ? ["run", "--quiet"] : command
    let scheduled = try ScheduledCommand(command)
    let program = try self.program.map { try Environment.absolute($0) } ?? host.files.resolve(Path("/proc/self/exe"))
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
      if let value = Environment.value(name), !value.isEmpty { schedule.environment[name] = try absolute(value, name) }
    }
    if let repository { schedule.environment["HOLDFAST_REPOSITORY"] = try absolute(repository) }
    schedule.credentials = try credentials()
    let place = scheduled.repository ?? schedule.environment["HOLDFAST_REPOSITORY"]
    schedule.writable = try ([place, scheduled.source].compactMap { $0 } + write).map { try absolute($0) }
    schedule.confinement =
      try noHardening || scheduled.runsCommands || runsConfiguredCommands(scheduled, host)
      ? .none : place == nil ? .system : .strict
    return schedule
  }

  /// Whether commands of the site's run that are configured. Where the configuration is wrong, the one who installs is told.
  private func runsConfiguredCommands(_ scheduled: ScheduledCommand, _ host: Host) throws -> Bool {
    guard scheduled.usesConfiguration else { return false }
    return try SiteConfiguration.loader(host, named: scheduled.config).load()?.runsCommands ?? false
  }

  private func credentials() throws -> [Schedule.Credential] {
    let files = [
      ("holdfast-identity", "HOLDFAST_IDENTITY_FILE", identity),
      ("holdfast-passphrase", "HOLDFAST_PASSPHRASE_FILE", passphraseFile),
      ("holdfast-writer-key", "HOLDFAST_WRITER_KEY_FILE", writerKey),
    ]
    return try files.compactMap { name, variable, file in
      guard let file = file ?? Environment.value(variable), !file.isEmpty else { return nil }
      return Schedule.Credential(name: name, variable: variable, file: try absolute(file))
    }
  }

  private func absolute(_ text: String) throws -> String {
    String(decoding: try Environment.absolute(text).bytes, as: UTF8.self)
  }

  /// Digests are no paths.
  private func absolute(_ text: String, _ variable: String) throws -> String {
    variable == "HOLDFAST_EXPECT_KEYRING" ? text : try absolute(text)
  }
}

/// What shall run by itself, as far as it matters for how.
struct ScheduledCommand {
  /// What of the environment a run needs, where it is set now.
  static let environment = ["HOLDFAST_REPOSITORY", "HOLDFAST_EXPECT_KEYRING", "HOLDFAST_CONFIG"]
  /// What lets the site's own commands run.
  private static let commands = ["--from-command", "--before", "--after", "--on-failure", "--identity-command"]

  let repository: String?
  let source: String?
  let runsCommands: Bool
  /// Whether it works on what is configured.
  let usesConfiguration: Bool
  let config: String?

  /// - Throws: where holdfast would not understand it, or not in another directory.
  init(_ arguments: [String]) throws {
    let parsed: any ParsableCommand
    do {
      parsed = try Holdfast.parseAsRoot(arguments)
    } catch {
      throw ScheduleError.noCommandLine(Holdfast.message(for: error))
    }
    repository = Self.value(short: "-r", long: "--repository", arguments)
    let backup = parsed as? BackupCommand
    source = backup?.source
    let isBackupOfAll = backup.map { $0.source == nil && $0.command.fromCommand == nil } ?? false
    usesConfiguration = parsed is RunSourcesCommand || isBackupOfAll
    config = (parsed as? RunSourcesCommand)?.place.config ?? backup?.place.config
    runsCommands = arguments.contains { argument in
      Self.commands.contains { argument == $0 || argument.hasPrefix($0 + "=") }
    }
    for path in [repository, source, config].compactMap({ $0 }) where !path.hasPrefix("/") {
      throw ScheduleError.relativePath(path)
    }
  }

  private static func value(short: String, long: String, _ arguments: [String]) -> String? {
    for (index, argument) in arguments.enumerated() {
      if argument == short || argument == long { return index + 1 < arguments.count ? arguments[index + 1] : nil }
      if argument.hasPrefix(long + "=") { return String(argument.dropFirst(long.count + 1)) }
      if argument.hasPrefix(short), !argument.hasPrefix("--") { return String(argument.dropFirst(short.count)) }
    }
    return nil
  }
}
