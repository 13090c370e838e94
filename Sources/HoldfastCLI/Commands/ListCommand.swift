internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Show the snapshots, each below the one it builds on.",
    discussion: ExitStatusTable.text)

  @OptionGroup var place: RepositoryOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let repository = try place.open(Environment.makeHost())
    var damage: [DamageError] = []
    let snapshots = try repository.allSnapshots(of: source.name) { damage.append($0) }
    if output.json {
      try Console.json(snapshots.map { SnapshotJSON($0.envelope) })
    } else if snapshots.isEmpty, damage.isEmpty {
      Console.output("no snapshots in \(repository.location)")
    } else {
      SnapshotTree(snapshots).lines.forEach(Console.output)
    }
    for finding in damage { Console.error("holdfast: \(finding.message)") }
    if !damage.isEmpty {
      Console.error("HINT: Run `holdfast verify --data` to see what can still be restored.")
      throw Outcome(status: .dataLoss)
    }
  }
}

/// Chains drawn as trees: a full at the margin, a differential below its full, an incremental below what it builds on. A run of
/// incrementals stays at one depth, so a long chain does not wander off to the right.
struct SnapshotTree {
  let lines: [String]

  init(_ snapshots: [Snapshot]) {
    var table = Table(rightAligned: [4, 5])
    table.add(["SNAPSHOT", "", "TAKEN", "", "STORED", "STANDS FOR", ""])
    var depths: [Identifier: Int] = [:]
    var lastSource: SourceName?
    for snapshot in snapshots {
      let envelope = snapshot.envelope
      if envelope.source.name != lastSource {
        lastSource = envelope.source.name
        table.add(["\(envelope.source.name)  (\(envelope.source.path))"])
      }
      let parentDepth = envelope.parent.flatMap { depths[$0.snapshot] } ?? 0
      let depth =
        switch envelope.kind {
        case .full: 0
        case .differential: 1
        case .incremental: max(parentDepth, 1) + (Self.isDifferential(envelope.parent, in: snapshots) ? 1 : 0)
        }
      depths[envelope.snapshot] = depth
      let branch = depth == 0 ? "" : String(repeating: "   ", count: depth - 1) + "└─ "
      let remark =
        envelope.incomplete > 0
        ? "INCOMPLETE: \(Amount.count(envelope.incomplete, "file")) \(envelope.consistency)" : ""
      table.add([
        branch + envelope.snapshot.short, envelope.kind.rawValue, TimeText.local(envelope.started),
        "#\(envelope.sequence)", Amount.bytes(envelope.storedBytes), Amount.bytes(envelope.state.bytes), remark,
      ])
    }
    lines = table.lines.map { $0.trimmingTrailingBlanks() }
  }

  private static func isDifferential(_ parent: Envelope.Parent?, in snapshots: [Snapshot]) -> Bool {
    guard let parent else { return false }
    return snapshots.first { $0.id == parent.snapshot }?.envelope.kind == .differential
  }
}

extension String {
  func trimmingTrailingBlanks() -> String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}
