internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show one snapshot: its parent, what it stored, what it contains.",
    discussion: HelpEnd.text("holdfast show", "holdfast show 3f9c0a12 --files"))

  @Argument(help: "The snapshot: latest, an ID, or the beginning of an ID.", completion: Candidates.snapshots)
  var snapshot = SnapshotSelector.Name.latest

  @Flag(help: "List all files of the snapshot.")
  var files = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let repository = try location.context(machine, identity: identity, asks: true, of: source.name).open(
      copy, looksAround: source.name == nil)
    let chosen = try SnapshotSelector(snapshot, source: source.name).choose(in: repository.catalog) {
      Console.warn($0.message)
    }
    let noted = try repository.notes.read(chosen.sourceName).notes[chosen]
    if output.json {
      let snapshot = SnapshotJSON(chosen.envelope, noted)
      // When files follow, it is the first line of a stream of lines.
      if files { try Console.jsonLine(snapshot) } else { try Console.json(snapshot) }
    } else {
      let path = try repository.containers.sourceOrigin(of: chosen)?.text
      SnapshotText.lines(chosen, noted, chain: try repository.catalog.chain(to: chosen), path: path).forEach(
        Console.output)
    }
    defer { repository.warnOfParityUses() }
    guard files else { return }
    try chosen.forEachEntry(in: repository) { entry in
      if output.json { try Console.jsonLine(EntryJSON(entry)) } else { Console.output(EntryLine.text(entry)) }
    }
  }
}
