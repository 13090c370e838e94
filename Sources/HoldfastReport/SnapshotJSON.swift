package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// A snapshot as `--json` shows it.
package struct SnapshotJSON: Encodable {
  let id: String
  let sequence: UInt64
  let kind: String
  let parent: String?
  let source: String
  let sourcePath: String
  /// The time at which it was begun.
  let time: String
  let finished: String
  let consistency: String
  let incompleteFiles: UInt64
  /// Bytes that it added to the repository.
  let storedBytes: UInt64
  /// The parity among them; `null` if there is none.
  let parity: Envelope.Parity?
  /// Bytes of all files in its state.
  let stateBytes: UInt64
  let stateFiles: UInt64
  let stateEntries: UInt64
  let stateRoot: String
  let changes: ChangesJSON
  /// Set for a PostgreSQL cluster that was captured while its server ran.
  let postgres: Envelope.Postgres?
  /// Set for a merged snapshot: the snapshot that it stands for.
  let merged: MergedJSON?
  /// The changes that the history of its source does not explain; `accepted` is true if an operator has accepted them.
  let anomalies: [AnomalyJSON]
  let accepted: Bool
  let tags: [String]
  let pinned: Bool
  /// The time at which it was removed. The removal can be undone.
  let removedTime: String?
  /// True if it was under way when another host took over the source; absent if not.
  let isDiverged: Bool?

  /// - Parameters:
  ///   - note: the note on it.
  ///   - isDiverged: true if it was under way when another host took over the source.
  package init(_ envelope: Envelope, _ note: SourceNotes.Note? = nil, isDiverged: Bool = false) {
    self.isDiverged = isDiverged ? true : nil
    anomalies = (envelope.comparison?.anomalies ?? []).map { AnomalyJSON($0) }
    accepted = note?.accepted != nil
    tags = note?.tags.map(\.text) ?? []
    pinned = note?.pinned != nil
    removedTime = note?.removed?.time.description
    id = envelope.snapshot.description
    sequence = envelope.sequence
    kind = envelope.kind.rawValue
    parent = envelope.parent?.snapshot.description
    source = envelope.source.name.text
    sourcePath = envelope.source.path
    time = envelope.time.started.description
    finished = envelope.time.finished.description
    consistency = envelope.consistency.name
    incompleteFiles = envelope.incomplete
    (storedBytes, parity) = (envelope.storedBytes, envelope.parity)
    stateBytes = envelope.state.bytes
    stateFiles = envelope.state.files
    stateEntries = envelope.state.entries
    stateRoot = envelope.state.root.description
    changes = ChangesJSON(envelope.changes)
    postgres = envelope.postgres
    merged = envelope.merged.map {
      MergedJSON(id: $0.snapshot.description, sequence: $0.sequence, mergedTime: $0.time.description)
    }
  }

  private enum CodingKeys: String, CodingKey {
    case id, sequence, kind, parent, source, sourcePath, time, finished, consistency, incompleteFiles, storedBytes
    case parity, stateBytes, stateFiles, stateEntries, stateRoot, changes, postgres, merged, anomalies, accepted, tags
    case pinned, removedTime, isDiverged
  }

  /// Written by hand because every field but `isDiverged` is always there: the parent of a full is `null`, not absent.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(id, forKey: .id)
    try container.encode(sequence, forKey: .sequence)
    try container.encode(kind, forKey: .kind)
    try container.encode(parent, forKey: .parent)
    try container.encode(source, forKey: .source)
    try container.encode(sourcePath, forKey: .sourcePath)
    try container.encode(time, forKey: .time)
    try container.encode(finished, forKey: .finished)
    try container.encode(consistency, forKey: .consistency)
    try container.encode(incompleteFiles, forKey: .incompleteFiles)
    try container.encode(storedBytes, forKey: .storedBytes)
    try container.encode(parity, forKey: .parity)
    try container.encode(stateBytes, forKey: .stateBytes)
    try container.encode(stateFiles, forKey: .stateFiles)
    try container.encode(stateEntries, forKey: .stateEntries)
    try container.encode(stateRoot, forKey: .stateRoot)
    try container.encode(changes, forKey: .changes)
    try container.encode(postgres, forKey: .postgres)
    try container.encode(merged, forKey: .merged)
    try container.encode(anomalies, forKey: .anomalies)
    try container.encode(accepted, forKey: .accepted)
    try container.encode(tags, forKey: .tags)
    try container.encode(pinned, forKey: .pinned)
    try container.encode(removedTime, forKey: .removedTime)
    try container.encodeIfPresent(isDiverged, forKey: .isDiverged)
  }
}

/// The changes of a source since the parent of a snapshot.
package struct ChangesJSON: Encodable {
  let addedEntries: UInt64
  let changedEntries: UInt64
  let removedEntries: UInt64
  let storedPages: UInt64
  /// Their size before compression.
  let storedPageBytes: UInt64
  let readBytes: UInt64

  init(_ changes: Envelope.Changes) {
    (addedEntries, changedEntries, removedEntries) = (changes.added, changes.changed, changes.removed)
    (storedPages, storedPageBytes, readBytes) = (changes.pages, changes.pageBytes, changes.readBytes)
  }
}

/// A change that the history of a source does not explain. Shares are 0 to 1.
package struct AnomalyJSON: Encodable {
  let kind: String
  let share: Double
  /// The largest share before; `null` when the history is too short to tell.
  let usualShare: Known<Double>

  init(_ anomaly: Anomaly) {
    (kind, share) = (anomaly.kind.rawValue, Double(anomaly.share) / 1000)
    usualShare = Known(anomaly.usual.map { Double($0) / 1000 })
  }
}

/// The snapshot that a merged one stands for, and the time of the merge.
package struct MergedJSON: Encodable {
  let id: String
  let sequence: UInt64
  let mergedTime: String
}

/// A problem of a capture or a restore, as `--json` shows it.
package struct ProblemJSON: Encodable {
  let path: String
  let reason: String

  package init(path: String, reason: String) { (self.path, self.reason) = (path, reason) }
}
