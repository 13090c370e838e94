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
    discussion: "If several repositories are configured and none is named, all are listed.\n\n"
      + HelpEnd.text("holdfast list", "holdfast list --name orders --json"))

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

  /// The snapshots of one repository.
  private struct Listing {
    let location: String
    let snapshots: [Snapshot]
    let damage: [DamageError]
    let notes: [SourceName: SourceNotes]

    func noted(_ snapshot: Snapshot) -> SourceNotes.Note {
      notes[snapshot.sourceName]?[snapshot] ?? SourceNotes.Note(snapshot: snapshot.id, sequence: snapshot.sequence)
    }

    var json: ListJSON {
      ListJSON(
        snapshots.map { SnapshotJSON($0.envelope, noted($0), isDiverged: $0.isDiverged) }, damage: damage,
        location: location)
    }

    var lines: [String] {
      snapshots.isEmpty && damage.isEmpty
        ? ["no snapshots in \(location)"] : SnapshotTree(snapshots, noted).lines
    }
  }

  private static let hint = "Run `holdfast verify --data` to see what can still be restored."

  func run() throws {
    let machine = location.machine(output)
    let contexts = try location.contexts(machine, of: source.name, isForOne: copy.from != nil)
    guard contexts.count > 1 else {
      let listing = try read(contexts[0])
      if output.json { try Console.json(listing.json) } else { listing.lines.forEach(Console.output) }
      return try Outcome.end(listing.damage, hint: Self.hint)
    }
    let limit = SeveralRepositories<Listing>.limit
    let all = try SeveralRepositories(sideBySide: contexts, within: limit, unless: machine.host.cancellation) {
      context in
      let listing = try read(context)
      return (listing, listing.damage.isEmpty ? .done : .dataLoss)
    }
    if output.json { try Console.json(all.json(\.json)) } else { all.show(\.lines) }
    all.tellFailures()
    for part in all.parts {
      for finding in (try? part.result.get())?.damage ?? [] {
        Console.error("holdfast: \(part.name): \(finding.message)")
      }
    }
    if all.status == .dataLoss { Console.hint(Self.hint) }
    try Outcome.end(all.status)
  }

  private func read(_ context: RepositoryContext) throws -> Listing {
    let repository = try context.open(copy, looksAround: source.name == nil)
    var damage: [DamageError] = []
    let snapshots = Self.newestLast(
      try repository.catalog.allSnapshots(
        of: source.name, includingRemoved: deleted, includingDiverged: true
      ) { damage.append($0) })
    let name = try source.name.map { try repository.names.source($0) }
    let told = try name.map { try [repository.catalog.newerThanPresent(of: $0)].compactMap { $0 } }
    for newer in try told ?? repository.catalog.newerThanPresent()
    where !damage.contains(where: { $0.object == newer.object }) {
      damage.append(newer)
    }
    let notes = try Dictionary(
      uniqueKeysWithValues: Set(snapshots.map(\.sourceName)).map { ($0, try repository.notes.read($0).notes) })
    return Listing(location: repository.location, snapshots: snapshots, damage: damage, notes: notes)
  }
}
