internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the snapshots, each below its parent.",
    discussion: HelpEnd.text("holdfast list", "holdfast list --name orders --json"))

  @Flag(help: "Include removed snapshots that can still be undeleted.")
  var deleted = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  /// Sorts sources by their newest snapshot, so that the latest one is last, where a terminal shows it. The order
  /// within a source is kept.
  private static func newestLast(_ snapshots: [Snapshot]) -> [Snapshot] {
    Dictionary(grouping: snapshots, by: \.sourceName).map { name, its in
      (name: name, newest: its.map(\.envelope.started).max() ?? Timestamp(seconds: 0, nanoseconds: 0), its: its)
    }.sorted { ($0.newest, $0.name) < ($1.newest, $1.name) }.flatMap(\.its)
  }

  func run() throws {
    let repository = try location.context(location.machine(output), of: source.name).open(
      copy, looksAround: source.name == nil)
    var damage: [DamageError] = []
    let snapshots = Self.newestLast(
      try repository.catalog.allSnapshots(of: source.name, includingRemoved: deleted) { damage.append($0) })
    let told = try source.name.map { try [repository.catalog.newerThanPresent(of: $0)].compactMap { $0 } }
    for newer in try told ?? repository.catalog.newerThanPresent()
    where !damage.contains(where: { $0.object == newer.object }) {
      damage.append(newer)
    }
    let notes = try Dictionary(
      uniqueKeysWithValues: Set(snapshots.map(\.sourceName)).map { ($0, try repository.notes.read($0).notes) })
    let noted = { (snapshot: Snapshot) in
      notes[snapshot.sourceName]?[snapshot] ?? SourceNotes.Note(snapshot: snapshot.id, sequence: snapshot.sequence)
    }
    if output.json {
      try Console.json(snapshots.map { SnapshotJSON($0.envelope, noted($0)) })
    } else if snapshots.isEmpty, damage.isEmpty {
      Console.output("no snapshots in \(repository.location)")
    } else {
      SnapshotTree(snapshots, noted).lines.forEach(Console.output)
    }
    try Outcome.end(damage, hint: "Run `holdfast verify --data` to see what can still be restored.")
  }
}
