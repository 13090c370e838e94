internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Show the differences between two snapshots.",
    discussion: """
      + added   - removed   M contents changed   U mode, owner, times or attributes changed   T type changed

      \(HelpEnd.text("holdfast diff 3f9c0a12 latest", "holdfast diff 3f9c0a12 7be1d0c4 --json"))
      """)

  @Argument(help: "The older snapshot: latest, an ID, or the beginning of an ID.", completion: Candidates.snapshots)
  var older: SnapshotSelector.Name

  @Argument(help: "The newer snapshot.", completion: Candidates.snapshots)
  var newer: SnapshotSelector.Name

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let repository = try location.context(machine, identity: identity, asks: true, of: source.name).open(
      copy, looksAround: source.name == nil)
    let warn: (any OperatorError) -> Void = { Console.warn($0.message) }
    let before = try SnapshotSelector(older, source: source.name).choose(in: repository.catalog, onDamage: warn)
    let after = try SnapshotSelector(newer, source: source.name).choose(in: repository.catalog, onDamage: warn)
    if output.json {
      try JSONStream.write(DifferencesHeadJSON(from: before, to: after), array: "differences") { stream in
        try Difference.forEach(from: before, to: after, in: repository) { try stream.add(DifferenceJSON($0)) }
      }
      return repository.warnOfParityUses()
    }
    var counts: [Difference.Kind: UInt64] = [:]
    try Difference.forEach(from: before, to: after, in: repository) { difference in
      counts[difference.kind, default: 0] += 1
      Console.output(DifferenceLine.text(difference))
    }
    repository.warnOfParityUses()
    guard !output.quiet else { return }
    Console.error(
      "holdfast: from \(before.id.short) to \(after.id.short): \(counts[.added] ?? 0) added, \(counts[.removed] ?? 0) removed, "
        + "\((counts[.changed] ?? 0) + (counts[.type] ?? 0)) changed, \(counts[.attributes] ?? 0) with other attributes"
    )
  }
}
