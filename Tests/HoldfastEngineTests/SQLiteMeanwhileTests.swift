import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What was learned of a database before it is read is proved again when it is read: whatever its programs do to it
/// meanwhile, what is captured is one committed state, or it is named.
@Suite(.timeLimit(.minutes(30))) struct SQLiteMeanwhileTests {
  private let shop: TestShop
  private var place: Path { shop.source.appending("z/orders.db") }

  init() throws {
    shop = try TestShop(clock: TestHost.clock(ahead: 10))
    TestFiles.makeDirectory(shop.source.appending("z"))
  }

  private func restored() throws -> (summary: String, names: [String]) {
    let target = shop.directory.appending("restored \(shop.host.random.identifier().short)")
    try shop.restore(to: String(decoding: target.lastComponent, as: UTF8.self))
    let names = TestFiles.names(in: target.appending("z")).sorted()
    return (try TestDatabase(target.appending("z/orders.db")).summary(), names)
  }

  /// A backup of each database by itself, during which something happens when the survey is over: before the directory
  /// is about to be captured, or, with a file in it that comes before the database, when the capture of that has begun.
  private func backup(
    before path: String, time: Int, _ meddle: @escaping @Sendable () -> Void
  ) throws -> Backup.Report {
    // Something differs from the parent, so that there is a capture after the survey.
    TestFiles.setMode(shop.source.appending("z"), 0o700)
    let probe = MeddlingProbe(before: .open, of: path) { if $0 == time { meddle() } }
    let report = try shop.backup(in: shop.repository(probe: probe)) { $0.groupsDatabases = false }
    #expect(probe.times > time)
    return report
  }

  @Test(arguments: [
    "PRAGMA page_size = 16384; VACUUM", "PRAGMA page_size = 512; VACUUM", "DELETE FROM orders WHERE id > 20; VACUUM",
    "PRAGMA auto_vacuum = FULL; VACUUM; DELETE FROM orders WHERE id > 20",
    "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0",
    "PRAGMA journal_mode = WAL; PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA journal_mode = PERSIST; UPDATE orders SET total = total + 1",
    "DROP TABLE orders; VACUUM; \(TestDatabase.orders)",
  ])
  func aDatabaseThatIsMadeOverMeanwhileIsOneCommittedState(change: String) throws {
    let database = try TestDatabase(place, "PRAGMA journal_mode = DELETE;" + TestDatabase.orders)
    try database.order(200)
    TestFiles.write("a file", to: shop.source.appending("z/a file"))
    let report = try backup(before: "z/a file", time: 0) {
      try? database.run(change)
      try? database.order(30)
    }
    #expect(report.problems == [])
    let copy = try restored()
    #expect(try copy.summary == database.summary() && copy.names == ["a file", "orders.db"])
  }

  /// The parent has its pages in another size.
  @Test func aPageSizeThatChangesBetweenSnapshotsIsNoMatter() throws {
    let database = try TestDatabase(
      place, "PRAGMA page_size = 4096; PRAGMA journal_mode = DELETE;" + TestDatabase.orders)
    try database.order(100)
    try shop.backup()
    for size in [65_536, 512, 4096] {
      try database.run("PRAGMA page_size = \(size); VACUUM")
      try database.order(1)
      #expect(try shop.backup().problems == [])
      #expect(try restored().summary == database.summary())
    }
  }

  /// A program that writes a new database and renames it: in WAL mode, and it goes on in it.
  @Test(arguments: [false, true]) func ofADatabaseThatAnotherOneReplacesOneIsCaptured(isInParent: Bool) throws {
    try TestDatabase(place, "PRAGMA journal_mode = DELETE;" + TestDatabase.orders).order(50)
    if isInParent { try shop.backup() }
    let other = shop.directory.appending("other.db")
    let successor = try TestDatabase(
      other, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;" + TestDatabase.orders)
    try successor.order(10)
    let report = try backup(before: "z", time: 1) { [place] in
      for suffix in ["", "-wal", "-shm"] {
        TestFiles.rename(
          Path(bytes: other.bytes + Array(suffix.utf8)), to: Path(bytes: place.bytes + Array(suffix.utf8)))
      }
    }
    #expect(report.problems == [])
    #expect(try restored().summary == successor.summary())
  }

  /// It was an empty file when it was looked for databases.
  @Test func anEmptyFileThatBecomesADatabaseIsCapturedAsOne() throws {
    TestFiles.write([UInt8](), to: place)
    TestFiles.write("a file", to: shop.source.appending("z/a file"))
    let report = try backup(before: "z/a file", time: 0) { [place] in
      try? TestDatabase(place, TestDatabase.orders).order(20)
    }
    #expect(report.problems == [])
    #expect(try restored().summary.hasPrefix("20 "))
  }

  /// The first commit of a program: its journal would take back everything, and would empty what is restored.
  @Test func theJournalOfADatabaseThatIsBeingMadeIsLeftOut() throws {
    TestFiles.write([UInt8](), to: place)
    let journal = Path(bytes: place.bytes + Array("-journal".utf8))
    TestFiles.write([UInt8](repeating: 0, count: 512), to: journal)
    let probe = MeddlingProbe(before: .open, of: "z/orders.db") { [place] time in
      if time == 0 { try? TestDatabase(place, "PRAGMA journal_mode = MEMORY;" + TestDatabase.orders).order(20) }
    }
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(probe.times > 0 && report.problems == [])
    #expect(try restored().names == ["orders.db"] && restored().summary.hasPrefix("20 "))
  }

  /// What a copy of the directory is after SQLite has recovered it is what was captured of it, whatever was going on
  /// when the program was killed.
  @Test func whatAKilledProgramLeavesIsCapturedAsSQLiteRecoversIt() async throws {
    let seed = UInt64.random(in: 0..<1 << 40)
    print("seed \(seed)")
    let script = shop.directory.appending("writer.py")
    let begun = shop.directory.appending("begun")
    TestFiles.write(Self.writer, to: script)
    for round in 0..<5 {
      let process = RunningProcess(.init(["python3", script.text, place.text, "\(seed + UInt64(round))", begun.text]))
      #expect(await Patience.waits(.seconds(30)) { TestFiles.exists(begun) })
      TestFiles.remove(begun)
      for _ in 0..<(round * 7 % 10) { Pause.forAnotherThread() }
      process.send(9)
      _ = process.wait()
      let before = TreeDescription(of: shop.source)
      #expect(try shop.backup().problems == [])
      #expect(TreeDescription(of: shop.source) == before, "nothing is made, written or removed in the source")
      let copy = shop.directory.appending("copy \(round)")
      TestFiles.copyTree(shop.source, to: copy)
      #expect(try restored().summary == TestDatabase(copy.appending("z/orders.db")).summary(), "round \(round)")
    }
  }

  private static let writer = """
    import random, sqlite3, sys

    place, seed = sys.argv[1], int(sys.argv[2])
    chance = random.Random(seed)
    database = sqlite3.connect(place, isolation_level=None)
    database.execute("PRAGMA cache_size = 5")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA journal_mode = " + chance.choice(["DELETE", "WAL", "PERSIST", "TRUNCATE", "WAL"]))
    database.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, total INTEGER, note BLOB)")
    open(sys.argv[3], "w").close()
    while True:
        database.execute("BEGIN")
        for _ in range(chance.randrange(1, 40)):
            database.execute("INSERT INTO orders (total, note) VALUES (?, randomblob(?))",
                             (chance.randrange(1000), chance.randrange(6000)))
            database.execute("UPDATE orders SET total = total + 1, note = randomblob(900) WHERE id % 7 = ?",
                             (chance.randrange(7),))
        database.execute("DELETE FROM orders WHERE id % 5 = ? AND id > 20", (chance.randrange(5),))
        database.execute(chance.choice(["COMMIT", "COMMIT", "ROLLBACK"]))
        if chance.random() < 0.1:
            database.execute("VACUUM")
    """
}
