internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct WALStatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the archived WAL of each source, its gaps, and how far recovery can reach.",
    discussion: HelpEnd.text("holdfast wal status", "holdfast wal status --name orders --json"))

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @Option(name: .long, help: ArgumentHelp("Only the WAL of this source.", valueName: "name"))
  var name: SourceName?
  @OptionGroup var output: OutputOptions

  func run() throws {
    let repository = try location.context(location.machine(output), identity: identity, of: name).open()
    var damage: [DamageError] = []
    let logs = try WALStatus(repository) { damage.append($0) }.run(name)
    if output.json {
      try Console.json(LogsJSON(logs, damage: damage))
    } else if logs.isEmpty {
      Console.output("no write-ahead log is archived in \(repository.location)")
    } else {
      logs.flatMap { LogText.lines(of: $0) }.forEach(Console.output)
    }
    try Outcome.end(damage, hint: "Run `holdfast verify --data` to see everything that is damaged.")
  }
}
