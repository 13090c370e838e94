package import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// Draws chains as trees: a full at the margin, a differential below its full, an incremental below its parent.
/// Consecutive incrementals have the same depth, so that a long chain does not move off to the right.
package struct SnapshotTree {
  package let lines: [String]

  package init(_ snapshots: [Snapshot], _ noted: (Snapshot) -> SourceNotes.Note) {
    var table = Table(rightAligned: [4, 5])
    table.add(["SNAPSHOT", "", "TAKEN", "", "STORED", "STANDS FOR", "CONSISTENCY"])
    let depths = Self.depths(of: snapshots)
    var lastSource: SourceName?
    let isOutOfOrder = Self.contradictions(snapshots)
    for (index, snapshot) in snapshots.enumerated() {
      let envelope = snapshot.envelope
      if envelope.source.name != lastSource {
        lastSource = envelope.source.name
        table.add(["\(envelope.source.name)  (\(envelope.isSealed ? "sealed" : envelope.source.path))"])
      }
      var details = Self.details(envelope, noted(snapshot))
      if isOutOfOrder.contains(snapshot.id) { details.append("TIME OUT OF ORDER") }
      table.add([
        Self.branch(at: index, depths) + envelope.snapshot.short, envelope.kind.rawValue,
        TimeText.local(envelope.started), "#\(envelope.sequence)", Amount.bytes(envelope.storedBytes),
        Amount.bytes(envelope.state.bytes), details.joined(separator: "; "),
      ])
    }
    lines = table.lines.map { $0.trimmingTrailingBlanks() }
  }

  private static func details(_ envelope: Envelope, _ note: SourceNotes.Note) -> [String] {
    var details: [String] = []
    if let removed = note.removed { details.append(removed.isCollected ? "COLLECTED" : "REMOVED") }
    details.append(
      envelope.incomplete > 0
        ? "INCOMPLETE: \(Amount.count(envelope.incomplete, "path")), \(envelope.consistency.name)"
        : envelope.consistency.name)
    if let merged = envelope.merged { details.append("merged from \(merged.snapshot.short)") }
    if let anomalies = envelope.comparison?.anomalies, !anomalies.isEmpty {
      let kinds = anomalies.map(\.kind.rawValue).joined(separator: ", ")
      details.append(note.accepted == nil ? "ANOMALY: \(kinds)" : "accepted: \(kinds)")
    }
    if let pin = note.pinned { details.append(RetentionReason.pinned(pin.reason).description) }
    if !note.tags.isEmpty { details.append("tagged " + note.tags.map(\.text).joined(separator: ", ")) }
    return details
  }

  /// Returns the snapshots whose times contradict their numbers.
  private static func contradictions(_ snapshots: [Snapshot]) -> Set<Identifier> {
    var found: Set<Identifier> = []
    for (_, ofOne) in Dictionary(grouping: snapshots, by: \.sourceName) {
      let ordered = ofOne.sorted { ($0.standsFor, $0.sequence) < ($1.standsFor, $1.sequence) }
      let flags = TimeOrder.contradictions(in: ordered.map(\.envelope.started))
      found.formUnion(zip(ordered, flags).filter(\.1).map(\.0.id))
    }
    return found
  }

  private static func depths(of snapshots: [Snapshot]) -> [Int] {
    var known: [Identifier: (depth: Int, kind: SnapshotKind)] = [:]
    return snapshots.map { snapshot in
      let envelope = snapshot.envelope
      let parent = envelope.parent.flatMap { known[$0.snapshot] }
      let depth =
        switch envelope.kind {
        case .full: 0
        case .differential: 1
        case .incremental: max(parent?.depth ?? 0, 1) + (parent?.kind == .differential ? 1 : 0)
        }
      known[envelope.snapshot] = (depth, envelope.kind)
      return depth
    }
  }

  /// Returns `├─` when more follows at the same depth, `└─` for the last.
  private static func branch(at index: Int, _ depths: [Int]) -> String {
    let depth = depths[index]
    guard depth > 0 else { return "" }
    let next = depths[(index + 1)...].first { $0 <= depth }
    return String(repeating: "   ", count: depth - 1) + (next == depth ? "├─ " : "└─ ")
  }
}

extension String {
  func trimmingTrailingBlanks() -> String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}
