package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem
extension Repository {
  private static let verificationsMax = 16

  /// Notes which fulls a verify found sound, and how much of them it read, and which snapshots it found damaged. Where
  /// nothing can be written, verify has done what it is for without.
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
        Self.forgetOldVerifications(in: &notes)
        return notes != reading.notes
      }
    }
  }

  /// What verifies found damaged, and nothing has proved whole since; without what is removed.
  package func standingDamage(of source: SourceName) throws -> [SourceNotes.Note] {
    try notes(of: source).notes.notes.filter { $0.damaged != nil && $0.removed == nil }
  }

  /// As many as are of use: the newest, and before them those of which everything was read.
  private static func forgetOldVerifications(in notes: inout SourceNotes) {
    let proved = notes.notes.filter { $0.proved != nil }
    let best = proved.sorted {
      ($0.proved?.share == 100 ? 1 : 0, $0.sequence) > ($1.proved?.share == 100 ? 1 : 0, $1.sequence)
    }
    for note in best.dropFirst(verificationsMax) { notes[note.snapshot, note.sequence].proved = nil }
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
    if isFull, (proved?.share ?? 0) <= percent { proved = SourceNotes.Verification(share: percent, time: time) }
  }
}
