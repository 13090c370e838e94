package import HoldfastArchive
package import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem

/// The notes that an operator makes on a snapshot.
extension NotesStore {
  /// - Returns: its tags after the change, in order.
  package func tag(_ snapshot: Snapshot, add: Set<Tag>, remove: Set<Tag>) throws -> [Tag] {
    let notes = try change(snapshot) { note in
      note.tags = Set(note.tags).subtracting(remove).union(add).sorted()
      try Self.checkCount(note.tags)
    }
    return notes[snapshot].tags
  }

  private static func checkCount(_ tags: [Tag]) throws {
    guard tags.count <= Limits.tagsMax else {
      throw EngineError(
        .usage, "a snapshot bears at most \(Limits.tagsMax) tags", hint: "Take some away with --remove.",
        exitStatus: .usage)
    }
  }

  /// Keeps a snapshot, and everything that it builds on, regardless of the policy.
  package func pin(_ snapshot: Snapshot, reason: String) throws {
    let dated = try dated(reason)
    try change(snapshot) { $0.pinned = dated }
  }

  /// Accepts the anomalies of a snapshot.
  /// - Throws: `EngineError` when it has none.
  package func accept(_ snapshot: Snapshot, reason: String) throws {
    guard !(snapshot.envelope.comparison?.anomalies.isEmpty ?? true) else {
      throw EngineError(
        .usage, "snapshot \(snapshot.id.short) has no anomaly", hint: "Run `holdfast list` to see which have.",
        exitStatus: .usage)
    }
    let dated = try dated(reason)
    try change(snapshot) { $0.accepted = dated }
  }

  private func dated(_ reason: String) throws -> SourceNotes.DatedReason {
    guard SourceNotes.isReason(reason) else {
      throw EngineError(
        .usage, "the reason is too long, or cannot be printed",
        hint: "Use at most \(Limits.pinReasonBytesMax) bytes of printable text.", exitStatus: .usage)
    }
    return SourceNotes.DatedReason(reason: reason, time: RecordedTime(host.clock.now()))
  }

  /// - Returns: true if it was pinned.
  package func unpin(_ snapshot: Snapshot) throws -> Bool {
    var wasPinned = false
    try change(snapshot) { note in
      wasPinned = note.pinned != nil
      note.pinned = nil
    }
    return wasPinned
  }

  @discardableResult
  private func change(
    _ snapshot: Snapshot, by edit: (inout SourceNotes.Note) throws -> Void
  ) throws -> SourceNotes {
    try change(snapshot.sourceName) { notes, reading in
      var note = notes[snapshot]
      guard note.removed == nil else {
        throw EngineError(
          .usage, "snapshot \(snapshot.id.short) is removed",
          hint: "Run `holdfast undelete \(snapshot.id.short)` first.")
      }
      try edit(&note)
      notes[snapshot.id, snapshot.sequence] = note
      // Notes that could not be read are replaced, even if nothing else changes.
      return notes != reading.notes || !reading.damage.isEmpty
    }
  }

  /// Undoes the removal of the tip of a chain, and of everything that it builds on.
  /// - Parameter target: the target at which they come back; `nil` for home, and for every target where it is not too
  ///   late.
  /// - Returns: the snapshots that were called back, the oldest first; empty when none was removed.
  package func undelete(_ chain: Chain, at target: String? = nil) throws -> [Snapshot] {
    var called: [Snapshot] = []
    try change(chain.tip.sourceName) { notes, reading in
      called = try target.map { try callBack(chain, at: $0, in: &notes) } ?? callBack(chain, in: &notes)
      return notes != reading.notes || !reading.damage.isEmpty
    }
    return called
  }

  private func callBack(_ chain: Chain, at target: String, in notes: inout SourceNotes) throws -> [Snapshot] {
    try chain.snapshots.filter { snapshot in
      guard let removal = notes[snapshot].removal(at: target) else { return false }
      try Self.checkIsNotCollected(removal, of: snapshot)
      notes[snapshot.id, snapshot.sequence].setRemoval(nil, at: target)
      return true
    }
  }

  private static func checkIsNotCollected(_ removal: SourceNotes.Removal, of snapshot: Snapshot) throws {
    guard removal.isCollected else { return }
    throw EngineError(
      .usage, "snapshot \(snapshot.id.short) is being collected: it does not come back",
      hint: "While `holdfast restore \(snapshot.id.short)` still finds it, restore it elsewhere.")
  }

  /// - Throws: `EngineError` when a part of the chain is collected.
  private func callBack(_ chain: Chain, in notes: inout SourceNotes) throws -> [Snapshot] {
    try chain.snapshots.filter { snapshot in
      var note = notes[snapshot]
      if let removal = note.removed { try Self.checkIsNotCollected(removal, of: snapshot) }
      // A target that has collected it gets it again only if something that it keeps builds on it.
      note.removed = nil
      note.callBackEverywhere()
      defer { notes[snapshot.id, snapshot.sequence] = note }
      return note != notes[snapshot]
    }
  }

  // MARK: Notes of a backup

  /// Returns the first part of a chain that is collected: nothing may build on it any more. `nil` if there is none.
  package func collectedPart(of chain: Chain) throws -> Snapshot? {
    let notes = try read(chain.tip.sourceName).notes
    return chain.snapshots.first { notes[$0].removed?.isCollected == true }
  }

  /// Throws if a part of a chain is collected, so that no snapshot builds on it.
  package func checkIsLeft(_ chain: Chain) throws {
    if let lost = try collectedPart(of: chain) {
      throw DamageError(Keys.manifest(lost.sourceName, lost.sequence), "it was pruned")
    }
  }

  /// Returns true if a part of a chain is removed.
  package func hasRemoved(_ chain: Chain) throws -> Bool {
    let reading = try read(chain.tip.sourceName)
    return chain.snapshots.contains { reading.removal(of: $0) != nil }
  }

  /// Prepares the notes just before a snapshot is committed: calls back the snapshots of its chain, and notes its tags.
  /// - Parameters:
  ///   - chain: the chain that it builds on; `nil` for a full.
  ///   - reading: the notes as they are now.
  /// - Returns: `called`: the snapshots of the chain that were removed meanwhile and were called back. `damage`: the
  ///   reason why the tags were not noted, if the newest notes cannot be read; notes that continue older ones would
  ///   hide that. `isNoted`: true if anything was noted.
  package func prepareCommit(
    of envelope: Envelope, on chain: Chain?, tags: Set<Tag>, _ reading: NotesReading
  ) throws -> (called: [Snapshot], damage: DamageError?, isNoted: Bool) {
    try Self.checkCount(Array(tags))
    let damage = tags.isEmpty ? nil : reading.damage.first
    let tags = damage == nil ? tags : []
    let notes = reading.notes
    let isTouched = chain?.snapshots.contains { notes[$0].isOnItsWayOut } ?? false
    guard isTouched || !tags.isEmpty else { return ([], damage, false) }
    var called: [Snapshot] = []
    do {
      try change(envelope.source.name) { notes, reading in
        called = try chain.map { try callBack($0, in: &notes) } ?? []
        var note = SourceNotes.Note(snapshot: envelope.snapshot, sequence: envelope.sequence)
        note.tags = tags.sorted()
        notes[envelope.snapshot, envelope.sequence] = note
        return notes != reading.notes
      }
    } catch let error as EngineError where isTouched {
      throw EngineError(
        .transient,
        "what the snapshot builds on was pruned while it was taken, so nothing was committed: \(error.message)",
        hint: "Run the same command again.")
    }
    return (called, damage, true)
  }
}
