import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// The owner of files in a source can have nothing done in his name, and keeps nobody else's database from being
/// captured.
@Suite(.timeLimit(.minutes(30))) struct SQLiteHostileTests {
  private static let wal = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
  private let shop: TestShop
  private let elsewhere = TemporaryDirectory()

  init() throws { shop = try TestShop(clock: TestHost.clock(ahead: 10)) }

  private func place(_ name: String) -> Path { shop.source.appending(name) }

  private func restored(_ name: String) throws -> String {
    try shop.restore(to: "restored")
    return try TestDatabase(shop.directory.appending("restored").appending(name)).summary()
  }

  private static func reason(_ why: String) -> String {
    "it is an SQLite database that could not be opened (\(why)): a plain copy may be of different moments"
  }

  /// Takes a backup, which leaves the source as it was.
  private func backup() throws -> Backup.Report {
    let before = TreeDescription(of: shop.source)
    let outside = TreeDescription(of: elsewhere.path)
    let report = try shop.backup()
    #expect(TreeDescription(of: shop.source) == before && TreeDescription(of: elsewhere.path) == outside)
    return report
  }

  private static func word(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
  }

  /// SQLite removes a file whose name a hot journal gives, whatever it is.
  @Test func aJournalThatNamesAnotherFileIsLeftAloneAndItsDatabaseIsNamed() throws {
    let victim = elsewhere.appending("victim")
    TestFiles.write("precious", to: victim)
    try TestDatabase(place("orders.db"), TestDatabase.orders).order(3)
    let magic: [UInt8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]
    var journal = magic + Self.word(0) + Self.word(7) + Self.word(2) + Self.word(512) + Self.word(4096)
    journal += [UInt8](repeating: 0, count: 512 - journal.count)
    let name = Array(victim.text.utf8)
    journal += Self.word((1 << 30) / 4096 + 1) + name + Self.word(name.count)
    journal += Self.word(name.reduce(0) { $0 + Int($1) }) + magic
    TestFiles.write(journal, to: place("orders.db-journal"))
    TestFiles.write("another file", to: place("other"))
    let report = try backup()
    #expect(
      report.problems == [
        Problem(
          path: Path("orders.db"),
          reason: Self.reason("a transaction on several databases was cut off, and only a program of theirs may end it")
        )
      ])
    #expect(try shop.entries().keys.sorted() == [".", "orders.db", "orders.db-journal", "other"])
  }

  /// In each place where SQLite keeps something lies a link to a file of somebody else's.
  @Test(arguments: ["-wal", "-shm", "-journal"])
  func aLinkBesideADatabaseIsNotFollowed(suffix: String) throws {
    let victim = elsewhere.appending("victim")
    TestFiles.write([UInt8](repeating: 1, count: 40_000), to: victim)
    let database = try TestDatabase(
      place("orders.db"), (suffix == "-journal" ? "PRAGMA journal_mode = DELETE;" : Self.wal) + TestDatabase.orders)
    try database.order(3)
    TestFiles.remove(place("orders.db" + suffix))
    TestFiles.symbolicLink(victim.text, at: place("orders.db" + suffix))
    let report = try backup()
    #expect(
      report.problems == [
        Problem(
          path: Path("orders.db"),
          reason: Self.reason("orders.db\(suffix) cannot be read or locked: Too many levels of symbolic links"))
      ])
  }

  /// Else whoever owns the database would get what is in the WAL with it.
  @Test(.requires(.root)) func anotherUsersWALIsNotRead() throws {
    var secret: TestDatabase? = try TestDatabase(elsewhere.appending("secret.db"), Self.wal + TestDatabase.orders)
    try secret?.order(3)
    for suffix in ["", "-wal"] {
      let from = Path(bytes: elsewhere.appending("secret.db").bytes + Array(suffix.utf8))
      if suffix.isEmpty {
        TestFiles.write(try #require(TestFiles.read(from)), to: place("orders.db"))
      } else {
        TestFiles.link(from, as: place("orders.db-wal"))
      }
    }
    TestFiles.setOwner(place("orders.db"), userID: 65_534, groupID: 65_534)
    let report = try shop.backup()
    #expect(
      report.problems == [
        Problem(
          path: Path("orders.db"), reason: Self.reason("orders.db-wal has other names, and belongs to another user"))
      ])
    secret = nil
  }

  /// What is no file would be waited for, or read without end.
  @Test func aFifoInThePlaceOfAWALIsNotWaitedFor() throws {
    try TestDatabase(place("orders.db"), Self.wal + TestDatabase.orders).order(3)
    TestFiles.makeFifo(place("orders.db-wal"))
    let report = try backup()
    #expect(
      report.problems == [Problem(path: Path("orders.db"), reason: Self.reason("orders.db-wal is not a file"))])
  }

  /// 256 TiB, if one believed it.
  @Test func aWALThatClaimsMorePagesThanThereAreIsNamed() throws {
    try TestDatabase(place("orders.db"), "PRAGMA page_size = 65536;" + Self.wal + TestDatabase.orders).order(1)
    let first = try #require(TestFiles.read(place("orders.db"), at: 0, count: 65_536))
    let claimed = Int(UInt32.max - 1)
    let salts = Self.word(1) + Self.word(2)
    var log = Self.word(0x377f_0682) + Self.word(3_007_000) + Self.word(65_536) + Self.word(0) + salts
    var sums = Self.checksum(log, (0, 0))
    log += Self.word(Int(sums.0)) + Self.word(Int(sums.1))
    sums = Self.checksum(first, Self.checksum(Self.word(1) + Self.word(claimed), sums))
    log += Self.word(1) + Self.word(claimed) + salts + Self.word(Int(sums.0)) + Self.word(Int(sums.1)) + first
    TestFiles.write(log, to: place("orders.db-wal"))
    try TestDatabase(place("other.db"), TestDatabase.orders).order(3)
    let report = try backup()
    #expect(
      report.problems == [Problem(path: Path("orders.db"), reason: Self.reason("pages of it are missing"))])
    #expect(try restored("other.db").hasPrefix("3 "))
  }

  /// Words in the order of most machines, as SQLite writes them there.
  private static func checksum(_ bytes: [UInt8], _ sums: (UInt32, UInt32)) -> (UInt32, UInt32) {
    var (first, second) = sums
    for offset in stride(from: 0, to: bytes.count, by: 8) {
      func word(_ at: Int) -> UInt32 { bytes[at..<at + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) } }
      first = first &+ word(offset) &+ second
      second = second &+ word(offset + 4) &+ first
    }
    return (first, second)
  }

  /// Its tables are nobody's business here: SQLite would parse all of them before it reads anything.
  @Test func aSchemaThatCannotBeParsedIsNoMatter() throws {
    let database = try TestDatabase(place("orders.db"), TestDatabase.orders)
    try database.run(
      """
      PRAGMA writable_schema = ON;
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
      INSERT INTO sqlite_schema SELECT 'table', 't' || i, 't' || i, 2, 'CREATE TABLE nonsense' FROM n;
      """)
    let report = try backup()
    #expect(report.problems == [] && report.envelope.consistency == .sqliteQuiesced)
    try shop.restore(to: "restored")
    #expect(
      TestFiles.read(shop.directory.appending("restored/orders.db")) == TestFiles.read(place("orders.db")))
  }

  /// A program that has it open may cut off what others have in memory of it.
  @Test func aFileOfSharedMemoryThatIsCutOffHarmsNobody() throws {
    let database = try TestDatabase(place("orders.db"), Self.wal + TestDatabase.orders)
    try database.order(3)
    let summary = try database.summary()
    let other = try TestDatabase(place("other.db"), Self.wal + TestDatabase.orders)
    try other.order(3)
    for suffix in ["", "-wal", "-shm"] {
      // Of a database that nobody in this process has open.
      let from = TestFiles.read(place("orders.db" + suffix)) ?? []
      TestFiles.write(suffix == "-shm" ? Array(from.prefix(50)) : from, to: place("copy.db" + suffix))
    }
    #expect(try backup().problems == [])
    #expect(try restored("copy.db") == summary)
  }

  /// As on file systems without locks.
  @Test func aDatabaseThatCannotBeLockedIsNamed() throws {
    try TestDatabase(place("orders.db"), TestDatabase.orders).order(3)
    try TestDatabase(place("other.db"), TestDatabase.orders).order(3)
    let probe = MeddlingProbe(before: .lock, of: "orders.db") { (_) throws(SystemError) in
      throw SystemError("lock", Path("orders.db"), code: ENOLCK)
    }
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(
      report.problems == [
        Problem(
          path: Path("orders.db"), reason: Self.reason("orders.db cannot be read or locked: No locks available"))
      ])
    #expect(try restored("other.db").hasPrefix("3 "))
  }

  /// Each is waited for five seconds, side by side; and the rest is captured.
  @Test func manyLockedDatabasesAreWaitedForAtOnce() throws {
    let names = (0..<12).map { "locked \($0).db" }
    let holders = try names.map { try TestDatabase(place($0), "CREATE TABLE t (x); BEGIN EXCLUSIVE;") }
    try TestDatabase(place("orders.db"), TestDatabase.orders).order(3)
    let begun = ContinuousClock.now
    let report = try shop.backup()
    #expect(ContinuousClock.now - begun < .seconds(25))
    #expect(
      report.problems == names.sorted().map { Problem(path: Path($0), reason: Self.reason("database is locked")) })
    #expect(try restored("orders.db").hasPrefix("3 "))
    withExtendedLifetime(holders) {}
  }
}
