package import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The snapshots that a question is about: all that are there, unless something narrows them down. A removed snapshot
/// is among them only if it is named.
package struct SnapshotChoice: Sendable {
  /// Only snapshots of this source.
  package var source: SourceName?
  /// Only this snapshot, which may be removed.
  package var snapshot: Snapshot?
  /// Only snapshots that were begun at or after this time.
  package var since: Timestamp?
  /// Only the newest snapshot of each source.
  package var isNewestOnly = false

  package init() {}

  /// Returns the indexes of the chosen snapshots.
  /// - Parameter present: those of one source that can be chosen, the oldest first.
  func indexes(in present: [SnapshotOutline]) -> [Int] {
    if let snapshot { return present.indices.filter { present[$0].id == snapshot.id } }
    let recent = present.indices.filter { index in since.map { present[index].started >= $0 } ?? true }
    return isNewestOnly ? Array(recent.suffix(1)) : recent
  }
}
