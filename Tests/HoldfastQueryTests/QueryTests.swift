import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastQuery
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A query gives what SQLite gives on the restored file, and fetches little of it.
@Suite struct QueryTests {
  private struct Case: CustomTestStringConvertible, Sendable {
    let pageSize: Int
    let journal: String
    let isSealed: Bool
    let seed: UInt64
    var testDescription: String { "pages of \(pageSize), \(journal), sealed \(isSealed), seed \(seed)" }
  }

  private static let cases: [Case] = Trials.first(
    3,
    of: zip([4096, 512, 65_536, 1024], ["WAL", "DELETE", "WAL", "TRUNCATE"]).enumerated().map { number, kind in
      Case(
        pageSize: kind.0, journal: kind.1, isSealed: number == 0, seed: UInt64.random(in: 0 ... .max))
    })

  private static let schema = """
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, total REAL, note TEXT, receipt BLOB);
    CREATE INDEX by_customer ON orders (customer);
    """

  private func change(_ database: TestDatabase, by random: inout SeededRandom) throws {
    let first = Int.random(in: 0..<400, using: &random)
    try database.run(
      """
      BEGIN;
      DELETE FROM orders WHERE id BETWEEN \(first) AND \(first + 60);
      UPDATE orders SET total = total + 0.1 WHERE customer = \(Int.random(in: 0..<20, using: &random));
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
      INSERT INTO orders (customer, total, note, receipt)
        SELECT abs(random() % 20), abs(random() % 1000) / 7.0, iif(i % 5 = 0, NULL, 'for ' || i || char(10, 233)),
          randomblob(abs(random() % 1500)) FROM n;
      COMMIT;
      """)
  }

  private func query(_ random: inout SeededRandom) -> String {
    let id = Int.random(in: 0..<900, using: &random)
    return switch Int.random(in: 0..<5, using: &random) {
    case 0: "SELECT * FROM orders WHERE id = \(id)"
    case 1: "SELECT id, note, hex(receipt) FROM orders WHERE id BETWEEN \(id) AND \(id + 25) ORDER BY total, id"
    case 2: "SELECT count(*), sum(total), max(length(receipt)) FROM orders WHERE customer = \(id % 20)"
    case 3: "SELECT customer, count(*), avg(total) FROM orders GROUP BY customer HAVING count(*) > 3 ORDER BY 2, 1"
    default: "SELECT receipt, total, NULL FROM orders ORDER BY id DESC LIMIT 5 OFFSET \(id % 100)"
    }
  }

  /// Snapshots of a database that a program has open, in a chain.
  @Test(arguments: cases) private func aQueryGivesWhatSQLiteGivesOnTheRestoredFile(_ tried: Case) throws {
    let asked = try QueryShop(isSealed: tried.isSealed)
    var random = SeededRandom(seed: tried.seed)
    let program = try TestDatabase(
      asked.place, "PRAGMA page_size = \(tried.pageSize); PRAGMA journal_mode = \(tried.journal);" + Self.schema)
    for number in 0..<3 {
      try change(program, by: &random)
      try asked.shop.backup(number == 0 ? .full : .incremental)
    }
    try withExtendedLifetime(program) {
      for (number, snapshot) in try asked.shop.repository.catalog.allSnapshots(onDamage: { _ in }).enumerated() {
        let id = snapshot.id.description
        try asked.shop.restore(id, to: "restored \(number)")
        let copy = asked.shop.directory.appending("restored \(number)").appending("orders.db")
        let database = try asked.database(id)
        for _ in 0..<12 {
          let sql = query(&random)
          #expect(try database.rows(sql) == PlainSQLite.rows(sql, in: copy), "\(sql)")
        }
        #expect(try database.rows("PRAGMA integrity_check") == [[.text(Array("ok".utf8))]])
      }
    }
  }

  @Test func aPointLookUpFetchesAFewFrames() throws {
    let asked = try QueryShop()
    let program = try TestDatabase(asked.place, TestDatabase.orders)
    try program.order(3000, noteBytes: 3000)
    try asked.shop.backup()
    let database = try asked.database()
    let found = try database.firstValue("SELECT total FROM orders WHERE id = 1717")
    #expect(found == (try PlainSQLite.rows("SELECT total FROM orders WHERE id = 1717", in: asked.place))[0][0])
    #expect((1...4).contains(database.figures.framesRead), "\(database.figures)")
    #expect(database.figures.bytesFetched <= 4 * UInt64(Limits.archiveFrameBytes))
    // What was fetched is kept.
    let before = database.figures
    #expect(try database.firstValue("SELECT id FROM orders WHERE id = 1717") == .integer(1717))
    #expect(database.figures == before)
  }

  /// A far repository is asked for little, and a whole table comes with several requests at once.
  @Test func aFarRepositoryIsAskedForLittle() throws {
    let far = DistantStore(latency: .milliseconds(10))
    var opened: SnapshotDatabase?
    try far.withoutLatency {
      let asked = try QueryShop(far: far)
      let program = try TestDatabase(asked.place, TestDatabase.orders)
      try program.order(2000, noteBytes: 3000)
      try asked.shop.backup()
      opened = try asked.database(in: asked.shop.open())
    }
    let database = try #require(opened)
    far.forgetRequests()
    #expect(try database.firstValue("SELECT length(note) FROM orders WHERE id = 1717") == .integer(3000))
    // The last frame has the root of the tree, and perhaps more of it.
    #expect((1...4).contains(far.requests.count), "\(far.requests.map(\.what))")
    far.forgetRequests()
    let frames = database.figures.framesRead
    #expect(try database.firstValue("SELECT count(note) FROM orders") == .integer(2000))
    let read = database.figures.framesRead - frames
    #expect(read > 20 && far.roundTrips < read, "\(far.roundTrips) round trips for \(read) frames")
  }

  /// The page map begins with zeros, and the file has a hole.
  @Test func holesAndFilesThatAreNoDatabases() throws {
    let asked = try QueryShop()
    TestFiles.write([], to: asked.shop.source.appending("empty.db"))
    TestFiles.truncate(asked.shop.source.appending("empty.db"), to: 0)
    TestFiles.write([], to: asked.shop.source.appending("hole.db"))
    TestFiles.truncate(asked.shop.source.appending("hole.db"), to: 100_000)
    TestFiles.write("These are no pages of SQLite.\n", to: asked.shop.source.appending("note"))
    let program = try TestDatabase(
      asked.place, "PRAGMA secure_delete = ON; PRAGMA auto_vacuum = NONE;" + TestDatabase.orders)
    try program.order(200)
    try program.run("DELETE FROM orders WHERE id BETWEEN 20 AND 180")
    TestFiles.link(asked.place, as: asked.shop.source.appending("z-link.db"))
    try asked.shop.backup()
    #expect(try asked.ask("SELECT count(*) FROM sqlite_schema", "latest", Path("empty.db")) == [[.integer(0)]])
    #expect(try asked.ask("SELECT count(*) FROM orders", "latest", Path("z-link.db")) == [[.integer(39)]])
    #expect(try asked.ask("PRAGMA integrity_check").first == [.text(Array("ok".utf8))])
    for name in ["hole.db", "note"] {
      let refusal = try asked.refusal("SELECT 1 FROM sqlite_schema", Path(name))
      #expect(
        refusal?.description
          == "\(name) is no SQLite database that can be read\nHINT: If it is encrypted, or of another kind, restore it with `holdfast restore --path`."
      )
    }
    #expect(throws: EngineError.self) { try asked.database("latest", Path("orders")) }
  }

  @Test func changesThatAreStillBesideADatabaseAreNotPassedOver() throws {
    let asked = try QueryShop()
    let committed = try HotJournal.make(at: asked.place, orders: 300)
    // Only beside what SQLite would not open are these captured as files.
    let source = asked.shop.source
    TestFiles.write("no database", to: source.appending("a.db"))
    TestFiles.write("frames", to: source.appending("a.db-wal"))
    TestFiles.write("no database", to: source.appending("b.db"))
    TestFiles.write([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0], to: source.appending("b.db-journal"))
    TestFiles.write("no database", to: source.appending("c.db"))
    TestFiles.write([UInt8](repeating: 0, count: 512), to: source.appending("c.db-journal"))
    try asked.shop.backup()
    // A capture takes part in SQLite's recovery, so the snapshot has what was committed.
    let summary = try asked.ask("SELECT count(*) || ' ' || sum(total) || ' ' || sum(length(note)) || ' ok' FROM orders")
    #expect(summary == [[.text(Array(committed.utf8))]])
    let id = try asked.shop.snapshot().id.short
    for (name, other) in [("a.db", "a.db-wal"), ("b.db", "b.db-journal")] {
      #expect(
        throws: QueryError.unfinished(Path(name), beside: Path(other), snapshot: id)
      ) { try asked.database("latest", Path(name)) }
    }
    #expect(
      QueryError.unfinished(Path("a.db"), beside: Path("a.db-wal"), snapshot: "1a2b3c4d").description
        == "the snapshot has a.db-wal beside a.db, with changes that are not in a.db yet\nHINT: Restore both, and ask the copy: `holdfast restore 1a2b3c4d --path a.db --path a.db-wal --target DIR`."
    )
    _ = try asked.database("latest", Path("c.db"))
  }

  /// A damaged frame that would be fetched ahead stops only the query that needs it.
  @Test func damageThatNobodyAskedForStopsNoQuery() throws {
    let asked = try QueryShop()
    let program = try TestDatabase(asked.place, TestDatabase.orders)
    try program.order(500)
    try asked.shop.backup()
    let snapshot = try asked.shop.snapshot()
    let archive = try #require(snapshot.envelope.archives.first)
    let frames = try asked.shop.frames(of: snapshot)
    let file = try SnapshotFiles(of: snapshot, in: asked.shop.repository).file(at: QueryShop.name)
    let sound = try SnapshotBytes(file, in: asked.shop.repository)
    let frame = Limits.archiveFrameBytes
    func read(_ bytes: SnapshotBytes, _ count: Int) throws -> [UInt8] {
      var read = [UInt8](repeating: 0, count: count)
      try read.withUnsafeMutableBytes { try bytes.read(into: $0, at: 0) }
      return read
    }
    let expected = try read(sound, 3 * frame)
    #expect(expected == TestFiles.read(asked.place, at: 0, count: 3 * frame))
    // The frame of the fourth extent.
    var extents = file.extents
    for _ in 0..<3 { _ = try extents.next() }
    let damaged = frames[Int(try #require(try extents.next()?.location).frame)]
    let key = Keys.archive(snapshot.sourceName, archive.sequence, archive.id)
    asked.store.contents[key]?[Int(damaged.offset) + Int(damaged.storedCount) / 2] ^= 0x55
    #expect(try read(SnapshotBytes(file, in: asked.shop.repository), 3 * frame) == expected)
    #expect(throws: (any Error).self) { try read(SnapshotBytes(file, in: asked.shop.repository), 4 * frame) }
  }

  @Test func damageIsNamedAsCatNamesIt() throws {
    let asked = try QueryShop()
    let program = try TestDatabase(asked.place, TestDatabase.orders)
    try program.order(500)
    try asked.shop.backup()
    let snapshot = try asked.shop.snapshot()
    let archive = try #require(snapshot.envelope.archives.first)
    let key = Keys.archive(snapshot.sourceName, archive.sequence, archive.id)
    let frames = try asked.shop.frames(of: snapshot)
    try #require(frames.count > 3)
    let damaged = frames[frames.count / 2]
    asked.store.contents[key]?[Int(damaged.offset) + Int(damaged.storedCount) / 2] ^= 0x55
    let database = try asked.database()
    let sql = "SELECT sum(length(note)) FROM orders"
    let sink = try asked.shop.host.files.open(asked.shop.directory.appending("cat"), .create)
    let told = #expect(throws: (any Error).self) {
      try Cat(repository: asked.shop.repository).write(QueryShop.name, of: snapshot, to: sink)
    }
    let found = #expect(throws: (any Error).self) { try database.rows(sql) }
    let (cat, query) = (try #require(told.map(describe)), try #require(found.map(describe)))
    #expect(query.message == cat.message)
    #expect(query.message.contains(key))
    #expect(query.exitStatus == .dataLoss && query.isDamage)
  }
}
