package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
package import HoldfastSystem

/// The snapshots of one source that a target has and lacks, as a listing shows them.
package struct TargetStanding: Sendable {
  package let source: SourceName
  /// The newest snapshot that the target has; `nil` if it has none, or its manifest cannot be read.
  package let newest: Snapshot?
  /// Number of snapshots of home that the target does not have whole; `nil` when home did not answer.
  package let behind: Int?
  /// True if the target has the newest snapshot of home and all that it builds on; `nil` if home did not answer.
  package let hasNewest: Bool?
  /// The proofs of this machine there; `nil` for home, and when home did not answer.
  package var proofs: TargetProofs?
  /// The mark of the place; `nil` if it has none.
  package var mark: Identifier?

  /// - Parameters:
  ///   - name: the name of the target; `nil` when its location must tell it.
  ///   - home: the repository at home; `nil` if it did not answer.
  ///   - source: the only source to read; `nil` for all.
  /// - Throws: an error if the store does not answer, or is no target of the repository.
  package static func read(
    _ store: any Store, as name: String? = nil, home: Repository?, host: Host, of source: SourceName? = nil
  ) throws -> [TargetStanding] {
    let target =
      try home.map { try TargetIdentity(of: store, home: $0, as: name).open(isDryRun: true) }
      ?? Repository.open(store, host: host, acceptsOlder: true, target: name)
    let names =
      try source.map { [try (home ?? target).names.source($0)] }
      ?? (home?.catalog.sourceNames() ?? []) + target.catalog.sourceNames()
    let mark = try PlaceMark.read(in: store)
    return try Set(names).sorted().map { name in
      var standing = try read(name, in: target, home: home)
      standing.mark = mark
      return standing
    }
  }

  private static func read(
    _ source: SourceName, in target: Repository, home: Repository?
  ) throws -> TargetStanding {
    let listed = try SourceListing(of: source, in: target.store).committed
    var newest: Snapshot?
    if let last = listed.max() {
      do {
        newest = try target.catalog.snapshotIfCommitted(source, last)
      } catch is DamageError {
        // Commands that read snapshots there report the damage.
      }
    }
    guard let home else {
      return TargetStanding(source: source, newest: newest, behind: nil, hasNewest: nil, proofs: nil)
    }
    let plan = try SyncPlanner(home: home, target: target, source: source).planOfSnapshots()
    let wanted = try SourceListing(of: source, in: home.store).committed.subtracting(
      home.notes.read(source, at: target.targets.ownName()).notes.collectedNumbers)
    return TargetStanding(
      source: source, newest: newest, behind: plan.behind,
      hasNewest: try wanted.max().map { try has($0, of: source, home, plan) } ?? true, proofs: nil)
  }

  /// Returns true if the target has a snapshot of home, and all that it builds on.
  private static func has(
    _ newest: UInt64, of source: SourceName, _ home: Repository, _ plan: SyncPlan
  ) throws -> Bool {
    var next: UInt64? = newest
    while let sequence = next {
      guard plan.listedAtTarget.contains(sequence), !plan.missing.contains(sequence) else { return false }
      // The plan has found nothing else that the target lacks.
      if plan.missing.isEmpty { return true }
      do {
        next = try home.catalog.snapshotIfCommitted(source, sequence)?.envelope.parent?.sequence
      } catch is DamageError {
        return false
      }
    }
    return true
  }
}

extension SourceNotes {
  /// The numbers of the snapshots that are collected.
  var collectedNumbers: Set<UInt64> { Set(notes.filter { $0.removed?.isCollected == true }.map(\.sequence)) }
}
