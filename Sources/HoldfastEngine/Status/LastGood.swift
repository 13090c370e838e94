package import HoldfastArchive
internal import HoldfastModel

extension Snapshot {
  /// Returns the newest snapshot that can be relied on: it is complete, it and all that it builds on are there and not
  /// noted as damaged, and neither it nor an older snapshot has an anomaly that nobody has accepted, because what
  /// follows such a snapshot contains the same change.
  /// - Parameter snapshots: all of one source, by ascending sequence.
  /// - Returns: `nil` if there is none.
  package static func lastGood(of snapshots: [Snapshot], _ notes: SourceNotes) -> Snapshot? {
    lastGood(
      of: snapshots, StatusHistory(snapshots),
      suspicious: Set(snapshots.filter { $0.isSuspicious(notes) }.map(\.id)),
      damaged: Set(snapshots.filter { notes[$0].damaged != nil }.map(\.id)))
  }

  /// The same of facts that are known.
  /// - Parameter isPossible: false for a snapshot that is not to be returned.
  static func lastGood(
    of snapshots: [Snapshot], _ history: StatusHistory, suspicious: Set<Identifier>, damaged: Set<Identifier>,
    where isPossible: (Snapshot) -> Bool = { _ in true }
  ) -> Snapshot? {
    let firstSuspicious = snapshots.filter { suspicious.contains($0.id) }.min(by: Snapshot.isOlder)
    return snapshots.sorted { Snapshot.isOlder($1, $0) }.first { snapshot in
      guard snapshot.isComplete, isPossible(snapshot), firstSuspicious.map({ Snapshot.isOlder(snapshot, $0) }) ?? true
      else { return false }
      return history.chain(to: snapshot)?.allSatisfy { !damaged.contains($0.id) } ?? false
    }
  }
}
