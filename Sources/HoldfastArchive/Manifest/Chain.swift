internal import HoldfastModel

/// A snapshot with everything that it builds on: full → … → tip. Each parent is verified by its digest.
package struct Chain: Sendable {
  /// The full first.
  package let snapshots: [Snapshot]
  /// The archives by number, in which the pages of the tip's state are stored.
  package let archives: ArchiveList
  /// The IDs of these archives.
  private let archiveIDs: Set<ArchiveID>

  package var tip: Snapshot { snapshots[snapshots.count - 1] }
  package var full: Snapshot { snapshots[0] }

  /// The number of the next archive of this chain.
  package var nextArchiveNumber: UInt64 { UInt64(archives.count) }

  /// `nil` when there is no archive of this number.
  package func archive(_ number: UInt64) -> Envelope.Archive? { number < archives.count ? archives[Int(number)] : nil }

  /// The newest snapshot with changes: its state is also that of the tip.
  package var lastChanging: Snapshot {
    snapshots.last { $0.envelope.kind == .full || !$0.envelope.changes.isEmpty } ?? full
  }

  /// True if no snapshot may build on the tip, because readers would refuse so long a chain.
  package var isAsLongAsMayBe: Bool {
    snapshots.count >= Limits.chainLengthMax || archives.count > Limits.archivesPerChainMax / 2
  }

  /// Stored bytes of all bodies.
  package let bodyLength: UInt64

  /// Follows the parents of `tip`.
  /// - Parameters:
  ///   - tip: a snapshot with its archives.
  ///   - committed: returns the committed snapshot of the same source with a sequence number, and with its archives;
  ///     `nil` when there is none.
  /// - Throws: `DamageError` when one is missing, or is not what its child recorded.
  package init(to tip: Snapshot, committed: (UInt64) throws -> Snapshot?) throws {
    var newest = tip
    var snapshots = [newest]
    while let parent = newest.envelope.parent {
      let key = Keys.manifest(tip.sourceName, parent.sequence)
      guard snapshots.count < Limits.chainLengthMax else { throw Self.isTooLong(key) }
      guard let snapshot = try committed(parent.sequence) else {
        throw DamageError(key, "it is missing, and snapshot \(newest.id.short) builds on it")
      }
      guard snapshot.digest == parent.digest, snapshot.id == parent.snapshot else {
        throw DamageError(key, "it is not the manifest that snapshot \(newest.id.short) builds on")
      }
      try Self.check(newest, on: snapshot)
      snapshots.append(snapshot)
      newest = snapshot
    }
    self.snapshots = snapshots.reversed()
    bodyLength = snapshots.reduce(0) { $0.saturatingAdding($1.envelope.body.length) }
    (archives, archiveIDs) = try Self.table(of: self.snapshots)
  }

  /// The chain of a snapshot whose parent's chain is known.
  package init(_ parent: Chain, followedBy snapshot: Snapshot) throws {
    try Self.check(snapshot, on: parent.tip)
    guard parent.snapshots.count < Limits.chainLengthMax else {
      throw Self.isTooLong(Keys.manifest(snapshot.sourceName, snapshot.sequence))
    }
    snapshots = parent.snapshots + [snapshot]
    bodyLength = parent.bodyLength.saturatingAdding(snapshot.envelope.body.length)
    (archives, archiveIDs) = try Self.table(of: [snapshot], after: (parent.archives, parent.archiveIDs))
  }

  private static func isTooLong(_ key: String) -> DamageError { DamageError(key, "the chain is too long") }

  private static func check(_ child: Snapshot, on parent: Snapshot) throws {
    guard child.envelope.kind != .differential || parent.envelope.kind == .full else {
      throw DamageError(
        Keys.manifest(child.sourceName, child.sequence), "it is a differential, and builds on what is no full")
    }
  }

  private typealias Table = (archives: ArchiveList, ids: Set<ArchiveID>)

  private static func table(of snapshots: [Snapshot], after known: Table = ([], [])) throws -> Table {
    var table = known
    for snapshot in snapshots {
      let key = Keys.manifest(snapshot.sourceName, snapshot.sequence)
      guard table.archives.count + snapshot.envelope.archives.count <= Limits.archivesPerChainMax else {
        throw DamageError(key, "its chain has more than \(Limits.archivesPerChainMax) archives")
      }
      for archive in snapshot.envelope.archives {
        guard archive.number == UInt64(table.archives.count) else {
          throw DamageError(key, "its archives do not continue those of its parent")
        }
        guard table.ids.insert(ArchiveID(archive.id)).inserted else {
          throw DamageError(key, "archive \(archive.id.short) is in its chain under two numbers")
        }
        table.archives.append(archive)
      }
    }
    return table
  }
}

/// An ID in only sixteen bytes, without an array.
private struct ArchiveID: Hashable {
  private let high: UInt64
  private let low: UInt64

  init(_ id: Identifier) {
    high = id.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    low = id.bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }
}

extension Envelope.Changes {
  /// True if nothing differs from the parent.
  package var isEmpty: Bool { added == 0 && changed == 0 && removed == 0 }
}
