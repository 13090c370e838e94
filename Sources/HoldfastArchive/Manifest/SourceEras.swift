package import HoldfastModel
package import HoldfastSystem

/// The hosts that have taken turns in serving the source, as its notes have them. The numbers of its lease say who
/// serves; they are removed, and nobody signs them. So each role that was announced is kept here, for as long as there
/// are snapshots of it.
extension SourceNotes {
  /// The time from which a host served.
  package struct Era: Hashable, Sendable, Codable {
    package let serving: HostName
    package let since: UInt64
    package let from: ServingRole.Start?
    package let highest: UInt64
    /// True until the host begins to serve (`ServingRole.isAwaited`). It is written only if it is true.
    package let awaited: Bool?
    /// The time at which it was noted, for people.
    package let time: RecordedTime

    package init(_ role: ServingRole, time: RecordedTime) {
      (serving, since, from, highest, self.time) = (role.serving, role.since, role.from, role.highest, time)
      awaited = role.isAwaited ? true : nil
    }

    package var role: ServingRole {
      ServingRole(serving: serving, since: since, from: from, highest: highest, isAwaited: awaited ?? false)
    }

    /// Optional fields but `awaited` are written as `null` and never left out.
    package func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(serving, forKey: .serving)
      try container.encode(since, forKey: .since)
      try container.encode(from, forKey: .from)
      try container.encode(highest, forKey: .highest)
      try container.encodeIfPresent(awaited, forKey: .awaited)
      try container.encode(time, forKey: .time)
    }
  }

  /// The newest role that is noted; `nil` if no host was ever announced.
  package var lastEra: Era? { eras?.last }

  /// Notes a role. Roles are in ascending order of the numbers in which they began.
  /// - Returns: false if it is noted already.
  package mutating func note(_ role: ServingRole, at time: RecordedTime) -> Bool {
    var eras = eras ?? []
    guard !eras.contains(where: { $0.role == role }) else { return false }
    eras.removeAll { $0.since == role.since }
    eras.append(Era(role, time: time))
    self.eras = eras.sorted { $0.since < $1.since }
    return true
  }

  /// True if a snapshot was under way when its maker was overtaken (`ServingRole.isDiverged`).
  package func isDiverged(_ snapshot: Snapshot) -> Bool {
    isDiverged(sequence: snapshot.sequence, lease: snapshot.envelope.lease)
  }

  package func isDiverged(_ outline: SnapshotOutline) -> Bool {
    isDiverged(sequence: outline.sequence, lease: outline.lease)
  }

  /// Returns the same snapshots, of which each says if it is diverged.
  package func markDiverged(_ snapshots: [Snapshot]) -> [Snapshot] {
    guard eras != nil else { return snapshots }
    return snapshots.map { snapshot in
      var marked = snapshot
      marked.isDiverged = isDiverged(snapshot)
      return marked
    }
  }

  private func isDiverged(sequence: UInt64, lease: UInt64?) -> Bool {
    (eras ?? []).contains { $0.role.isDiverged(sequence: sequence, lease: lease) }
  }

  /// True if the eras can be right: in order, and within the limits of numbers.
  var areErasSound: Bool {
    let eras = eras ?? []
    let sequences = 1...Limits.sequenceMax
    return eras.count <= Limits.erasMax && zip(eras, eras.dropFirst()).allSatisfy { $0.since < $1.since }
      && eras.allSatisfy { era in
        era.time.isSound && (1...Limits.leaseNumberMax).contains(era.since)
          && era.highest <= Limits.sequenceMax && era.from.map { sequences.contains($0.sequence) } ?? true
      }
  }
}
