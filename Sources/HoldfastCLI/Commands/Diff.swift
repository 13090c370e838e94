internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what differs between two snapshots.",
    discussion: """
      + added   - removed   M contents changed   U mode, owner, times or attributes changed   T another type

      \(ExitStatusTable.text)
      """)

  @Argument(help: "The older snapshot: latest, an ID, or the beginning of one.", completion: Candidates.snapshots)
  var older: String

  @Argument(help: "The newer snapshot.", completion: Candidates.snapshots)
  var newer: String

  @OptionGroup var place: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  private struct JSON: Encodable {
    let change: String
    let path: String
    let sizeBefore: UInt64?
    let sizeAfter: UInt64?
  }

  func run() throws {
    let host = Environment.makeHost()
    let repository = try place.open(
      host, credentials: identity.credentials(host, asks: true), of: source.name, olderCopy: copy.olderCopy)
    let warn: (any OperatorError) -> Void = { Console.error("holdfast: WARNING: \($0.message)") }
    let before = try SnapshotSelector(older, source: source.name).choose(in: repository, onDamage: warn)
    let after = try SnapshotSelector(newer, source: source.name).choose(in: repository, onDamage: warn)
    var counts: [Difference.Kind: UInt64] = [:]
    try Difference.forEach(from: before, to: after, in: repository) { difference in
      counts[difference.kind, default: 0] += 1
      if output.json {
        try Console.jsonLine(
          JSON(
            change: difference.kind.rawValue, path: difference.path.description, sizeBefore: difference.sizeBefore,
            sizeAfter: difference.sizeAfter))
      } else {
        Console.output("\(mark(difference.kind)) \(difference.path)\(sizes(difference))")
      }
    }
    guard !output.json, !output.quiet else { return }
    Console.error(
      "holdfast: from \(before.id.short) to \(after.id.short): \(counts[.added] ?? 0) added, \(counts[.removed] ?? 0) removed, "
        + "\((counts[.changed] ?? 0) + (counts[.type] ?? 0)) changed, \(counts[.attributes] ?? 0) with other attributes"
    )
  }

  private func mark(_ kind: Difference.Kind) -> String {
    switch kind {
    case .added: "+"
    case .removed: "-"
    case .changed: "M"
    case .attributes: "U"
    case .type: "T"
    }
  }

  private func sizes(_ difference: Difference) -> String {
    switch (difference.sizeBefore, difference.sizeAfter) {
    case (let before?, let after?) where before != after: "  \(Amount.bytes(before)) → \(Amount.bytes(after))"
    case (nil, let size?), (let size?, nil): "  \(Amount.bytes(size))"
    default: ""
    }
  }
}
