import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// Of a journal exactly the pages count that SQLite restores from it, whatever its bytes are: SQLite itself is asked.
@Suite struct RollbackJournalTests {
  private let directory = TemporaryDirectory()
  private var database: Path { directory.appending("orders.db") }
  private var journal: Path { directory.appending("orders.db-journal") }

  // MARK: What SQLite makes of it

  /// The database after SQLite has rolled back.
  private func rolledBack(_ main: [UInt8], _ log: [UInt8]) throws -> [UInt8] {
    TestFiles.write(main, to: database)
    TestFiles.write(log, to: journal)
    var program: TestDatabase? = try TestDatabase(database)
    // What it restores may be no database, which it says afterwards.
    _ = try? program?.text("SELECT count(*) FROM sqlite_schema")
    program = nil
    return try #require(TestFiles.read(database))
  }

  /// The database as it is read through the journal.
  private func readThrough(_ main: [UInt8], _ log: [UInt8], _ found: RollbackJournal?) -> [UInt8] {
    guard let found else { return main }
    let (size, count) = (Int(found.pageSize), Int(found.pageCount))
    let index = found.index
    return (0..<count).flatMap { number -> ArraySlice<UInt8> in
      if let start = index.offset(of: UInt32(number) + 1) { return log[Int(start)..<Int(start) + size] }
      return padded(main, to: (number + 1) * size)[number * size..<(number + 1) * size]
    }
  }

  private func padded(_ bytes: [UInt8], to count: Int) -> [UInt8] {
    bytes + [UInt8](repeating: 0, count: max(0, count - bytes.count))
  }

  /// Compares both.
  private func expectSame(
    _ main: [UInt8], _ log: [UInt8], _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    TestFiles.write(log, to: journal)
    let header = try #require(SQLiteHeader(main))
    // Programs take a journal whose first byte is zero for none.
    let isHot = (log.first ?? 0) != 0
    let found = isHot ? try RollbackJournal.found(in: journal, pageSize: header.pageSize) : nil
    // SQLite would make a file of so many pages.
    guard (found?.pageCount ?? 0) <= 64 else { return }
    let shown = readThrough(main, log, found)
    let made = try rolledBack(main, log)
    let count = max(shown.count, made.count)
    let isSame = found == nil ? shown == made : padded(shown, to: count) == padded(made, to: count)
    #expect(isSame, comment, sourceLocation: sourceLocation)
  }

  /// A database whose transaction was cut off, and the journal of that.
  private func cutOff(pageSize: Int, synchronous: String) throws -> (main: [UInt8], log: [UInt8], committed: [UInt8]) {
    let program = try TestDatabase(
      database,
      "PRAGMA page_size=\(pageSize); PRAGMA journal_mode=DELETE; PRAGMA synchronous=\(synchronous); PRAGMA cache_size=1;"
        + TestDatabase.orders)
    try program.order(pageSize > 4096 ? 2000 : 20)
    let committed = try #require(TestFiles.read(database))
    try program.run("BEGIN; UPDATE orders SET total = total + 5, note = randomblob(3000)")
    try program.order(40)
    let (main, log) = try (#require(TestFiles.read(database)), #require(TestFiles.read(journal)))
    try program.run("ROLLBACK")
    return (main, log, committed)
  }

  @Test(arguments: [512, 1024, 4096, 65_536], ["OFF", "NORMAL", "FULL"])
  func aJournalOfSQLiteGivesWhatWasCommitted(pageSize: Int, synchronous: String) throws {
    let (main, log, committed) = try cutOff(pageSize: pageSize, synchronous: synchronous)
    TestFiles.write(log, to: journal)
    let found = try #require(try RollbackJournal.found(in: journal, pageSize: UInt32(pageSize), max: 100_000))
    #expect(main != committed && found.pageSize == UInt32(pageSize))
    #expect(Int(found.pageCount) * pageSize == committed.count)
    #expect(found.index.count > 1 && found.recordCount >= found.index.count)
    // Not compared within the expectation: to show how so many bytes differ takes minutes.
    let isRead = readThrough(main, log, found) == committed
    let isRolledBack = try rolledBack(main, log) == committed
    #expect(isRead && isRolledBack)
  }

  // MARK: Made by hand

  /// A database of four pages of 512 bytes, and a journal in two sections that restores two of three.
  private func sample() throws -> (main: [UInt8], log: HandmadeJournal) {
    var program: TestDatabase? = try TestDatabase(
      database,
      "PRAGMA page_size=512; PRAGMA journal_mode=DELETE; CREATE TABLE a (x); CREATE TABLE b (x); CREATE TABLE c (x)")
    try program?.run("INSERT INTO a VALUES (1)")
    program = nil
    let main = try #require(TestFiles.read(database))
    try #require(main.count == 4 * 512)
    var log = HandmadeJournal()
    log.sections = [
      HandmadeJournal.Section(pageCount: 3, records: [HandmadeJournal.Record(page: 2, content: 7)]),
      HandmadeJournal.Section(seed: 99, pageCount: 3, records: [HandmadeJournal.Record(page: 3, content: 8)]),
    ]
    return (main, log)
  }

  @Test func whatIsMadeByHandIsReadAsItWasMade() throws {
    let (main, log) = try sample()
    TestFiles.write(log.bytes, to: journal)
    let found = try #require(try RollbackJournal.found(in: journal))
    #expect(found.pageSize == 512 && found.pageCount == 3 && found.recordCount == 4)
    #expect(found.index.count == 2 && found.index.offset(of: 1) == nil)
    // A record of 520 bytes after the first sector fills the second and a part of the third.
    #expect(found.index.offset(of: 2) == 512 + 4 && found.index.offset(of: 3) == 4 * 512 + 4)
    try expectSame(main, log.bytes, "as it was made")
  }

  @Test func cutOffAnywhereItRestoresWhatSQLiteRestores() throws {
    let (main, log) = try sample()
    let bytes = log.bytes
    for count in 0...bytes.count { try expectSame(main, Array(bytes.prefix(count)), "\(count) bytes") }
  }

  @Test func withAnyByteDamagedItRestoresWhatSQLiteRestores() throws {
    let (main, log) = try sample()
    let bytes = log.bytes
    for place in bytes.indices {
      // Every bit of what is not the content of a page.
      let isNumber = place < 32 || (4 * 512 - 512..<4 * 512 - 480).contains(place) || place % 512 < 40
      for bit in isNumber ? Array(0..<8) : [place % 8] {
        var damaged = bytes
        damaged[place] ^= 1 << UInt8(bit)
        try expectSame(main, damaged, "bit \(bit) of byte \(place)")
      }
    }
  }

  /// Journals of SQLite before 3.5.8 do not say the page size: that of the database counts. To take them for nothing
  /// would give the half of a transaction for a committed state.
  @Test func aJournalWithoutAPageSizeHasThatOfTheDatabase() throws {
    var (main, log) = try sample()
    log.sections[0].pageSize = 0
    log.sections[1].pageSize = 0
    TestFiles.write(log.bytes, to: journal)
    #expect(try RollbackJournal.found(in: journal)?.index.count == 2)
    try expectSame(main, log.bytes, "no page size")
  }

  /// Only the first header says them.
  @Test(arguments: [0, 1, 513, 1024, .max] as [UInt32]) func sizesInLaterHeadersDoNotCount(size: UInt32) throws {
    var (main, log) = try sample()
    (log.sections[1].pageSize, log.sections[1].sectorSize) = (size, size)
    TestFiles.write(log.bytes, to: journal)
    #expect(try RollbackJournal.found(in: journal)?.index.count == 2)
    try expectSame(main, log.bytes, "\(size) in the second header")
  }

  @Test func sizesThatSQLiteDoesNotHaveRestoreNothing() throws {
    let (main, log) = try sample()
    for size in [1, 16, 256, 511, 513, 1000, 65_535, 65_537, 131_072, 1 << 31, .max] as [UInt32] {
      var other = log
      other.sections[0].pageSize = size
      TestFiles.write(other.bytes, to: journal)
      #expect(try RollbackJournal.found(in: journal) == nil, "pages of \(size)")
      try expectSame(main, other.bytes, "pages of \(size)")
    }
    for size in [0, 1, 16, 31, 33, 513, 65_535, 65_537, 131_072, 1 << 31, .max] as [UInt32] {
      var other = log
      other.sections[0].sectorSize = size
      TestFiles.write(other.bytes, to: journal)
      #expect(try RollbackJournal.found(in: journal) == nil, "sectors of \(size)")
      try expectSame(main, other.bytes, "sectors of \(size)")
    }
  }

  /// A record of no page, or of the page that SQLite only locks, ends the journal.
  @Test(arguments: [0, (1 << 30) / 512 + 1] as [UInt32]) func aPageThatIsNoneEndsIt(page: UInt32) throws {
    var (main, log) = try sample()
    log.sections[0].records.insert(HandmadeJournal.Record(page: page, content: 1), at: 0)
    TestFiles.write(log.bytes, to: journal)
    let found = try #require(try RollbackJournal.found(in: journal))
    #expect(found.index.count == 0 && found.pageCount == 3)
    try expectSame(main, log.bytes, "page \(page)")
  }

  /// SQLite passes over a page beyond the end of the database, and does not even look at its checksum.
  @Test(arguments: [4, 5, .max] as [UInt32]) func aPageBeyondTheEndEndsNothing(page: UInt32) throws {
    var (main, log) = try sample()
    let beyond = HandmadeJournal.Record(page: page, content: 1, isChecksumRight: false)
    log.sections[0].records.insert(beyond, at: 0)
    TestFiles.write(log.bytes, to: journal)
    #expect(try RollbackJournal.found(in: journal)?.index.offset(of: 3) != nil)
    try expectSame(main, log.bytes, "page \(page)")
  }

  /// No program writes a page twice; of a journal that has it twice, SQLite restores both.
  @Test func ofAPageThatIsThereTwiceTheLastRecordCounts() throws {
    var (main, log) = try sample()
    log.sections[1].records[0].page = 2
    TestFiles.write(log.bytes, to: journal)
    #expect(try RollbackJournal.found(in: journal)?.index.offset(of: 2) == 4 * 512 + 4)
    try expectSame(main, log.bytes, "twice")
  }

  @Test func aNumberOfRecordsThatIsNotWrittenIsThatOfTheWholeJournal() throws {
    var (main, log) = try sample()
    log.sections[0].records = (1...3).map { HandmadeJournal.Record(page: $0, content: UInt8($0)) }
    log.sections.removeLast()
    log.sections[0].recordCount = .max
    TestFiles.write(log.bytes, to: journal)
    #expect(try RollbackJournal.found(in: journal)?.index.count == 3)
    try expectSame(main, log.bytes, "a program that does not wait for the disk")
    for count in [0, 1, 2, 3, 4, 1000, .max - 1] as [UInt32] {
      log.sections[0].recordCount = count
      TestFiles.write(log.bytes, to: journal)
      #expect(try RollbackJournal.found(in: journal)?.index.count == Int(min(count, 3)))
      try expectSame(main, log.bytes, "\(count) records")
    }
  }

  @Test func anyJournalRestoresWhatSQLiteRestores() throws {
    let seed = UInt64.random(in: 0 ... .max)
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    let main = try sample().main
    for round in 0..<300 {
      var log = HandmadeJournal()
      log.sectorSize = [32, 512, 4096].randomElement(using: &random) ?? 512
      log.pageSize = [512, 1024].randomElement(using: &random) ?? 512
      let pageCount = UInt32.random(in: 0...8, using: &random)
      for number in 0..<Int.random(in: 1...4, using: &random) {
        var section = HandmadeJournal.Section(seed: UInt32(random.next() >> 32), pageCount: pageCount)
        if number > 0, Bool.random(using: &random) { section.pageCount = 77 }
        if number > 0, Bool.random(using: &random) { section.pageSize = UInt32(random.next() >> 32) }
        for _ in 0..<Int.random(in: 0...4, using: &random) {
          let page = UInt32.random(in: 1...10, using: &random)
          section.records.append(HandmadeJournal.Record(page: page, content: UInt8(random.next() & 255)))
        }
        let other: [UInt32?] = [nil, nil, nil, 0, 1, 100, .max]
        section.recordCount = other.randomElement(using: &random) ?? nil
        log.sections.append(section)
      }
      if let last = log.sections.indices.last, Bool.random(using: &random),
        let end = log.sections[last].records.indices.last
      {
        log.sections[last].records[end].isChecksumRight = false
      }
      var bytes = log.bytes
      if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 0...min(bytes.count, 1200), using: &random)) }
      try expectSame(main, bytes, "seed \(seed), round \(round)")
    }
  }

  // MARK: Limits

  /// No number in it makes it read more than there is, or more than is allowed.
  @Test func noMoreRecordsAreReadThanAllowed() throws {
    var log = HandmadeJournal()
    log.sections = (0..<3).map { _ in
      HandmadeJournal.Section(pageCount: 4, records: (1...4).map { HandmadeJournal.Record(page: $0, content: 1) })
    }
    TestFiles.write(log.bytes, to: journal)
    // Twelve records, three headers.
    for frames in 0...20 {
      let found = try #require(try RollbackJournal.found(in: journal, max: frames))
      #expect((found.recordCount > frames) == (frames < 15), "at most \(frames)")
      #expect(found.recordCount <= max(frames + 2, 15), "at most \(frames)")
    }
    #expect(try RollbackJournal.found(in: journal, max: 15)?.recordCount == 15)
  }

  /// Millions of headers without records fit into a file.
  @Test func aStopIsSeenBetweenRecordsAndBetweenHeaders() throws {
    for records in 0...1 {
      var log = HandmadeJournal()
      log.sectorSize = 32
      let made = (0..<records).map { _ in HandmadeJournal.Record(page: 1, content: 1) }
      log.sections = (0..<1000).map { _ in HandmadeJournal.Section(pageCount: 4, records: made) }
      TestFiles.write(log.bytes, to: journal)
      let asked = Mutex(0)
      let found = try RollbackJournal(FileSystem().open(journal, .read), databasePageSize: 512, framesMax: .max) {
        asked.withLock {
          $0 += 1
          return $0 > 10
        }
      }
      #expect(asked.withLock { $0 } <= 12 && (found?.recordCount ?? 0) <= 12)
    }
  }

  @Test func aJournalThatCannotBeReadIsAnError() throws {
    let log = try sample().log
    TestFiles.write(log.bytes, to: journal)
    for number in 0..<4 {
      let probe = FaultProbe(.fail(5), at: number, of: [.read])
      let file = try FileSystem(probe: probe).open(journal, .read)
      #expect(throws: SystemError("read", journal, code: 5), "read \(number)") {
        try RollbackJournal(file, databasePageSize: 512, framesMax: 1000) { false }
      }
    }
  }

  // MARK: Transactions on several databases

  private func isPartOfLarger(_ bytes: [UInt8]) throws -> Bool {
    TestFiles.write(bytes, to: journal)
    return try RollbackJournal.isPartOfLarger(FileSystem().open(journal, .read))
  }

  /// The name of the file that decides, its length, its checksum, and the magic bytes end the journal.
  private func end(_ name: String, length: UInt32? = nil) -> [UInt8] {
    let bytes = Array(name.utf8)
    let sum = bytes.reduce(UInt32(0)) { $0 &+ UInt32($1) }
    return bytes + [length ?? UInt32(bytes.count), sum].flatMap(HandmadeJournal.bigEndian) + HandmadeJournal.magic
  }

  /// SQLite asks the file that is named: while there is one it rolls back, and else it does not.
  @Test func theEndOfAJournalNamesTheFileThatDecides() throws {
    let (main, log) = try sample()
    let decides = directory.appending("orders.db-mj0")
    let bytes = log.bytes + end(decides.text)
    #expect(try isPartOfLarger(bytes))
    #expect(try rolledBack(main, bytes) == main)
    TestFiles.write(Array(journal.text.utf8) + [0], to: decides)
    #expect(try rolledBack(main, bytes) != main)
    #expect(try !isPartOfLarger(log.bytes))
  }

  @Test func whatIsNoSuchEndIsNone() throws {
    let bytes = [UInt8](repeating: 1, count: 40) + end("abc")
    #expect(try isPartOfLarger(bytes))
    for count in 0..<bytes.count {
      #expect(try !isPartOfLarger(Array(bytes.prefix(count))), "\(count) bytes")
    }
    for bit in 0..<64 {
      var damaged = bytes
      damaged[bytes.count - 1 - bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(try !isPartOfLarger(damaged), "bit \(bit)")
    }
    // A name within the journal: all of it, and one byte more.
    let room = UInt32(bytes.count - 16)
    for (length, isOne) in [(0, false), (1, true), (room, true), (room + 1, false), (.max, false)] as [(UInt32, Bool)] {
      #expect(try isPartOfLarger([UInt8](repeating: 1, count: 40) + end("abc", length: length)) == isOne, "\(length)")
    }
  }
}
