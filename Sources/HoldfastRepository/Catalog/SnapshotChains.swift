package import HoldfastArchive
internal import HoldfastModel

extension Catalog {
  /// A snapshot with everything that it builds on.
  /// - Parameter known: snapshots of any source that were read already.
  /// - Throws: `DamageError` when one is missing, or is not what its child recorded.
  package func chain(to snapshot: Snapshot, known: [Snapshot] = []) throws -> Chain {
    let source = snapshot.sourceName
    let known = Dictionary(
      known.filter { $0.sourceName == source && $0.envelope.archives.isHeld }.map { ($0.sequence, $0) },
      uniquingKeysWith: { $1 })
    return try Chain(to: whole(snapshot)) { try known[$0] ?? snapshotIfCommitted(source, $0) }
  }

  /// The snapshot with its archives, which are read again if they were dropped.
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
