import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Removals that hold at some targets and not at others.
@Suite struct TargetRemovalsTests {
  private static let time = RecordedTime(text: "2026-01-01T00:00:00Z")
  private let id = Identifier(bytes: [UInt8](repeating: 7, count: 16))

  private func removal(_ revision: UInt64 = 1, isCollected: Bool = false) -> SourceNotes.Removal {
    SourceNotes.Removal(revision: revision, time: Self.time, isCollected: isCollected)
  }

  private func makeNotes(isSealed: Bool = false) throws -> SourceNotes {
    var notes = SourceNotes(
      repository: try #require(id), source: try #require(SourceName("orders")), isSealed: isSealed)
    (notes.revision, notes.time) = (3, Self.time)
    return notes
  }

  @Test func aRemovalHoldsWhereItIsNotSpared() throws {
    var notes = try makeNotes()
    var note = notes[try #require(id), 1]
    note.removed = removal()
    note.spare(["cloud"])
    notes[try #require(id), 1] = note
    #expect(note.removal(at: "barn") == note.removed && note.removal(at: "cloud") == nil)
    #expect(notes.holding(at: "cloud")[try #require(id), 1].removed == nil)
    #expect(notes.holding(at: "barn").notes.first?.removed != nil && notes.holding(at: nil) == notes)
    note.setRemoval(removal(2), at: "cloud")
    #expect(note.removal(at: "cloud") == removal(2) && note.removed?.revision == 1)
    note.setRemoval(nil, at: "barn")
    #expect(note.removal(at: "barn") == nil && note.removed?.spares == ["barn", "cloud"])
  }

  @Test func whatIsWrittenIsRead() throws {
    var notes = try makeNotes()
    notes[try #require(id), 1].setRemoval(removal(isCollected: true), at: "barn")
    let bytes = try notes.serialized()
    let read = try NotesRevision(parsing: bytes, name: "notes").notes
    #expect(read.features == ["removals-by-target"])
    #expect(read.holding(at: "barn").notes.first?.removed == removal(isCollected: true))
    #expect(read.holding(at: "home").notes.first?.removed == nil)
    // Versions that know no removals by target must not read notes that have some, and read all others.
    #expect(try NotesRevision(parsing: makeNotes().serialized(), name: "notes").notes.features == [])
  }

  /// A machine that may not prune hands on what others have removed, and must not make it hold anywhere else.
  @Test func nobodyWithoutTheRightMakesARemovalHoldElsewhere() throws {
    let (pruner, other) = (try WriterKey(), try WriterKey())
    var notes = try makeNotes(isSealed: true)
    var note = notes[try #require(id), 1]
    note.removed = removal()
    note.spare(["cloud"])
    note.setRemoval(removal(2), at: "barn")
    notes[try #require(id), 1] = note
    try notes.signRemovals(by: pruner.signing)
    let keyring = Keyring(
      repository: notes.repository, time: Self.time, recipients: [],
      writers: [
        Keyring.Writer(name: "pruner", key: pruner.signing.publicKey, mayPrune: true),
        Keyring.Writer(name: "other", key: other.signing.publicKey, mayPrune: false),
      ])
    func counted(_ change: (inout SourceNotes.Note) -> Void) throws -> SourceNotes.Note {
      var changed = notes
      change(&changed.notes[0])
      let read = try NotesRevision(parsing: changed.serialized(signedBy: other.signing), name: "notes").notes
      return read.removalsThatCount(by: keyring).notes[try #require(id), 1]
    }
    #expect(try counted { _ in } == notes.notes[0])
    #expect(try counted { $0.removed?.spares = nil }.removed == nil)
    let moved = try counted { note in
      let own = note.removal(at: "barn")
      note.setRemoval(nil, at: "barn")
      note.setRemoval(own, at: "cloud")
    }
    #expect(moved.removal(at: "cloud") == nil)
  }
}
