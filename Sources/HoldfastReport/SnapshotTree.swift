package import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// Draws chains as trees: a full at the margin, a differential below its full, an incremental below its parent.
/// Consecutive incrementals have the same depth, so that a long chain does not move off to the right.
package struct SnapshotTree {
  package let lines: [String]

  /// The width of a terminal, into which every line fits that can be divided.
  private static let columns = 80

  package init(_ snapshots: [Snapshot], _ noted: (Snapshot) -> SourceNotes.Note) {
    var table = Table(rightAligned: [4, 5])
    table.add(["SNAPSHOT", "", "TAKEN", "", "STORED", "STANDS FOR"])
    let depths = Self.depths(of: snapshots)
    let isOutOfOrder = Self.contradictions(snapshots)
    for (index, snapshot) in snapshots.enumerated() {
      let envelope = snapshot.envelope
      table.add([
        Self.branch(at: index, depths) + envelope.snapshot.short, Self.kind(envelope.kind),
        TimeText.local(envelope.started), "#\(envelope.sequence)", Amount.bytes(envelope.storedBytes),
        Amount.bytes(envelope.state.bytes),
      ])
    }
    let rows = table.lines
    var lines = rows.prefix(1).map { $0.trimmingTrailingBlanks() }
    var lastSource: SourceName?
    for (snapshot, row) in zip(snapshots, rows.dropFirst()) {
      if snapshot.sourceName != lastSource { lines += Self.heading(snapshot.envelope) }
      lastSource = snapshot.sourceName
      let details = Self.details(
        snapshot, noted(snapshot), isOutOfOrder: isOutOfOrder.contains(snapshot.id))
      lines += Self.lines(row, details: details.joined(separator: "; "))
    }
    self.lines = lines
  }

  /// Returns the name of a kind in four letters.
  private static func kind(_ kind: SnapshotKind) -> String {
    switch kind {
    case .full: "full"
    case .differential: "diff"
    case .incremental: "incr"
    }
  }

  /// Returns the line above the snapshots of a source: its name, and where it lies, below the name if that is long.
  private static func heading(_ envelope: Envelope) -> [String] {
    let (name, path) = (envelope.source.name.text, "(\(envelope.isSealed ? "sealed" : envelope.source.path))")
    let line = "\(name)  \(path)"
    return line.count <= columns ? [line] : [name, "  " + path]
  }

  /// Returns the line of a snapshot with its details, on lines of their own if there is no room beside it.
  private static func lines(_ row: String, details: String) -> [String] {
    let line = details.isEmpty ? row : "\(row)  \(details)"
    guard line.count > columns, !details.isEmpty else { return [line.trimmingTrailingBlanks()] }
    var lines = [row.trimmingTrailingBlanks()]
    var current = ""
    for word in details.split(separator: " ") {
      if !current.isEmpty, indent.count + current.count + 1 + word.count > columns {
        lines.append(indent + current)
        current = ""
      }
      current += current.isEmpty ? word : " " + word
    }
    return lines + [indent + current]
  }

  private static let indent = String(repeating: " ", count: 6)

  /// Returns what is unusual about a snapshot.
  private static func details(_ snapshot: Snapshot, _ note: SourceNotes.Note, isOutOfOrder: Bool) -> [String] {
    var details: [String] = []
    let envelope = snapshot.envelope
    if snapshot.isDiverged { details.append("DIVERGED: another host had taken over") }
    if let removed = note.removed { details.append(removed.isCollected ? "COLLECTED" : "REMOVED") }
    if envelope.incomplete > 0 {
      details.append("INCOMPLETE: \(Amount.count(envelope.incomplete, "path")), \(envelope.consistency.name)")
    }
    if let merged = envelope.merged { details.append("merged from \(merged.snapshot.short)") }
    if let anomalies = envelope.comparison?.anomalies, !anomalies.isEmpty {
      let kinds = anomalies.map(\.kind.rawValue).joined(separator: ", ")
      details.append(note.accepted == nil ? "ANOMALY: \(kinds)" : "accepted: \(kinds)")
    }
    if let pin = note.pinned { details.append(RetentionReason.pinned(pin.reason).description) }
    if !note.tags.isEmpty { details.append("tagged " + note.tags.map(\.text).joined(separator: ", ")) }
    if isOutOfOrder { details.append("TIME OUT OF ORDER") }
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
