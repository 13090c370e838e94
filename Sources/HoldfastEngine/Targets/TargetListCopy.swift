internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore

/// Copies the revisions of home's list of targets to another target. As with the keyring, a target has the first of
/// home's revisions, and may lack the last ones.
struct TargetListCopy {
  private let home: Repository
  private let store: any Store

  init(from home: Repository, to store: any Store) { (self.home, self.store) = (home, store) }

  /// - Returns: the revisions that the target does not have, in ascending order.
  /// - Throws: `TargetError` when the target has another revision under a number, or one that home does not have;
  ///   `DamageError` when a revision there is damaged.
  func missing() throws -> [UInt64] {
    let here = try numbers(in: store)
    var revisions = try home.targets.revisions()
    var there = Set(revisions.map(\.list.revision))
    if !here.isSubset(of: there) {
      // The list may have changed since home was read.
      _ = try home.targets.newestAnew()
      revisions = try home.targets.revisions()
      there = Set(revisions.map(\.list.revision))
    }
    if let newer = here.subtracting(there).min() {
      throw TargetError.newerTargets(revision: newer, target: store.location, home: home.location)
    }
    for (index, revision) in revisions.map(\.list.revision).enumerated() where here.contains(revision) {
      let bytes = try bytes(revision, in: store)
      guard try bytes != self.bytes(revision, in: home.store) else { continue }
      // Only a sound one is a fork.
      _ = try home.targets.revision(bytes, after: index > 0 ? revisions[index - 1] : nil)
      throw forked(revision)
    }
    return there.subtracting(here).sorted()
  }

  func bring(_ revisions: [UInt64]) throws {
    for revision in revisions {
      let own = try bytes(revision, in: home.store)
      do {
        try store.put(own, at: Keys.targetList(revision))
      } catch StoreError.alreadyExists {
        // Another run has copied the same revision.
        guard try bytes(revision, in: store) == own else { throw forked(revision) }
      }
    }
  }

  private func numbers(in store: any Store) throws -> Set<UInt64> {
    let names = Set(try store.children(of: Keys.targets))
    return Set(
      (1..<UInt64(names.count) + 1).filter {
        names.contains(String(Keys.targetList($0).dropFirst(Keys.targets.count)))
      })
  }

  private func bytes(_ revision: UInt64, in store: any Store) throws -> [UInt8] {
    try store.object(Keys.targetList(revision)).contents(max: Limits.envelopeBytesMax)
  }

  private func forked(_ revision: UInt64) -> TargetError {
    .forkedTargets(revision: revision, target: store.location, home: home.location)
  }
}
