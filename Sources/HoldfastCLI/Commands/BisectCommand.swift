internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastQuery
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct BisectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bisect", abstract: "Find the last snapshot in which an SQLite database passes a test.",
    discussion: """
      It examines the newest snapshot, the oldest, and then always the middle of what is left, which is right where the \
      test held up to a moment and failed after it. --linear examines every snapshot and tells each change.

      --assert holds if the first column of the first row is neither 0 nor NULL. --test gets the path of a restored copy \
      in HOLDFAST_DATABASE; the copy lies in a private directory below TMPDIR, readable, and is removed afterwards. Exit \
      status 0 of the command says that the test holds, 1 to 124 that it does not, 125 that the snapshot says nothing; \
      any other ends the search. A snapshot without the table or the database cannot be asked, and is told apart.

      The exit status of bisect is 0 where the change was found or the test holds in the newest snapshot, 1 where it \
      holds in none, 21 where damage kept a snapshot from being examined.

      \(HelpEnd.text("holdfast bisect orders.db --assert 'SELECT count(*) > 1000 FROM orders'", "holdfast bisect orders.db --test '/usr/local/bin/audit \"$HOLDFAST_DATABASE\"'"))
      """)

  @Argument(help: "The path of the database in the snapshots, as `show --files` prints it.")
  var database: String

  @Option(name: .customLong("assert"), help: ArgumentHelp("The SQL statement that should hold.", valueName: "sql"))
  var assertion: String?

  @Option(help: ArgumentHelp("The shell command that should succeed.", valueName: "command"))
  var test: String?

  @Flag(help: "Examine every snapshot, the oldest first.")
  var linear = false

  @Option(
    help: ArgumentHelp(
      "Stop with --assert if a snapshot needs longer than this, such as 30s or 5min.", valueName: "time"),
    transform: TimeSpan.argument)
  var timeout: TimeSpan?

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var rate: RateOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard (assertion == nil) != (test == nil) else {
      throw ValidationError("either --assert SQL or --test COMMAND is needed")
    }
    guard timeout == nil || assertion != nil else { throw ValidationError("--timeout is for --assert") }
  }

  func run() throws {
    let machine = location.machine(output)
    let repository = try location.context(machine, identity: identity, asks: true, of: source.name).open(
      copy, limit: rate.limit(machine), looksAround: source.name == nil)
    let (newest, all) = try SnapshotSelector(.latest, source: source.name).chooseAmongAll(in: repository.catalog) {
      Console.warn($0.message)
    }
    let path = try repository.entryPath(TypedPath(database), of: newest)
    let isQuiet = output.quiet
    let bisect = Bisect(
      path, by: chosenTest, in: all.filter { $0.sourceName == newest.sourceName }, of: repository
    ) { examined in
      if !isQuiet { Console.error("holdfast: " + BisectText.line(examined)) }
    }
    let report = try bisect.run(isLinear: linear)
    repository.warnOfParityUses()
    func command(_ snapshot: Snapshot) -> RestoreDatabaseCommand {
      RestoreDatabaseCommand(report.holdingPaths, of: snapshot, options: optionsToRestore)
    }
    if output.json {
      try Console.json(BisectJSON(report, command), machine)
    } else {
      BisectText.lines(report, command).forEach(Console.output)
    }
    if let damage = report.damage { Console.error("holdfast: \(damage)", .red) }
    try Outcome.end(report.exitStatus)
  }

  /// The options of this command that a restore needs as well.
  private var optionsToRestore: [(name: String, value: String)] {
    [("--repository", location.repository), ("--config", location.config), ("--from", copy.from)].compactMap {
      name, value in value.map { (name, $0) }
    } + identity.identity.map { ("--identity", $0) }
  }

  private var chosenTest: Bisect.Test {
    test.map { .command($0) } ?? .assertion(assertion ?? "", timeout: timeout)
  }
}
