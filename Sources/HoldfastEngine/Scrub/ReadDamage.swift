package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
internal import HoldfastSystem

/// The damage that a run has met at one target while it read, and read around: another target had the bytes sound.
package struct ReadDamage: Sendable, Equatable {
  package let target: String
  /// The keys of the damaged objects of snapshots and notes, by the source to which they belong.
  package let keys: [SourceName: Set<String>]

  package init(_ target: String, keys: [SourceName: Set<String>]) { (self.target, self.keys) = (target, keys) }

  /// Returns the damage at each target where a run has met any.
  package static func all(in outcomes: TargetOutcomes) -> [ReadDamage] {
    outcomes.all.compactMap { outcome in
      var keys: [SourceName: Set<String>] = [:]
      for answer in outcome.badAnswers where answer.cause.isDamage {
        guard let source = Keys.targetFolder(answer.key).flatMap({ Keys.sourceName($0) }) else { continue }
        keys[source, default: []].insert(answer.key)
      }
      return keys.isEmpty ? nil : ReadDamage(outcome.target, keys: keys)
    }
  }

  /// Notes the damage at home, as a verify does.
  /// - Parameter home: the repository at home, opened to write.
  /// - Returns: the snapshots that need a damaged object.
  package func note(atHome home: Repository) throws -> [Snapshot] {
    try keys.sorted { $0.key < $1.key }.flatMap { source, keys in
      let damaged = try home.catalog.snapshots(of: source, needing: keys)
      if !damaged.isEmpty { try home.notes.noteScrubbed(source, damaged: damaged) }
      return damaged
    }
  }

  /// Remembers the damage on this machine, as a scrub of another target than home does.
  package func remember(in machine: MachineRecords, of place: PlaceIdentity) throws {
    for source in keys.keys { try machine.rememberDamage(of: source, at: target, in: place) }
  }
}

extension Catalog {
  /// Returns the snapshots that need one of these objects, in ascending sequence: their own objects, or those of what
  /// they build on.
  fileprivate func snapshots(of source: SourceName, needing keys: Set<String>) throws -> [Snapshot] {
    var needing: [UInt64: Snapshot] = [:]
    for snapshot in try committedSnapshots(of: source, onDamage: { _ in }) {
      let own = try whole(snapshot).objects.map(\.key) + [Keys.manifest(source, snapshot.sequence)]
      let isOnDamage = snapshot.envelope.parent.map { needing[$0.sequence] != nil } ?? false
      if isOnDamage || own.contains(where: keys.contains) { needing[snapshot.sequence] = snapshot }
    }
    return needing.sorted { $0.key < $1.key }.map(\.value)
  }
}
