import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The notes on a source as bytes: what is written is read, and nothing else is.
@Suite struct SourceNotesTests {
  private static let time = RecordedTime(text: "2026-11-23T04:05:06.000Z")

  private func id(_ digit: Character) throws -> Identifier {
    try #require(Identifier(String(repeating: digit, count: 32)))
  }

  private func sample(isSealed: Bool = false) throws -> SourceNotes {
    var notes = SourceNotes(repository: try id("a"), source: try #require(SourceName("orders")), isSealed: isSealed)
    notes.revision = 7
    notes.time = Self.time
    notes.highest = 9
    notes.program = "holdfast test"
    var note = notes[try id("2"), 2]
    note.tags = [try #require(Tag("release")), try #require(Tag("q4"))].sorted()
    note.pinned = SourceNotes.DatedReason(reason: "auditors", time: Self.time)
    note.accepted = SourceNotes.DatedReason(reason: "moved", time: Self.time)
    notes[try id("2"), 2] = note
    notes[try id("1"), 1].removed = SourceNotes.Removal(revision: 3, time: Self.time)
    notes[try id("5"), 5].proved = SourceNotes.Verification(share: 100, time: Self.time)
    return notes
  }

  private func parse(_ bytes: [UInt8]) throws -> SourceNotes { try NotesRevision(parsing: bytes, name: "notes").notes }

  @Test func theBytesAreThoseOfTheDocument() throws {
    let bytes = try sample().serialized()
    let line = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    let (one, two, five) = (try id("1"), try id("2"), try id("5"))
    #expect(
      line == #"{"features":[],"format":1,"highest":9,"notes":["#
        + #"{"accepted":null,"damaged":null,"pinned":null,"proved":null,"removed":{"collected":false,"revision":3,"time":"2026-11-23T04:05:06.000Z"},"sequence":1,"snapshot":"\#(one)","tags":[]},"#
        + #"{"accepted":{"reason":"moved","time":"2026-11-23T04:05:06.000Z"},"damaged":null,"pinned":{"reason":"auditors","time":"2026-11-23T04:05:06.000Z"},"proved":null,"removed":null,"sequence":2,"snapshot":"\#(two)","tags":["q4","release"]},"#
        + #"{"accepted":null,"damaged":null,"pinned":null,"proved":{"share":100,"time":"2026-11-23T04:05:06.000Z"},"removed":null,"sequence":5,"snapshot":"\#(five)","tags":[]}],"#
        + #""program":"holdfast test","repository":"\#(try id("a"))","revision":7,"signature":null,"source":"orders","time":"2026-11-23T04:05:06.000Z"}"#
    )
    #expect(try parse(bytes) == sample())
  }

  @Test func aSignatureIsChecked() throws {
    let writer = try WriterKey()
    let notes = try sample(isSealed: true)
    let read = try parse(notes.serialized(signedBy: writer.signing))
    #expect(read.signature?.key == writer.signing.publicKey)
    #expect(read.notes == notes.notes)
    // One that is sealed and not signed; and one that is signed and was changed.
    #expect(throws: DamageError.self) { try parse(notes.serialized()) }
    var changed = read
    changed.highest = 1
    let line = try ManifestLine(changed)
    #expect(throws: DamageError("notes", "its signature does not fit what it signs")) { try parse(line.bytes) }
  }

  /// What was signed as a manifest or a keyring is no revision of notes.
  @Test func notesAreToldApartFromManifests() throws {
    let writer = try WriterKey()
    let notes = try sample(isSealed: true)
    let unsigned = try ManifestLine(notes)
    for domain in ["holdfast-1 manifest", "holdfast-1 keyring"] {
      var other = notes
      other.signature = try writer.signing.sign(Array("\(domain)\n".utf8) + unsigned.line)
      #expect(throws: DamageError("notes", "its signature does not fit what it signs")) {
        try parse(ManifestLine(other).bytes)
      }
    }
  }

  @Test func hostileNotesAreRefused() throws {
    func expect(_ finding: String, _ change: (inout SourceNotes) throws -> Void) throws {
      var notes = try sample()
      try change(&notes)
      let bytes = try notes.serialized()
      #expect(throws: DamageError("notes", finding)) { try parse(bytes) }
    }
    let frame = "its revision, its time or the number of its notes is not sound"
    try expect(frame) { $0.revision = 0 }
    try expect(frame) { $0.time = RecordedTime(text: "yesterday") }
    try expect("its notes are not in order") { $0.notes.swapAt(0, 1) }
    try expect("its notes are not in order") { $0.notes[1].sequence = 1 }
    try expect("its notes are not in order") { $0.notes[0].sequence = 0 }
    try expect("its note on number 2 is not sound") { $0.notes[1].tags.append($0.notes[1].tags[0]) }
    try expect("its note on number 2 is not sound") { $0.notes[1].tags = (0...32).compactMap { Tag("t\($0)") } }
    try expect("its note on number 2 is not sound") { $0.notes[1].pinned?.reason = "\u{1B}[2J" }
    try expect("its note on number 2 is not sound") { $0.notes[1].pinned?.reason = String(repeating: "x", count: 257) }
    try expect("its note on number 2 is not sound") { $0.notes[1].pinned?.time = RecordedTime(text: "") }
    try expect("its note on number 2 is not sound") {
      $0.notes[1].accepted = SourceNotes.DatedReason(reason: "\u{1B}[2J", time: Self.time)
    }
    try expect("its note on number 5 is not sound") { $0.notes[2].proved?.share = 101 }
    try expect("its note on number 1 is not sound") { $0.notes[0].removed?.revision = 8 }
    try expect("its note on number 1 is not sound") { $0.notes[0].removed?.revision = 0 }
    try expect("its note on number 1 is not sound") { $0.notes[0].removed?.time = RecordedTime(text: "x") }
    try expect("its note on number 1 is not sound") { $0.notes[0].removed?.spares = ["b", "a"] }
    try expect("its note on number 1 is not sound") { $0.notes[0].removed?.spares = ["\u{1B}[2J"] }
    try expect("its note on number 2 is not sound") {
      $0.notes[1].setRemoval(SourceNotes.Removal(revision: 9, time: Self.time), at: "barn")
    }
    #expect(throws: FormatError("notes", "it needs the feature \"tomorrow\"")) {
      var notes = try sample()
      notes.features = ["tomorrow"]
      _ = try parse(notes.serialized())
    }
  }

  @Test func noBitOfThemCanBeChanged() throws {
    let bytes = try sample(isSealed: true).serialized(signedBy: WriterKey().signing)
    for index in stride(from: 0, to: bytes.count, by: 7) {
      var damaged = bytes
      damaged[index] ^= 4
      #expect(throws: (any Error).self, "byte \(index)") { try parse(damaged) }
    }
  }

  /// A number that a killed run has noted something on may be that of another snapshot later.
  @Test func aNoteBelongsToASnapshotNotToANumber() throws {
    var notes = try sample()
    #expect(notes[try id("f"), 2].isEmpty)
    notes[try id("f"), 2] = SourceNotes.Note(snapshot: try id("f"), sequence: 2)
    #expect(notes[try id("2"), 2].pinned != nil)
    notes[try id("f"), 2].pinned = SourceNotes.DatedReason(reason: "", time: Self.time)
    #expect(notes[try id("2"), 2].isEmpty)
    notes[try id("f"), 2].pinned = nil
    #expect(notes.notes.map(\.sequence) == [1, 5])
  }
}

/// The two lines of any manifest, whatever is wrong with their signature.
struct ManifestLine {
  let line: [UInt8]
  var bytes: [UInt8] { line + Array("\"\(Hasher.digest(line))\"\n".utf8) }

  init(_ notes: SourceNotes) throws { try self.init(unsigned: notes.serialized(), notes.signature) }

  init(_ list: TargetList) throws { try self.init(unsigned: list.serialized(), list.signature) }

  init(text: String) { line = Array((text + "\n").utf8) }

  /// - Parameter signature: stands in the line where it has none.
  private init(unsigned bytes: [UInt8], _ signature: Signature?) throws {
    var text = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    if let signature {
      let value = signature.value.map { byte in
        let digits = String(byte, radix: 16)
        return digits.count < 2 ? "0" + digits : digits
      }.joined()
      text.replace(
        #""signature":null"#, with: #""signature":{"key":"\#(signature.key)","value":"\#(value)"}"#)
    }
    line = Array((text + "\n").utf8)
  }
}
