internal import ArgumentParser
internal import HoldfastCodec
package import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
package import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

struct WALCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wal", abstract: "Archive and restore the write-ahead log (WAL) of a PostgreSQL cluster.",
    discussion: HelpEnd.text("holdfast wal status", "holdfast wal push pg_wal/000000010000000000000001 --name orders"),
    subcommands: [WALPushCommand.self, WALFetchCommand.self, WALStatusCommand.self])
}

/// Chooses the archived WAL of a cluster.
struct LogOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The name of the source in the repository.", valueName: "name"))
  var name: SourceName

  @Option(
    help: ArgumentHelp(
      "The system identifier of the cluster. (default: that of the data directory in which this runs, or the only one in the archive)",
      valueName: "number"))
  var system: SystemIdentifier?

  /// Returns the current directory: PostgreSQL runs its commands in the data directory.
  static func clusterDirectory(_ environment: ProcessEnvironment) throws -> Path { try environment.absolute(".") }

  /// Returns the configuration of the source, which may call it by any of its names; `nil` if the repository is not
  /// configured. A mistake in the configuration keeps no log from being moved.
  static func configured(
    _ source: SourceName, _ context: RepositoryContext, _ repository: Repository
  ) -> SourceSettings? {
    guard context.configured != nil else { return nil }
    return (try? context.configuration(of: source, in: repository.names)) ?? nil
  }
}

/// The options for segments that are moved before the server asks for them.
package struct AheadOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The most further segments to move with this one, before the server asks for them: 0 to 63. (environment: HOLDFAST_WAL_AHEAD; configuration: wal-ahead; default: 31 for push, 15 for fetch)",
      valueName: "count"))
  var ahead: Int?

  @Option(
    help: ArgumentHelp(
      "The most segments to move at once: 1 to 16. (environment: HOLDFAST_WAL_WORKERS; configuration: wal-workers; default: 4, for a push to a directory 1)",
      valueName: "count"))
  var workers: Int?

  package init() {}

  package func validate() throws {
    guard ahead.map(SourceSettings.Log.aheadRange.contains) ?? true else {
      throw ValidationError("--ahead is a number from 0 to 63")
    }
    guard workers.map(SourceSettings.Log.workersRange.contains) ?? true else {
      throw ValidationError("--workers is a number from 1 to 16")
    }
  }

  /// Returns the number of further segments; `nil` if it is not set anywhere.
  /// - Parameter configured: the configuration of the source.
  package func ahead(_ configured: SourceSettings?, _ machine: MachineContext) throws -> Int? {
    try ahead
      ?? Self.number("HOLDFAST_WAL_AHEAD", "0, 8 or 63", in: SourceSettings.Log.aheadRange, machine.environment)
      ?? configured?.log.ahead
  }

  /// Returns the number of segments at once; `nil` if it is not set anywhere.
  /// - Parameter configured: the configuration of the source.
  package func workers(_ configured: SourceSettings?, _ machine: MachineContext) throws -> Int? {
    try workers
      ?? Self.number(
        "HOLDFAST_WAL_WORKERS", "1, 4 or 16", in: SourceSettings.Log.workersRange, machine.environment)
      ?? configured?.log.workers
  }

  private static func number(
    _ name: String, _ examples: String, in range: ClosedRange<Int>, _ environment: ProcessEnvironment
  ) throws -> Int? {
    try environment.parsed(name, examples) { text in Int(text).flatMap { range.contains($0) ? $0 : nil } }
  }
}

extension SystemIdentifier: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

extension WALFileName: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

struct WALPushCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "push", abstract: "Archive one WAL file: PostgreSQL's archive_command.",
    discussion: """
      In postgresql.conf: archive_command = 'holdfast wal push %p --name NAME'. Exit status 0 means that the file is \
      durable in the repository. The segments that the server has ready behind it are archived side by side with it; \
      its next calls then end at once. If the same file is already archived, it is read, archived again if it is \
      damaged, and the status is 0 too. A different file of the same name is refused. An unfinished segment, pushed by \
      hand after a crash, is kept until the whole segment comes.

      \(HelpEnd.text("holdfast wal push %p --name orders", "holdfast wal push pg_wal/000000010000000000000001 --name orders"))
      """)

  @Argument(help: "The path of the file (%p).", completion: .file())
  var path: String

  @Option(help: ArgumentHelp("Compression: none, deflate, deflate:1-9 or zstd:1-19.", valueName: "how"))
  var compression = Compression.standard

  @Flag(help: "Archive a whole segment even if it begins differently from what was archived while it was unfinished.")
  var replaceUnfinished = false

  /// The default is not higher because, after a kill, the next call reads what the killed one has archived again from
  /// the archive.
  private static let usualAhead = 31

  @OptionGroup var ahead: AheadOptions
  @OptionGroup var log: LogOptions
  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let context = try location.context(machine, identity: identity, writer: writer, of: log.name)
    try context.checkIsHome()
    var options = WALPush.Options(
      path: try machine.environment.absolute(path), source: log.name,
      clusterDirectory: try LogOptions.clusterDirectory(machine.environment))
    options.system = log.system
    options.compression = compression
    options.replacesUnfinished = replaceUnfinished
    try set(&options, context.configuredSource, machine)
    let receipts = WALReceipts(try machine.memory(), at: context.location.description, of: log.name, on: machine.host)
    if let report = try WALPush.acknowledged(options, by: receipts, on: machine.host) {
      return try show(report, machine)
    }
    let repository = try context.openToWrite { Console.warn($0) }
    options.source = try repository.names.sourceToArchive(log.name)
    options.host = repository.hostName(options.source)
    try set(&options, LogOptions.configured(options.source, context, repository), machine)
    try show(WALPush(repository: repository, options: options, receipts: receipts).run(), machine)
  }

  private func set(
    _ options: inout WALPush.Options, _ configured: SourceSettings?, _ machine: MachineContext
  ) throws {
    options.ahead = try ahead.ahead(configured, machine) ?? Self.usualAhead
    options.workers = try ahead.workers(configured, machine)
  }

  private func show(_ report: WALPush.Report, _ machine: MachineContext) throws {
    if output.json {
      try Console.json(PushJSON(report), machine)
    } else if !output.quiet {
      if report.replaced > 0 { Console.output("\(report.file) was archived, and damaged: it is archived anew") }
      if report.file.kind == .unfinishedSegment, !report.isRepeated {
        Console.output(
          "\(report.file.segment ?? report.file) is unfinished: recovery reads it until the whole one comes")
      }
    }
  }
}

struct WALFetchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fetch", abstract: "Restore one WAL file: PostgreSQL's restore_command.",
    discussion: """
      In postgresql.conf: restore_command = 'holdfast wal fetch %f %p --name NAME'. The file appears whole or not at \
      all. For a server in recovery, which asks for RECOVERYXLOG, the segments that follow are fetched side by side \
      with it into pg_wal/.holdfast-ahead; its next calls then end at once. Exit status 1 means only that the file is \
      not archived, which PostgreSQL takes for the end of the log. For every other failure, even a wrong command line, \
      the status is 126 or more, and PostgreSQL stops.

      \(HelpEnd.text("holdfast wal fetch 00000002.history pg_wal/RECOVERYHISTORY --name orders", "holdfast wal fetch 000000010000000000000001 segment --name orders"))
      """)

  @Argument(help: "The name of the file (%f).")
  var file: WALFileName

  @Argument(help: "The path to write to (%p).", completion: .file())
  var path: String

  /// The spool holds this many segments of the usual size (16 MiB).
  private static let usualAhead = 15

  @OptionGroup var ahead: AheadOptions
  @OptionGroup var log: LogOptions
  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions

  func run() throws {
    let machine = location.machine(nil)
    let context = try location.context(machine, identity: identity, of: log.name)
    var options = WALFetch.Options(
      file: file, target: try machine.environment.absolute(path), source: log.name,
      clusterDirectory: try LogOptions.clusterDirectory(machine.environment))
    options.system = log.system
    options.location = context.location.description
    // A file that an operator fetches comes alone, unless the option says otherwise.
    let isRecovery = WALFetch.isRecovery(options.target)
    func set(_ configured: SourceSettings?) throws {
      options.ahead = isRecovery ? try ahead.ahead(configured, machine) ?? Self.usualAhead : ahead.ahead ?? 0
      if let workers = try ahead.workers(configured, machine) { options.workers = workers }
    }
    try set(context.configuredSource)
    if WALFetch.takeSpooled(options, on: machine.host) { return }
    let repository = try context.open()
    options.source = try repository.names.source(log.name)
    try set(LogOptions.configured(options.source, context, repository))
    try WALFetch(repository: repository, options: options).run()
  }

  /// True if a command line is one of `wal fetch`, even if the rest of it is wrong.
  static func isMeant(by arguments: some Collection<String>) -> Bool {
    zip(arguments, arguments.dropFirst()).contains { $0 == "wal" && $1 == "fetch" }
  }
}
