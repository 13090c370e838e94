internal import ArgumentParser
internal import HoldfastBrowse
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport

struct HistoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "Show the versions of one file over all snapshots.",
    discussion: """
      Each line is a run of snapshots with the same content: the first of them, the last, and how many they are. The \
      snapshots are read from their manifests alone; no data is read.

      \(HelpEnd.text("holdfast history orders.db", "holdfast history /srv/orders/config/shop.yaml --name orders --json"))
      """)

  @Argument(
    help: "The path of the file: relative to the source, or absolute below its path.", completion: Candidates.paths)
  var path: String

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let repository = try location.context(machine, identity: identity, asks: true, of: source.name).open(
      copy, looksAround: source.name == nil)
    var choice = SnapshotChoice()
    choice.source = source.name
    let history = try History(of: TypedPath(path), choice, in: repository, cache: machine.changeCache())
    if output.json {
      try Console.json(HistoryJSON(history))
    } else {
      HistoryText.lines(history).forEach(Console.output)
    }
    repository.warnOfParityUses()
    try Outcome.end(history.damage, hint: "Run `holdfast verify --data` to see what can still be restored.")
  }
}
