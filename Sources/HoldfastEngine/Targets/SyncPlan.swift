package import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository

/// What a sync does with one source at one target. Making it changes nothing; a dry run prints it.
package struct SyncPlan: Sendable {
  /// A snapshot that the target does not have whole.
  package struct Line: Sendable {
    /// As it is at home; its archives may have been dropped from memory.
    package let snapshot: Snapshot
    /// Whether the target has its manifest.
    package let isCommitted: Bool
    /// The bytes of its objects that the target does not have, without the manifest.
    package let bytes: UInt64
  }

  package let source: SourceName
  /// In ascending sequence: a parent comes before its children.
  package internal(set) var snapshots: [Line] = []
  /// Files of archived WAL, by the keys of their manifests, in ascending order.
  package internal(set) var logs: [String] = []
  /// Revisions of the notes, in ascending order.
  package internal(set) var notes: [UInt64] = []
  /// Snapshots of the target that are collected, in ascending sequence.
  package internal(set) var collected: [Snapshot] = []
  /// Keys of objects at the target that no snapshot needs.
  package internal(set) var leftovers: [String] = []
  /// Keys of archives that stay although they lie with snapshots that go.
  var needed: Set<String> = []
  /// Snapshots that only the target has, and that nobody has removed at home. They stay.
  package internal(set) var onlyThere: [Snapshot] = []
  /// Objects that are damaged at home or at the target.
  package internal(set) var findings: [SyncFinding] = []
  /// The numbers of the snapshots whose manifests the target lists.
  var there: Set<UInt64> = []
  /// Snapshots of home that cannot be copied, by sequence.
  package internal(set) var blocked: Set<UInt64> = []

  package init(_ source: SourceName) { self.source = source }

  /// The bytes of bodies and archives that are copied.
  package var bytes: UInt64 { snapshots.reduce(0) { $0.saturatingAdding($1.bytes) } }

  /// Number of snapshots that the target does not have whole.
  package var behind: Int { Set(snapshots.map(\.snapshot.sequence)).union(blocked).count }

  /// Whether nothing is to be done but what cannot be done.
  package var isEmpty: Bool { snapshots.isEmpty && logs.isEmpty && notes.isEmpty && removesNothing }

  var removesNothing: Bool { collected.isEmpty && leftovers.isEmpty }
}

/// An object that is damaged in one place.
package struct SyncFinding: Sendable, Hashable {
  /// The location of the place.
  package let location: String
  package let object: String
  package let message: String

  init(_ damage: DamageError, at location: String) {
    (self.location, object, message) = (location, damage.object, damage.message)
  }
}
