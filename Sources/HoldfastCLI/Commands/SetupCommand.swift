internal import ArgumentParser
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSetup
internal import HoldfastSystem

struct SetupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "setup", abstract: "Make repository, configuration and schedule, and prove the first snapshot.",
    discussion: """
      One command takes a directory from no backup to a snapshot that was restored on trial. It makes the repository, \
      writes the configuration, takes the first snapshot, installs `holdfast run` as a schedule, restores the snapshot \
      as `holdfast drill` does, and prints a sheet to keep: where the repository and its key are, what is lost without \
      the key, and the commands of the night.

      On a terminal it asks for what the command line does not say. It changes no file that is there. When a step \
      fails, the same command goes on from there.

      \(HelpEnd.text("holdfast setup /srv/orders --repository /backup/shop", "holdfast setup /srv/orders -r /backup/shop --passphrase --every 15m"))
      """)

  @Argument(help: "The directory to back up.", completion: .directory)
  var source: String?

  @OptionGroup var location: RepositoryOptions

  @Option(
    help: ArgumentHelp("The name of the source. (default: as configured, else the directory's name)", valueName: "name")
  )
  var name: SourceName?

  @Option(
    help: ArgumentHelp(
      "Encrypt to the identity in this key file, which is made if it does not exist. Keep it away from this machine afterwards.",
      valueName: "file"), completion: .file())
  var keyFile: String?

  @Flag(help: "Encrypt to a passphrase, which is asked for on the terminal or read from HOLDFAST_PASSPHRASE_FILE.")
  var passphrase = false

  @Option(help: ArgumentHelp("Encrypt to the passphrase in this file.", valueName: "file"), completion: .file())
  var passphraseFile: String?

  @Flag(help: "Do not encrypt: anyone who can read the repository can read the orders in it.")
  var unsealed = false

  @Option(
    help: ArgumentHelp(
      "When `holdfast run` is to take snapshots: 15m, hourly, daily, \"02:30\", or whatever `schedule install` takes.",
      valueName: "when"))
  var every: String?

  @Flag(help: "Install no schedule.")
  var noSchedule = false

  @Flag(help: "Schedule with cron, even if systemd runs.")
  var cron = false

  @Option(
    help: ArgumentHelp(
      "Install the schedule into the system image in this directory, without notifying a running scheduler.",
      valueName: "dir"), completion: .directory)
  var root: String?

  @Option(
    help: ArgumentHelp(
      "Compression: none, deflate, deflate:1-9 or zstd:1-19. With zstd, restores are faster and rescue.py needs the program zstd. (default: deflate)",
      valueName: "how"))
  var compression: Compression?

  @Option(
    help: ArgumentHelp(
      "Connection string of the server whose cluster is in the directory.", valueName: "conninfo"))
  var postgres: String?

  @Option(
    help: ArgumentHelp(
      "The directory in which the snapshot is restored on trial. (default: as configured, else below HOLDFAST_STATE_DIR)",
      valueName: "dir"), completion: .directory)
  var drillIn: String?

  @Option(
    help: ArgumentHelp("Write the sheet to this file too, which must not exist.", valueName: "file"),
    completion: .file())
  var sheet: String?

  @Flag(name: .long, help: "Only show what would be made and done.")
  var dryRun = false

  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard [keyFile != nil, passphrase, passphraseFile != nil, unsealed].filter({ $0 }).count <= 1 else {
      throw ValidationError("--key-file, --passphrase, --passphrase-file and --unsealed exclude each other")
    }
    guard every == nil || !noSchedule else { throw ValidationError("--every and --no-schedule exclude each other") }
  }

  func run() throws {
    let machine = location.machine(output)
    let questions = SetupQuestions(machine)
    try checkIsComplete(machine)
    let directory = try source ?? questions.source()
    let contents = try SourceContents(of: machine.environment.absolute(directory), on: machine.host)
    say("\(contents.path): \(contents.summary)")
    let repository =
      try location.repository ?? machine.environment.text("HOLDFAST_REPOSITORY") ?? questions.repository()
    let site = try SetupSite(contents, repository: repository, expectedKeyring: location.expectKeyring, on: machine) {
      Console.warn($0)
    }
    let (request, scheduler) = try answers(site, questions)
    site.warnings(for: request).forEach(Console.warn)
    let setup = try Setup(request, at: site, scheduler: scheduler)
    if dryRun { return try show(setup.intentions) }
    if questions.hasAsked {
      try setup.intentions.forEach { Console.error($0) }
      try Confirmation.ask(
        "do all this?", machine.host.cancellation,
        hint: "Answer yes; with everything on the command line nothing is asked.")
    }
    let report = try setup.perform(output.observer(machine), tell: say) { Console.warn($0) }
    if output.json {
      try Console.json(SetupJSON(report), machine)
    } else if !output.quiet {
      Console.output("\n" + report.sheet.dropLast())
    }
    try Outcome.end(report.exitStatus)
  }

  private func show(_ intentions: [String]) throws {
    if output.json { return try Console.json(SetupIntentionsJSON(intentions)) }
    intentions.forEach(Console.output)
  }

  /// Prints a line of the result, for people.
  private func say(_ text: String) { if !output.json, !output.quiet, !dryRun { Console.output(text) } }

  /// - Throws: with exit status 2 if nobody can be asked for what is missing.
  private func checkIsComplete(_ machine: MachineContext) throws {
    guard !Console.canAsk else { return }
    var missing: [String] = []
    if source == nil { missing.append("the directory to back up") }
    if location.repository ?? machine.environment.text("HOLDFAST_REPOSITORY") == nil {
      missing.append("--repository DIR")
    }
    if keyFile == nil, !passphrase, passphraseFile == nil, !unsealed {
      missing.append("--key-file FILE, --passphrase-file FILE or --unsealed")
    }
    if every == nil, !noSchedule { missing.append("--every WHEN or --no-schedule") }
    guard !missing.isEmpty else { return }
    throw EngineError(
      .usage, "there is no terminal to ask on, and setup needs \(missing.joined(separator: "; "))",
      hint:
        "Say all of it, for example: holdfast setup /srv/orders --repository /backup/shop --key-file /media/key/recovery.key --every 15m",
      exitStatus: .usage)
  }

  /// Returns what the operator wants: flags first, then answers.
  private func answers(
    _ site: SetupSite, _ questions: SetupQuestions
  ) throws -> (SetupRequest, (any SetupScheduler)?) {
    let environment = site.machine.environment
    var request = SetupRequest(try protection(site, questions))
    request.name = name
    (request.compression, request.postgres) = (compression?.description, postgres)
    if site.configuredSource == nil {
      if compression == nil, Console.canAsk { request.compression = try questions.compression() }
      if postgres == nil, let cluster = site.contents.clusterInUse {
        request.postgres = try questions.postgres(cluster)
      }
    }
    request.drillDirectory = try drillIn.map { try environment.absolute($0) }
    request.writerKey = writer.writerKey
    request.sheet = try sheet.map { try environment.absolute($0) }
    let chosen = try every ?? (noSchedule ? nil : questions.every())
    guard let chosen else { return (request, nil) }
    guard let cadence = Cadence(chosen) else { throw ScheduleError.noCadence(chosen) }
    request.interval = cadence.interval
    return (
      request,
      RunScheduler(
        cadence: cadence, root: try root.map { try environment.absolute($0) }, usesCron: cron, config: location.config)
    )
  }

  private func protection(_ site: SetupSite, _ questions: SetupQuestions) throws -> SetupRequest.Protection {
    let machine = site.machine
    if unsealed { return .unsealed }
    if let keyFile { return .keyFile(try machine.environment.absolute(keyFile)) }
    if let passphraseFile {
      return .passphrase(try machine.keyFiles.readPassphrase(machine.environment.absolute(passphraseFile)))
    }
    let kind = try passphrase ? .passphrase : questions.protection(site)
    switch kind {
    case .unsealed: return .unsealed
    case .keyFile: return .keyFile(try machine.environment.absolute(questions.keyFile(isNew: site.repository == nil)))
    case .passphrase: return .passphrase(try typedPassphrase(site))
    }
  }

  private func typedPassphrase(_ site: SetupSite) throws -> SecretBytes {
    let machine = site.machine
    if let file = machine.environment.text("HOLDFAST_PASSPHRASE_FILE") {
      return try machine.keyFiles.readPassphrase(machine.environment.absolute(file))
    }
    guard
      let typed = try Passphrase.fromTerminal(isNew: site.repository == nil, machine.host.cancellation)
    else {
      throw KeyError(
        "there is no terminal to ask for a passphrase on", hint: "Put it into a file, and say --passphrase-file FILE.",
        exitStatus: .usage)
    }
    return typed
  }
}
