internal import ArgumentParser
internal import HoldfastEngine
internal import HoldfastModel

struct Init: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make a new repository.", discussion: ExitStatusTable.text)

  @OptionGroup var place: RepositoryOptions
  @OptionGroup var output: OutputOptions

  private struct JSON: Encodable {
    let repository: String
    let location: String
  }

  func run() throws {
    let host = Environment.makeHost()
    let repository = try Repository.create(in: place.store(host), host: host)
    if output.json {
      try Console.json(JSON(repository: repository.id.description, location: repository.location))
    } else if !output.quiet {
      Console.output("made repository \(repository.id.short) in \(repository.location)")
      Console.output("it is not sealed: whoever can read that directory can read the orders in it")
    }
  }
}
