internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// A snapshot that a source has or had: the manifests show those that are there, and the journal those that were
/// removed since, as far as it goes back.
struct StoredSnapshot {
  let id: Identifier
  let kind: SnapshotKind
  let started: Timestamp
  let finished: Timestamp
  let bytes: UInt64
  let isComplete: Bool
  /// False for one that was removed.
  let isThere: Bool

  /// Returns the snapshots of a source in the order of their starts.
  static func all(of source: ReportFacts.Source) -> [StoredSnapshot] {
    let there = source.snapshots.map { snapshot in
      let envelope = snapshot.envelope
      return StoredSnapshot(
        id: snapshot.id, kind: envelope.kind, started: envelope.started, finished: envelope.time.finished.moment,
        bytes: envelope.storedBytes, isComplete: envelope.incomplete == 0, isThere: true)
    }
    let known = Set(there.map(\.id))
    let removed = source.runs.compactMap { run -> StoredSnapshot? in
      guard run.command == .backup, let id = run.snapshot, let kind = run.kind, !known.contains(id) else { return nil }
      return StoredSnapshot(
        id: id, kind: kind, started: run.began, finished: run.ended, bytes: run.storedBytes ?? 0,
        isComplete: run.incomplete == 0, isThere: false)
    }
    return (there + removed).sorted { $0.started < $1.started }
  }
}
