internal import ArgumentParser
internal import HoldfastCodec
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastSystem

struct WALCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wal", abstract: "Archive and restore the write-ahead log (WAL) of a PostgreSQL cluster.",
    discussion: ExitStatusTable.text, subcommands: [WALPushCommand.self, WALFetchCommand.self, WALStatusCommand.self])
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

  /// PostgreSQL runs its commands in the data directory.
  static func clusterDirectory(_ environment: ProcessEnvironment) throws -> Path { try environment.absolute(".") }
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
      durable in the repository. If the same file is already archived, it is read, archived again if it is damaged, \
      and the status is 0 too. A different file of the same name is refused. An unfinished segment, pushed by hand \
      after a crash, is kept until the whole segment comes.

      \(ExitStatusTable.text)
      """)

  @Argument(help: "The path of the file (%p).", completion: .file())
  var path: String

  @Option(help: ArgumentHelp("Compression: none, deflate, deflate:1-9 or zstd:1-19.", valueName: "how"))
  var compression = Compression.standard

  @Flag(help: "Archive a whole segment even if it begins differently from what was archived while it was unfinished.")
  var replaceUnfinished = false

  @OptionGroup var log: LogOptions
  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine()
    let repository = try location.context(machine, identity: identity, writer: writer, of: log.name).open()
    var options = WALPush.Options(
      path: try machine.environment.absolute(path), source: log.name,
      clusterDirectory: try LogOptions.clusterDirectory(machine.environment))
    options.system = log.system
    options.compression = compression
    options.replacesUnfinished = replaceUnfinished
    let report = try WALPush(repository: repository, options: options).run()
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
      all. Exit status 1 means only that the file is not archived, which PostgreSQL takes for the end of the log. For \
      every other failure, even a wrong command line, the status is 126 or more, and PostgreSQL stops.

      \(ExitStatusTable.text)
      """)

  @Argument(help: "The name of the file (%f).")
  var file: WALFileName

  @Argument(help: "The path to write to (%p).", completion: .file())
  var path: String

  @OptionGroup var log: LogOptions
  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions

  func run() throws {
    let machine = location.machine()
    let repository = try location.context(machine, identity: identity, of: log.name).open()
    var options = WALFetch.Options(
      file: file, target: try machine.environment.absolute(path), source: log.name,
      clusterDirectory: try LogOptions.clusterDirectory(machine.environment))
    options.system = log.system
    try WALFetch(repository: repository, options: options).run()
  }

  /// Whether a command line is one of `wal fetch`, even if the rest of it is wrong.
  static func isMeant(by arguments: some Collection<String>) -> Bool {
    zip(arguments, arguments.dropFirst()).contains { $0 == "wal" && $1 == "fetch" }
  }
}
