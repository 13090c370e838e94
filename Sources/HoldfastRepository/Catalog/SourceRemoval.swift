package import HoldfastArchive
package import HoldfastModel
internal import HoldfastStore

/// The removal of a source as a whole. Nothing says it but the notes on its snapshots: all of them are removed, also
/// the one with the highest number, which no policy removes. The notes stay when all is collected, so the name is not
/// used again.
extension Catalog {
  /// Returns the removal of a source, which tells when that was and if it can still be undone; `nil` for a source that
  /// is not removed.
  package func removal(of name: SourceName) throws -> SourceNotes.Removal? {
    try removal(of: name, notes.read(name).notes)
  }

  /// Returns the removal of a source as it would be with these notes and more snapshots.
  package func removal(
    of name: SourceName, _ notes: SourceNotes, with more: [Snapshot] = []
  ) throws -> SourceNotes.Removal? {
    // Nearly always this is the answer, and no manifest is read.
    guard let removal = notes.removalOfHighest else { return nil }
    let left = try committedSnapshots(of: name) { _ in } + more
    return left.allSatisfy { notes[$0].removed != nil } ? removal : nil
  }

  /// - Throws: `EngineError` for a source that is removed: a snapshot under its name would begin another history, and
  ///   nobody would notice.
  /// - Returns: its notes.
  @discardableResult
  package func checkIsNotRemoved(_ name: SourceName) throws -> SourceNotes {
    let notes = try notes.read(name).notes
    guard let removal = try removal(of: name, notes) else { return notes }
    throw EngineError(
      .usage,
      "the source \(name) was removed from the repository\(removal.isCollected ? ", and collected" : "") on \(removal.time)",
      hint: removal.isCollected
        ? "Take it out of the configuration, or back it up under another name."
        : "Take it out of the configuration, back it up under another name, or bring it back with `holdfast source undelete \(name)`."
    )
  }
}

extension NotesStore {
  /// Undoes the removal of a source: what was removed together with its newest snapshot comes back.
  /// - Returns: the number of snapshots that come back.
  /// - Throws: `EngineError` when the source is not removed, or is being collected.
  package func undelete(_ source: SourceName) throws -> Int {
    var count = 0
    try change(source) { notes, _ in
      count = 0
      guard let removal = notes.removalOfHighest else {
        throw EngineError(
          .usage, "the source \(source) is not removed", hint: "Run `holdfast source list` to see which are.")
      }
      guard !removal.isCollected else {
        throw EngineError(
          .usage, "the source \(source) is being collected: it does not come back",
          hint: "`holdfast list --deleted --name \(source)` shows what is still there; restore it elsewhere.")
      }
      for note in notes.notes where note.removed?.revision == removal.revision && note.removed?.isCollected == false {
        var note = note
        note.removed = nil
        note.callBackEverywhere()
        notes[note.snapshot, note.sequence] = note
        count += 1
      }
      return true
    }
    return count
  }
}
