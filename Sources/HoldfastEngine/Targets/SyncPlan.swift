package import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository

/// The plan of a sync for one source at one target. Making it changes nothing; a dry run prints it.
package struct SyncPlan: Sendable {
  /// A snapshot that the target does not have whole.
  package struct Line: Sendable {
    /// The snapshot at home; its archives may have been dropped from memory.
    package let snapshot: Snapshot
    /// True if the target has its manifest.
    package let isCommitted: Bool
    /// The bytes of its objects that the target does not have, without the manifest.
    package let bytes: UInt64
  }

  package let source: SourceName
  /// The snapshots to copy, in ascending sequence: a parent comes before its children.
  package internal(set) var snapshots: [Line] = []
  /// The files of archived WAL to copy, by the keys of their manifests, in ascending order.
  package internal(set) var logs: [String] = []
  /// The revisions of the notes to copy, in ascending order.
  package internal(set) var notes: [UInt64] = []
  /// The snapshots of the target that are collected, in ascending sequence.
  package internal(set) var collected: [Snapshot] = []
  /// The keys of objects at the target that no snapshot needs.
  package internal(set) var leftovers: [String] = []
  /// The keys of archives that must stay: remaining snapshots need them, though they may lie in the directory of a
  /// collected one.
  var needed: Set<String> = []
  /// Revisions of the notes at the target that were written apart from those at home, and do not count: newer ones are
  /// at home.
  package internal(set) var diverged: [UInt64] = []
  /// The error for an operator when home and target wrote notes apart from each other, and those of the target would
  /// count at home; `nil` when they did not. Neither are copied.
  var notesApart: TargetError?
  /// The snapshots that only the target has, and that nobody has removed at home. They stay.
  package internal(set) var onlyThere: [Snapshot] = []
  /// The objects that are damaged at home or at the target.
  package internal(set) var findings: [SyncFinding] = []
  /// The snapshots that only the target has, and that its own retention keeps.
  package internal(set) var keptThere: [Snapshot] = []
  /// The numbers of the snapshots that home has and the target's own retention has removed there.
  var removedThere: Set<UInt64> = []
  /// True if the target has a retention of its own.
  var isApart = false
  /// The numbers of the snapshots whose manifests home lists.
  var listedAtHome: Set<UInt64> = []
  /// The numbers of the snapshots whose manifests the target lists.
  var listedAtTarget: Set<UInt64> = []
  /// The sequence numbers of the snapshots of home that cannot be copied.
  package internal(set) var blocked: Set<UInt64> = []

  package init(_ source: SourceName) { self.source = source }

  /// The bytes of bodies and archives that are copied.
  package var bytes: UInt64 { snapshots.reduce(0) { $0.saturatingAdding($1.bytes) } }

  /// The numbers of the snapshots that the target does not have whole.
  var missing: Set<UInt64> { Set(snapshots.map(\.snapshot.sequence)).union(blocked) }

  /// The number of snapshots that the target does not have whole.
  package var behind: Int { missing.count }

  /// True if the target has snapshots whose numbers home has given, and that are higher than all that home knows: home
  /// was put back.
  var isAhead = false

  /// True if the target has every snapshot of home, and no damage is found.
  var isInStep: Bool { missing.isEmpty && findings.isEmpty }

  /// True if there is nothing to copy or to remove. Blocked snapshots do not count.
  package var isEmpty: Bool { snapshots.isEmpty && logs.isEmpty && notes.isEmpty && removesNothing }

  var removesNothing: Bool { collected.isEmpty && leftovers.isEmpty }
}

/// An object that is damaged at home or at the target.
package struct SyncFinding: Sendable, Hashable {
  /// The location of home or of the target.
  package let location: String
  package let object: String
  package let message: String

  init(_ damage: DamageError, at location: String) {
    (self.location, object, message) = (location, damage.object, damage.message)
  }
}
