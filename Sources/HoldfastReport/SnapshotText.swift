package import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// One snapshot for people: its parent, what it stored, and its contents.
package enum SnapshotText {
  /// - Parameters:
  ///   - noted: the note on it.
  ///   - chain: the chain that it builds on, itself the last.
  ///   - path: the path of its source; `nil` when that is sealed.
  package static func lines(
    _ snapshot: Snapshot, _ noted: SourceNotes.Note, chain: Chain, path: String?
  ) -> [String] {
    let envelope = snapshot.envelope
    var table = Table()
    table.add(["snapshot", envelope.snapshot.description])
    table.add(["source", "\(envelope.source.name)  (\(path ?? "sealed"))"])
    table.add(["kind", "\(envelope.kind.rawValue), number \(envelope.sequence)"])
    table.add(["taken", TimeText.local(envelope.started)])
    if let merged = envelope.merged {
      table.add([
        "merged", "from \(merged.snapshot.short), number \(merged.sequence), \(TimeText.local(merged.time.moment))",
      ])
    }
    table.add(["parent", envelope.parent.map { "\($0.snapshot.short), number \($0.sequence)" } ?? "none"])
    table.add(["chain", chain.snapshots.map(\.id.short).joined(separator: " → ")])
    table.add([
      "stands for",
      "\(Amount.bytes(envelope.state.bytes)) in \(Amount.count(envelope.state.files, "file")), \(Amount.count(envelope.state.entries, "entry", "entries"))",
    ])
    table.add([
      "stored",
      "\(Amount.bytes(envelope.storedBytes)) in \(Amount.count(UInt64(envelope.archives.count), "archive")) and a manifest",
    ])
    if let parity = envelope.parity {
      table.add(["parity", "\(Amount.bytes(parity.bytes)) of that, for \(parity.percent)% of its pages"])
    }
    table.add([
      "changes",
      "\(envelope.changes.added) added, \(envelope.changes.changed) changed, \(envelope.changes.removed) removed",
    ])
    table.add([
      "consistency",
      envelope.consistency.name
        + (envelope.incomplete > 0 ? ", \(Amount.count(envelope.incomplete, "path")) incomplete" : ""),
    ])
    if let postgres = envelope.postgres {
      table.add([
        "PostgreSQL \(postgres.version)",
        "system \(postgres.system), timeline \(postgres.timeline), WAL from \(postgres.start) to \(postgres.stop)",
      ])
    }
    if let end = envelope.lockedUntil { table.add(["locked", "until \(TimeText.local(end.moment)) at least"]) }
    table.add(["state root", envelope.state.root.description])
    table.add(["written by", Path(envelope.program).description])
    for anomaly in envelope.comparison?.anomalies ?? [] {
      table.add([noted.accepted == nil ? "ANOMALY" : "accepted", anomaly.description])
    }
    if !noted.tags.isEmpty { table.add(["tagged", noted.tags.map(\.text).joined(separator: ", ")]) }
    if let pin = noted.pinned { table.add(["kept", RetentionReason.pinned(pin.reason).description]) }
    if snapshot.isDiverged { table.add(["DIVERGED", "another host had taken over: it is the newest for nothing"]) }
    if noted.removed != nil { table.add(["removed", "call it back with `holdfast undelete \(snapshot.id.short)`"]) }
    return table.lines
  }
}
