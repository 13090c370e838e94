internal import HoldfastArchive
internal import HoldfastModel

/// A full and all snapshots that build on it. A change in one of them holds for all that build on that one, up to their
/// next change of the same path.
struct ChainTree: Sendable {
  /// The full first, then every snapshot before those that build on it, so that these follow it without a gap.
  let members: [SnapshotOutline]
  /// For each member the position behind the last one that builds on it.
  let ends: [Int]

  /// Sorts snapshots into trees. What does not build on a full, because a snapshot is missing or was exchanged, is in
  /// no tree.
  /// - Parameter snapshots: snapshots of one source, in ascending order of their sequence numbers.
  static func trees(of snapshots: [SnapshotOutline], onDamage: (DamageError) -> Void) -> [ChainTree] {
    var parents: [Int?] = []
    var roots: [Int?] = []
    var indexes: [UInt64: Int] = [:]
    for (index, snapshot) in snapshots.enumerated() {
      indexes[snapshot.sequence] = index
      let parent = snapshot.parent.flatMap { indexes[$0.sequence] }
      parents.append(parent)
      guard let wanted = snapshot.parent else {
        roots.append(index)
        continue
      }
      let isSound = parent.map { snapshots[$0].digest == wanted.digest && snapshots[$0].id == wanted.snapshot }
      if isSound != true { onDamage(Self.damage(of: wanted, isMissing: isSound == nil, under: snapshot)) }
      roots.append(isSound == true ? parent.flatMap { roots[$0] } : nil)
    }
    return arrange(snapshots, parents, roots)
  }

  private static func damage(
    of parent: Envelope.Parent, isMissing: Bool, under child: SnapshotOutline
  ) -> DamageError {
    DamageError(
      Keys.manifest(child.source, parent.sequence),
      isMissing
        ? "it is missing, and snapshot \(child.id.short) builds on it"
        : "it is not the manifest that snapshot \(child.id.short) builds on")
  }

  /// - Parameters:
  ///   - parents: for each snapshot the index of the one it builds on, which comes before it.
  ///   - roots: for each snapshot the index of its full; `nil` for those that are in no tree.
  private static func arrange(_ snapshots: [SnapshotOutline], _ parents: [Int?], _ roots: [Int?]) -> [ChainTree] {
    var sizes = [Int](repeating: 1, count: snapshots.count)
    for (index, parent) in parents.enumerated().reversed() where roots[index] != nil {
      if let parent { sizes[parent] += sizes[index] }
    }
    // The position that the next snapshot that builds on this one gets in its tree.
    var next = [Int](repeating: 0, count: snapshots.count)
    var positions = next
    for (index, parent) in parents.enumerated() where roots[index] != nil {
      if let parent {
        positions[index] = next[parent]
        next[parent] += sizes[index]
      }
      next[index] = positions[index] + 1
    }
    let grouped = Dictionary(grouping: snapshots.indices.filter { roots[$0] != nil }) { roots[$0] ?? $0 }
    return grouped.keys.sorted().map { root in
      let sorted = (grouped[root] ?? []).sorted { positions[$0] < positions[$1] }
      return ChainTree(
        members: sorted.map { snapshots[$0] }, ends: sorted.map { positions[$0] + sizes[$0] })
    }
  }
}
