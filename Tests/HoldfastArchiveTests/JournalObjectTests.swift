import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastTestSupport
import Testing

/// The journal of a source as one object: what is written comes back, it stays bounded, and a hostile one costs
/// nothing.
@Suite struct JournalObjectTests {
  private func entry(_ number: Int, texts: [String] = []) -> JournalEntry {
    var entry = JournalEntry(
      command: .backup, host: "shop-1", began: Timestamp(milliseconds: 1_763_885_978_000 + Int64(number) * 60_000),
      ended: Timestamp(milliseconds: 1_763_885_979_000 + Int64(number) * 60_000), took: .seconds(1), status: 0)
    entry.keep(texts: texts)
    entry.warnings = UInt64(texts.count)
    return entry
  }

  private func object(_ count: Int) throws -> JournalObject {
    var object = JournalObject()
    for number in 0..<count { try object.append(entry(number, texts: ["warning \(number)"])) }
    return object
  }

  private func randomEntry(_ random: inout SeededRandom) -> JournalEntry {
    let commands: [RunCommand] = [.backup, .merge, .verify, .prune, .restore, .drill]
    var entry = JournalEntry(
      command: commands.randomElement(using: &random) ?? .backup, host: "host-\(random.next() % 5)",
      began: Timestamp(milliseconds: Int64(random.next() % 4_000_000_000_000)),
      ended: Timestamp(milliseconds: Int64(random.next() % 4_000_000_000_000)),
      took: .milliseconds(Double(random.next() % 1_000_000_000)), status: Int32(random.next() % 256))
    func some<Value>(_ value: Value) -> Value? { random.next() % 2 == 0 ? value : nil }
    entry.snapshot = some(Identifier(bytes: random.bytes(16))) ?? nil
    entry.sequence = some(random.next() >> 2)
    entry.kind = some(SnapshotKind.allCases.randomElement(using: &random)) ?? nil
    entry.readBytes = some(random.next() >> 2)
    entry.storedBytes = some(random.next() >> 2)
    entry.provedBytes = some(random.next() >> 2)
    entry.restoredBytes = some(random.next() >> 2)
    entry.share = some(Double(random.next() % 101) / 100)
    entry.isDelta = some(true)
    entry.incomplete = random.next() >> 2
    entry.warnings = random.next() >> 2
    entry.keep(
      texts: (0..<Int(random.next() % 14)).map { _ in
        String(decoding: random.bytes(Int(random.next() % 300)), as: UTF8.self)
      })
    return entry
  }

  @Test func whatIsWrittenComesBack() throws {
    for seed in UInt64(700)..<740 {
      var random = SeededRandom(seed: seed)
      var object = JournalObject()
      var entries: [JournalEntry] = []
      for _ in 0..<(1 + random.next() % 40) {
        entries.append(randomEntry(&random))
        try object.append(entries[entries.count - 1])
      }
      let bytes = try object.serialized()
      let parsed = try JournalObject(parsing: bytes, name: "journal")
      #expect(parsed.entries == entries, "seed \(seed)")
      #expect(parsed.contains(entries[0]) && !parsed.contains(entry(-1)), "seed \(seed)")
      #expect(try parsed.serialized() == bytes, "seed \(seed)")
    }
  }

  @Test func onlyTheNewestRunsAreKept() throws {
    let object = try object(600)
    #expect(object.count == JournalObject.entriesMax)
    #expect(object.entries.map(\.began) == (88..<600).map { entry($0).began })
    #expect(try object.serialized().count < 64 << 10)
  }

  @Test func longWarningsKeepItBounded() throws {
    var object = JournalObject()
    var random = SeededRandom(seed: 741)
    for number in 0..<600 {
      try object.append(
        entry(number, texts: (0..<20).map { _ in String(decoding: random.text(500), as: UTF8.self) }))
    }
    #expect(object.count > 300 && object.count < JournalObject.entriesMax)
    let bytes = try object.serialized()
    #expect(bytes.count <= JournalObject.bytesMax)
    #expect(try JournalObject(parsing: bytes, name: "journal").entries.last?.began == entry(599).began)
  }

  @Test func textsAreCutAndCannotMoveACursor() throws {
    let one = entry(
      0, texts: ["a\u{1B}[2Jb\nc", String(repeating: "é", count: 150)] + Array(repeating: "x", count: 20))
    #expect(one.texts?.count == JournalEntry.textsMax)
    #expect(one.texts?[0] == "a?[2Jb c")
    #expect(one.texts?[1] == String(repeating: "é", count: 100), "200 bytes")
  }

  // MARK: Hostile

  @Test func whatIsCutShortIsRefused() throws {
    let bytes = try object(3).serialized()
    for count in 0..<bytes.count {
      #expect(throws: DamageError.self, "\(count)") { try JournalObject(parsing: Array(bytes[..<count]), name: "j") }
    }
  }

  @Test func everyChangedByteIsNoticed() throws {
    let bytes = try object(3).serialized()
    var random = SeededRandom(seed: 742)
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= UInt8(1 + random.next() % 255)
      #expect(throws: (any Error).self, "seed 742, byte \(index)") {
        try JournalObject(parsing: changed, name: "j")
      }
    }
  }

  @Test func messagesSayWhatIsWrong() throws {
    let bytes = try object(1).serialized()
    func message(_ change: (inout [UInt8]) -> Void) -> String? {
      var changed = bytes
      change(&changed)
      do {
        _ = try JournalObject(parsing: changed, name: "j")
        return nil
      } catch {
        return (error as? any OperatorError)?.message
      }
    }
    #expect(message { $0[0] = 0 } == "j is damaged: it is not a journal")
    #expect(
      message { $0[8] = 2 }
        == "j cannot be read by this version of holdfast: it has format 2, and this version reads format 1")
    #expect(message { $0[10] = 9 } == "j is damaged: its head is not sound")
    #expect(message { $0[16] ^= 1 } == "j is damaged: its entries do not have the digest in its head")
    #expect(message { $0.append(0) }?.hasPrefix("j is damaged: compressed bytes are damaged: ") == true)
  }

  /// A head that promises more than a journal may have is refused before anything is allocated for it.
  @Test func aBombIsNotUnpacked() throws {
    for length in [0, UInt32(JournalObject.plainBytesMax + 1), .max] {
      var bytes = try object(1).serialized()
      withUnsafeBytes(of: length.littleEndian) { bytes.replaceSubrange(12..<16, with: Array($0)) }
      #expect(throws: DamageError("j", "its head is not sound")) { try JournalObject(parsing: bytes, name: "j") }
    }
  }

  @Test func moreEntriesThanMayBeAreRefused() throws {
    let lines = Array(String(repeating: "x\n", count: JournalObject.entriesMax + 1).utf8)
    #expect(throws: DamageError("j", "it has too many entries")) {
      try JournalObject(parsing: SampleJournal.bytes(lines), name: "j")
    }
    #expect(throws: DamageError("j", "its last line is cut short")) {
      try JournalObject(parsing: SampleJournal.bytes([120]), name: "j")
    }
  }

  @Test(arguments: [
    #"{"#, #"[]"#, #"7"#, #""""#, #"{"command":"backup"}"#, String(repeating: "[", count: 10_000),
    SampleJournal.line(#""took":-1"#), SampleJournal.line(#""took":1e300"#), SampleJournal.line(#""status":256"#),
    SampleJournal.line(#""status":-1"#), SampleJournal.line(#""began":9223372036854775807"#),
    SampleJournal.line(#""readBytes":-5"#), SampleJournal.line(#""readBytes":18446744073709551615"#),
    SampleJournal.line(#""share":1.5"#), SampleJournal.line(#""share":"x""#),
    SampleJournal.line(#""command":"rm -rf""#),
    SampleJournal.line(#""command":"""#), SampleJournal.line(#""host":"\u001b[2J""#),
    SampleJournal.line(#""texts":["\u001b[2J"]"#), SampleJournal.line(#""texts":["\u202e"]"#),
    SampleJournal.line("\"texts\":[\"\(String(repeating: "x", count: 201))\"]"),
    SampleJournal.line(#""texts":["","","","","","","","","","",""]"#), SampleJournal.line(#""snapshot":"12""#),
    SampleJournal.line(#""kind":"partial""#),
    SampleJournal.line("\"x\":\"\(String(repeating: "x", count: 16 << 10))\""),
  ])
  func aLineThatIsNotSoundIsPassedOver(_ line: String) throws {
    let sound = SampleJournal.line(#""x":1"#)
    let object = try JournalObject(parsing: SampleJournal.bytes(Array("\(line)\n\(sound)\n".utf8)), name: "j")
    #expect(object.entries.map(\.took) == [.milliseconds(5)])
  }

  @Test func whatANewerVersionAddsIsPassedOver() throws {
    let line = SampleJournal.line(#""command":"scrub","shards":7"#)
    #expect(JournalEntry(parsing: Array(line.utf8))?.command == RunCommand("scrub"))
  }
}

/// Journals made by hand.
enum SampleJournal {
  /// A sound entry but for what is said last.
  static func line(_ fields: String) -> String {
    var all = [
      "command": #""backup""#, "host": #""a""#, "began": "1", "ended": "2", "took": "5", "status": "0",
      "incomplete": "0", "warnings": "0",
    ]
    let own = fields.split(separator: "\"").first.map(String.init) ?? ""
    all[own] = nil
    return "{" + all.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + ","
      + fields + "}"
  }

  /// The object of these plain bytes, not compressed.
  static func bytes(_ plain: [UInt8]) -> [UInt8] {
    let count = withUnsafeBytes(of: UInt32(plain.count).littleEndian) { Array($0) }
    return Array("HFJOURNL".utf8) + [1, 0, 0, 0] + count + Hasher.digest(plain).bytes + plain
  }
}
