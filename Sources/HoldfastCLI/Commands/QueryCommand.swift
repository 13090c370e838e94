internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastQuery
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct QueryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "query", abstract: "Ask an SQLite database in a snapshot, without restoring it.",
    usage: "holdfast query [<snapshot>] <database> <sql> [<options>]",
    discussion: """
      Only the pages that the statement needs are fetched, and nothing is written on this machine. One statement that \
      reads is allowed. A terminal gets a table, a pipe gets rows without a header: values separated by tabs, with \\t, \
      \\n, \\r and \\\\ for a tab, a newline, a carriage return and a backslash. NULL is empty, a BLOB is x'…'.

      \(HelpEnd.text("holdfast query orders.db 'SELECT count(*), max(created) FROM orders'", "holdfast query --at 2026-11-22T14:05 orders.db 'SELECT * FROM items' --csv"))
      """)

  @Argument(
    help: ArgumentHelp(
      "The snapshot (latest, an ID, or the beginning of an ID; default: latest), the path of the database as `show --files` prints it, and the SQL statement.",
      valueName: "words"), completion: Candidates.snapshots)
  var words: [String]

  @Option(
    help: ArgumentHelp(
      "Ask the newest snapshot that was begun at or before this time, such as \"2026-11-22 14:05:03\", 2026-11-22T14:05 or 2026-11-22, in local time or with a zone.",
      valueName: "time"))
  var at: String?

  @Flag(help: "Print comma-separated values with a header (RFC 4180).")
  var csv = false

  @Option(
    help: ArgumentHelp("Stop a statement that takes longer than this, such as 30s or 5min.", valueName: "time"),
    transform: TimeSpan.argument)
  var timeout: TimeSpan?

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var rate: RateOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard words.count == 2 || words.count == 3 else {
      throw ValidationError("DATABASE and SQL are needed, or SNAPSHOT, DATABASE and SQL")
    }
    if let at, WrittenTime(at) == nil {
      throw ValidationError(
        "--at \(at) is not a time such as 2026-11-22T14:05, 2026-11-22T14:05:03+01:00 or 2026-11-22")
    }
    guard !csv || !output.json else { throw ValidationError("--csv and --json exclude each other") }
  }

  func run() throws {
    let machine = location.machine(output)
    let name = words.count == 3 ? SnapshotSelector.Name(words[0]) : .latest
    let repository = try location.context(machine, identity: identity, asks: true, of: source.name).open(
      copy, limit: rate.limit(machine), looksAround: source.name == nil)
    let chosen = try SnapshotSelector(name, source: source.name, at: at.flatMap { WrittenTime($0)?.last })
      .choose(in: repository.catalog) { Console.warn($0.message) }
    let path = try repository.entryPath(TypedPath(words[words.count - 2]), of: chosen)
    let database = try SnapshotDatabase(
      path, in: SnapshotFiles(of: chosen, in: repository), of: repository)
    let rows = try QueryOutput(form, chosen, path, files: machine.host.files)
    do {
      try database.run(words[words.count - 1], timeout: timeout, onColumns: rows.begin) { row in
        try rows.add(row)
        return true
      }
      try rows.finish(database.figures, machine)
    } catch {
      try? rows.fail(error)
      throw error
    }
    repository.warnOfParityUses()
    if Console.isOutputTerminal, !output.json, !csv, !output.quiet { Console.error(summary(rows, database.figures)) }
    guard database.consistency.isComplete else {
      Console.error("holdfast: INCOMPLETE: \(path): \(database.consistency.name) when the snapshot was taken", .yellow)
      throw Outcome(status: .incomplete)
    }
  }

  private var form: QueryOutput.Form {
    if output.json { return .json }
    if csv { return .lines(.csv) }
    return Console.isOutputTerminal ? .table : .lines(.plain)
  }

  private func summary(_ rows: QueryOutput, _ figures: SnapshotDatabase.Figures) -> String {
    "\(Amount.count(rows.rows, "row")); fetched \(Amount.bytes(figures.bytesFetched)) in "
      + Amount.count(figures.framesRead, "frame")
  }
}
