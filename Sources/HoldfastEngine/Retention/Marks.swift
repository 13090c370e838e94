package import HoldfastArchive
package import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem

/// What an operator says about a snapshot after it was taken: kept as notes on its source.
extension Repository {
  /// - Returns: the tags that it bears now, in order.
  package func tag(_ snapshot: Snapshot, add: Set<Tag>, remove: Set<Tag>) throws -> [Tag] {
    let notes = try change(snapshot) { note in
      note.tags = Set(note.tags).subtracting(remove).union(add).sorted()
      try Self.checkCount(note.tags)
    }
    return notes[snapshot].tags
  }

  fileprivate static func checkCount(_ tags: [Tag]) throws {
    guard tags.count <= Limits.tagsMax else {
      throw EngineError(
        "a snapshot bears at most \(Limits.tagsMax) tags", hint: "Take some away with --remove.", exitStatus: .usage)
    }
  }

  /// Keeps a snapshot, and with it what it builds on, whatever a policy says.
  package func pin(_ snapshot: Snapshot, reason: String) throws {
    let remark = try remark(reason)
    try change(snapshot) { $0.pinned = remark }
  }

  /// Says that the anomalies of a snapshot are none: what was found was meant.
  /// - Throws: `EngineError` where it has none.
  package func accept(_ snapshot: Snapshot, reason: String) throws {
    guard !(snapshot.envelope.comparison?.anomalies.isEmpty ?? true) else {
      throw EngineError(
        "snapshot \(snapshot.id.short) has no anomaly", hint: "Run `holdfast list` to see which have.",
        exitStatus: .usage)
    }
    let remark = try remark(reason)
    try change(snapshot) { $0.accepted = remark }
  }

  private func remark(_ reason: String) throws -> SourceNotes.Remark {
    guard SourceNotes.isReason(reason) else {
      throw EngineError(
        "the reason is too long, or cannot be printed",
        hint: "Use at most \(Limits.pinReasonBytesMax) bytes of printable text.", exitStatus: .usage)
    }
    return SourceNotes.Remark(reason: reason, time: TimeText.utc(host.clock.now()))
  }

  /// - Returns: whether it was pinned.
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
    _ snapshot: Snapshot, _ change: (inout SourceNotes.Note) throws -> Void
  ) throws -> SourceNotes {
    try changeNotes(of: snapshot.sourceName) { notes, reading in
      var note = notes[snapshot]
      guard note.removed == nil else {
        throw EngineError(
          "snapshot \(snapshot.id.short) is removed",
          hint: "Run `holdfast undelete \(snapshot.id.short)` first.")
      }
      try change(&note)
      notes[snapshot.id, snapshot.sequence] = note
      // What could not be read is replaced, also where nothing else changes.
      return notes != reading.notes || !reading.damage.isEmpty
    }
  }

  /// Calls back what was removed, with what it builds on.
  /// - Returns: what was called back, the oldest first; empty where nothing was removed.
  package func undelete(_ snapshot: Snapshot) throws -> [Snapshot] {
    let chain = try chain(to: snapshot)
    var called: [Snapshot] = []
    try changeNotes(of: snapshot.sourceName) { notes, reading in
      called = try callBack(chain, in: &notes)
      return notes != reading.notes || !reading.damage.isEmpty
    }
    return called
  }

  /// - Throws: `EngineError` where something of it is beyond recall.
  private func callBack(_ chain: Chain, in notes: inout SourceNotes) throws -> [Snapshot] {
    try chain.snapshots.filter { snapshot in
      guard let removal = notes[snapshot].removed else { return false }
      guard !removal.isCollected else {
        throw EngineError(
          "snapshot \(snapshot.id.short) is being collected: it does not come back",
          hint: "While `holdfast restore \(snapshot.id.short)` still finds it, restore it elsewhere.")
      }
      notes[snapshot.id, snapshot.sequence].removed = nil
      return true
    }
  }

  // MARK: What a backup notes

  /// Refuses to build on what is beyond recall.
  func checkIsLeft(_ chain: Chain) throws {
    let notes = try notes(of: chain.tip.sourceName).notes
    if let lost = chain.snapshots.first(where: { notes[$0].removed?.isCollected == true }) {
      throw DamageError(Keys.manifest(lost.sourceName, lost.sequence), "it was pruned")
    }
  }

  /// Just before a snapshot is committed: makes sure that what it builds on stays, and notes its tags.
  /// - Parameter chain: what it builds on; `nil` for a full.
  /// - Returns: what of the chain was removed meanwhile, and was called back; and why the tags are not noted, where the newest notes cannot be read: to go on
  ///   from older ones would hide that.
  func prepareCommit(
    of envelope: Envelope, on chain: Chain?, tags: Set<Tag>
  ) throws -> (called: [Snapshot], damage: DamageError?) {
    try Self.checkCount(Array(tags))
    let reading = try notes(of: envelope.source.name)
    let damage = tags.isEmpty ? nil : reading.damage.first
    let tags = damage == nil ? tags : []
    let notes = reading.notes
    let isTouched = chain?.snapshots.contains { notes[$0].removed != nil } ?? false
    guard isTouched || !tags.isEmpty else { return ([], damage) }
    var called: [Snapshot] = []
    do {
      try changeNotes(of: envelope.source.name) { notes, reading in
        called = try chain.map { try callBack($0, in: &notes) } ?? []
        var note = SourceNotes.Note(snapshot: envelope.snapshot, sequence: envelope.sequence)
        note.tags = tags.sorted()
        notes[envelope.snapshot, envelope.sequence] = note
        return notes != reading.notes
      }
    } catch let error as EngineError where isTouched {
      throw EngineError(
        "what the snapshot builds on was pruned while it was taken, so nothing was committed: \(error.message)",
        hint: "Run the same command again.")
    }
    return (called, damage)
  }
}

// MARK: - Proofs

extension Repository {
  private static let proofsMax = 16

  /// Notes which fulls a verify found sound, and how much of them it read, and which snapshots it found damaged. Where nothing can be written, verify has done what
  /// it is for without.
  package func notePassed(_ report: Verify.Report, share: Double) {
    let percent = Int(saturating: (share * 100).rounded(.down))
    for (source, results) in Dictionary(grouping: report.snapshots, by: \.snapshot.sourceName) {
      _ = try? changeNotes(of: source) { notes, reading in
        // To go on from notes that are older than they should be would hide what has become of the newer ones.
        guard reading.damage.isEmpty else { return false }
        let time = TimeText.utc(host.clock.now())
        for result in results where notes[result.snapshot].removed == nil {
          var note = notes[result.snapshot]
          note.note(
            isSound: result.isSound, isFull: result.snapshot.envelope.kind == .full, percent: percent, time: time)
          notes[result.snapshot.id, result.snapshot.sequence] = note
        }
        Self.forgetOldProofs(in: &notes)
        return notes != reading.notes
      }
    }
  }

  /// What verifies found damaged, and nothing has proved whole since; without what is removed.
  package func standingDamage(of source: SourceName) throws -> [SourceNotes.Note] {
    try notes(of: source).notes.notes.filter { $0.damaged != nil && $0.removed == nil }
  }

  /// As many as are of use: the newest, and before them those of which everything was read.
  private static func forgetOldProofs(in notes: inout SourceNotes) {
    let proved = notes.notes.filter { $0.proved != nil }
    let best = proved.sorted {
      ($0.proved?.share == 100 ? 1 : 0, $0.sequence) > ($1.proved?.share == 100 ? 1 : 0, $1.sequence)
    }
    for note in best.dropFirst(proofsMax) { notes[note.snapshot, note.sequence].proved = nil }
  }
}

extension SourceNotes.Note {
  /// Writes down what a verify found.
  /// - Parameter percent: the share of its stored bytes that it read.
  fileprivate mutating func note(isSound: Bool, isFull: Bool, percent: Int, time: String) {
    guard isSound else {
      (proved, damaged) = (nil, time)
      return
    }
    // To have read another part of it mends nothing.
    if damaged != nil, percent < 100 { return }
    damaged = nil
    // Having been looked at again takes nothing from having been read.
    if isFull, (proved?.share ?? 0) <= percent { proved = SourceNotes.Proof(share: percent, time: time) }
  }
}
