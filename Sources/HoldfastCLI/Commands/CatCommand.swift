internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct CatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cat", abstract: "Write one file of a snapshot to standard output.",
    discussion: HelpEnd.text(
      "holdfast cat latest orders.csv > orders.csv",
      "holdfast cat 3f9c0a12 /srv/orders/orders.db --name orders > orders.db"))

  @Argument(help: "The snapshot: latest, an ID, or the beginning of an ID.", completion: Candidates.snapshots)
  var snapshot: SnapshotSelector.Name

  @Argument(
    help: "The path of the file: relative to the source, or absolute below its path.", completion: Candidates.paths)
  var path: String

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var source: SourceOptions

  func run() throws {
    let machine = location.machine(nil)
    let repository = try location.context(machine, identity: identity, asks: true, of: source.name).open(
      copy, looksAround: source.name == nil)
    let chosen = try SnapshotSelector(snapshot, source: source.name).choose(in: repository.catalog) {
      Console.warn($0.message)
    }
    let output = try machine.host.files.duplicate(descriptor: 1, name: "standard output")
    let entry = try repository.entryPath(TypedPath(path), of: chosen)
    let consistency = try Cat(repository: repository).write(entry, of: chosen, to: output)
    repository.warnOfParityUses()
    guard consistency.isComplete else {
      Console.error("holdfast: INCOMPLETE: \(path): \(consistency.name) when the snapshot was taken", .yellow)
      throw Outcome(status: .incomplete)
    }
  }
}
