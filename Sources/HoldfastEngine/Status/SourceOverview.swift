package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository

/// A source of a repository as `source list` shows it.
package struct SourceOverview: Sendable {
  package let name: SourceName
  /// The number of its snapshots; of a source that is removed, those that are not deleted yet.
  package let snapshots: Int
  /// The bytes of their objects.
  package let storedBytes: UInt64
  /// The time at which the newest of them was begun; `nil` without one.
  package let newest: Timestamp?
  /// The removal of the source as a whole; `nil` when it is not removed.
  package let removal: SourceNotes.Removal?

  /// Returns all sources of a repository, in ascending order of names, also those that are removed.
  /// - Parameter onDamage: gets envelopes and notes that are damaged.
  package static func all(
    in repository: Repository, onDamage: (DamageError) -> Void
  ) throws -> [SourceOverview] {
    try repository.catalog.knownSources(nil).map { try SourceOverview($0, in: repository, onDamage: onDamage) }
  }

  /// Reads one source.
  /// - Parameter onDamage: gets envelopes and notes that are damaged.
  /// - Throws: `EngineError` when there is no source of that name.
  package init(_ name: SourceName, in repository: Repository, onDamage: (DamageError) -> Void) throws {
    self.name = name
    removal = try repository.catalog.removal(of: name)
    let all = try repository.catalog.allSnapshots(
      of: name, includingRemoved: removal != nil, includingDiverged: true, onDamage: onDamage)
    snapshots = all.count
    storedBytes = all.reduce(0) { $0.saturatingAdding($1.envelope.storedBytes) }
    newest = all.filter { !$0.isDiverged }.map(\.envelope.started).max()
  }
}
