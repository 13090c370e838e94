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
    commandName: "show", abstract: "Show one snapshot: its parent, what it stored, what it contains.",
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
    defer { repository.warnOfParityUses() }
    if output.json {
      let snapshot = SnapshotJSON(chosen.envelope, noted, isDiverged: chosen.isDiverged)
      guard files else { return try Console.json(snapshot) }
      return try JSONStream.write(snapshot, array: "entries") { stream in
        try chosen.forEachEntry(in: repository) { try stream.add(EntryJSON($0)) }
      }
    }
    let path = try repository.containers.sourceOrigin(of: chosen)?.text
    SnapshotText.lines(chosen, noted, chain: try repository.catalog.chain(to: chosen), path: path).forEach(
      Console.output)
    if files { try chosen.forEachEntry(in: repository) { Console.output(EntryLine.text($0)) } }
  }
}
