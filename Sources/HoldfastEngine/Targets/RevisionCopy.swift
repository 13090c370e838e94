internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore

/// Copies the revisions of home's list of targets, or of its names of sources, to another target. As with the keyring,
/// a target has the first of home's revisions, and may lack the last ones.
struct RevisionCopy<Contents: RevisedManifest> {
  private let home: Repository
  private let revisions: RevisionStore<Contents>
  private let store: any Store

  init(of revisions: RevisionStore<Contents>, from home: Repository, to store: any Store) {
    (self.revisions, self.home, self.store) = (revisions, home, store)
  }

  /// - Returns: the revisions that the target does not have, in ascending order.
  /// - Throws: `TargetError` when the target has another revision under a number, or one that home does not have;
  ///   `DamageError` when a revision there is damaged.
  func missing() throws -> [UInt64] {
    let here = try numbers(in: store)
    var known = try revisions.revisions()
    var there = Set(known.map(\.contents.revision))
    if !here.isSubset(of: there) {
      // There may be more since home was read.
      revisions.forget()
      known = try revisions.revisions()
      there = Set(known.map(\.contents.revision))
    }
    if let newer = here.subtracting(there).min() {
      throw TargetError.newer(Contents.self, revision: newer, target: store.location, home: home.location)
    }
    for (index, revision) in known.map(\.contents.revision).enumerated() where here.contains(revision) {
      let bytes = try bytes(revision, in: store)
      guard try bytes != self.bytes(revision, in: home.store) else { continue }
      // Only a sound one is a fork.
      _ = try revisions.revision(bytes, after: index > 0 ? known[index - 1] : nil)
      throw forked(revision)
    }
    return there.subtracting(here).sorted()
  }

  func bring(_ revisions: [UInt64]) throws {
    for revision in revisions {
      let own = try bytes(revision, in: home.store)
      do {
        try store.put(own, at: Contents.key(revision))
      } catch StoreError.alreadyExists {
        // Another run has copied the same revision.
        guard try bytes(revision, in: store) == own else { throw forked(revision) }
      }
    }
  }

  private func numbers(in store: any Store) throws -> Set<UInt64> {
    let names = Set(try store.children(of: Contents.folder))
    return Set(
      (1..<UInt64(names.count) + 1).filter {
        names.contains(String(Contents.key($0).dropFirst(Contents.folder.count)))
      })
  }

  private func bytes(_ revision: UInt64, in store: any Store) throws -> [UInt8] {
    try store.object(Contents.key(revision)).contents(max: Limits.envelopeBytesMax)
  }

  private func forked(_ revision: UInt64) -> TargetError {
    .forked(Contents.self, revision: revision, target: store.location, home: home.location)
  }
}
