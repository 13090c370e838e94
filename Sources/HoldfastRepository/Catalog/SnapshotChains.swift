package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastStore

extension Catalog {
  /// Returns a snapshot with everything that it builds on.
  /// - Parameter known: snapshots of any source that were read already.
  /// - Throws: `DamageError` when one is missing, or is not what its child recorded.
  package func chain(to snapshot: Snapshot, known: [Snapshot] = []) throws -> Chain {
    let source = snapshot.sourceName
    let known = Dictionary(
      known.filter { $0.sourceName == source && $0.envelope.archives.isHeld }.map { ($0.sequence, $0) },
      uniquingKeysWith: { $1 })
    // The parents of an incremental are mostly the snapshots just before it.
    var announced = snapshot.envelope.kind == .incremental ? snapshot.sequence : 0
    return try Chain(to: whole(snapshot)) { sequence in
      if let there = known[sequence] { return there }
      if sequence < announced {
        announced = sequence - min(sequence, Self.announcedAtOnce - 1)
        announceManifests(of: source, announced...sequence)
      }
      return try snapshotIfCommitted(source, sequence)
    }
  }

  private static let announcedAtOnce: UInt64 = 64

  /// Lets a remote store read the manifests that a listing shows side by side.
  private func announceManifests(of source: SourceName, _ sequences: ClosedRange<UInt64>) {
    store.prefetch(
      sequences.map { (Keys.manifest(source, $0), nil) }.filter { store.listed($0.0) != nil })
  }

  /// Returns the snapshot with its archives, which are read again if they were dropped.
  package func whole(_ snapshot: Snapshot) throws -> Snapshot {
    guard !snapshot.envelope.archives.isHeld else { return snapshot }
    let key = Keys.manifest(snapshot.sourceName, snapshot.sequence)
    guard let again = try snapshotIfCommitted(snapshot.sourceName, snapshot.sequence) else {
      throw DamageError(key, "it is missing, and was there a moment ago")
    }
    guard again.digest == snapshot.digest else {
      throw DamageError(key, "it is another manifest than a moment ago")
    }
    return again
  }
}
