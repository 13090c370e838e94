package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

extension NotesStore {
  private static let verificationsMax = 16

  /// Writes the results of a verify into the notes: the fulls that it found sound, with the share of them that it read,
  /// and the snapshots that it found damaged. If the notes of sound snapshots cannot be written, the verify is complete
  /// without them.
  /// - Throws: transient errors; other errors if damage was found, because a prune counts on a damaged snapshot until
  ///   that is noted. The notes of other sources are written first.
  package func notePassed(_ report: Verify.Report, share: Double) throws {
    let percent = Int(saturating: (share * 100).rounded(.down))
    var unnoted: (any Error)?
    for (source, results) in Dictionary(grouping: report.snapshots, by: \.snapshot.sourceName) {
      do {
        try notePassed(results, of: source, percent: percent)
      } catch {
        if error.isTransient || results.contains(where: { !$0.isSound }) { unnoted = unnoted ?? error }
      }
    }
    if let unnoted { throw unnoted }
  }

  private func notePassed(_ results: [Verify.SnapshotResult], of source: SourceName, percent: Int) throws {
    try change(source) { notes, reading in
      // If the newest notes are damaged, older ones were read. A new revision of these would hide the damage.
      guard reading.damage.isEmpty else { return false }
      let time = RecordedTime(host.clock.now())
      for result in results where notes[result.snapshot].removed == nil {
        var note = notes[result.snapshot]
        note.note(
          isSound: result.isSound, isFull: result.snapshot.envelope.kind == .full, percent: percent, time: time)
        notes[result.snapshot.id, result.snapshot.sequence] = note
      }
      Self.forgetOldVerifications(in: &notes)
      return notes != reading.notes
    }
  }

  /// Notes the snapshots that need something that a scrub has found damaged at home. Only a verify that reads all data
  /// clears such a note: a scrub compares stored bytes, and a verify may have found damage in what they contain.
  package func noteScrubbed(_ source: SourceName, damaged: [Snapshot]) throws {
    try change(source) { notes, reading in
      guard reading.damage.isEmpty else { return false }
      let time = RecordedTime(host.clock.now())
      for snapshot in damaged where notes[snapshot].removed == nil && notes[snapshot].damaged == nil {
        var note = notes[snapshot]
        (note.proved, note.damaged) = (nil, time)
        notes[snapshot.id, snapshot.sequence] = note
      }
      return notes != reading.notes
    }
  }

  /// Returns the notes on snapshots that a verify found damaged, and none has found sound since; without removed
  /// snapshots.
  package func standingDamage(of source: SourceName) throws -> [SourceNotes.Note] {
    try read(source).notes.notes.filter { $0.damaged != nil && $0.removed == nil }
  }

  /// Keeps the most useful verifications: first those that read all data, and of equal ones the newest.
  private static func forgetOldVerifications(in notes: inout SourceNotes) {
    let proved = notes.notes.filter { $0.proved != nil }
    let best = proved.sorted {
      ($0.proved?.share == 100 ? 1 : 0, $0.sequence) > ($1.proved?.share == 100 ? 1 : 0, $1.sequence)
    }
    for note in best.dropFirst(verificationsMax) { notes[note.snapshot, note.sequence].proved = nil }
  }
}

extension SourceNotes.Note {
  /// Records the result of a verify.
  /// - Parameter percent: the share of its stored bytes that was read.
  fileprivate mutating func note(isSound: Bool, isFull: Bool, percent: Int, time: RecordedTime) {
    guard isSound else {
      (proved, damaged) = (nil, time)
      return
    }
    // A verify that reads only a part does not show that the damage is gone.
    if damaged != nil, percent < 100 { return }
    damaged = nil
    // A verify that reads less does not replace one that read more.
    if isFull, (proved?.share ?? 0) <= percent { proved = SourceNotes.Verification(share: percent, time: time) }
  }
}
