import HoldfastDrill
import HoldfastModel
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A drill finds the databases that are there, also where their first page is damaged, and says what it did not check.
@Suite struct DrillFindingTests {
  private static let more =
    "WITH n (i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 900) INSERT INTO orders SELECT i, 1, 1, '' FROM n;"

  /// Pages of all sizes: the rest of the file shows what it was.
  @Test(arguments: [512, 4096, 65_536]) func aDatabaseWithoutItsFirstPageFailsTheDrill(_ pageSize: Int) throws {
    let shop = try DrillShop()
    TestFiles.remove(shop.database)
    _ = try TestDatabase(shop.database, "PRAGMA page_size = \(pageSize); \(DrillShop.tables) \(Self.more)")
    TestFiles.overwrite(shop.database, at: 0, with: [UInt8](repeating: 0, count: pageSize))
    try shop.shop.backup()
    #expect(shop.objection(to: try shop.drill()) == "database: orders.db: file is not a database")
  }

  @Test func theDatabaseThatIsNamedIsOpenedWhateverItLooksLike() throws {
    let shop = try DrillShop()
    TestFiles.overwrite(shop.database, at: 0, with: [UInt8](repeating: 0xff, count: 12_288))
    try shop.shop.backup()
    #expect(try shop.drill().failure == nil, "nothing shows what it was")
    #expect(
      shop.objection(to: try shop.drill { $0.database = "orders.db" }) == "database: orders.db: file is not a database")
  }

  @Test func otherFilesAreNoDatabases() throws {
    let shop = try DrillShop()
    var random = SeededRandom(seed: 7)
    for (name, bytes) in [
      ("photo.jpg", (0..<65_536).map { _ in UInt8.random(in: 0...255, using: &random) }),
      ("zeros", [UInt8](repeating: 0, count: 65_536)), ("returns.txt", [UInt8](repeating: 13, count: 65_536)),
      ("text", Array(String(repeating: "an order of nothing\n", count: 4096).utf8.prefix(65_536))),
    ] {
      TestFiles.write(bytes, to: shop.shop.source.appending(name))
    }
    try shop.shop.backup()
    #expect(try shop.drill().databases == [Path("orders.db")])
  }

  /// An extension that encrypts a database leaves the header of its log readable.
  @Test func anEncryptedDatabaseIsNamedAndNothingIsCalledSound() throws {
    let shop = try DrillShop()
    var random = SeededRandom(seed: 7)
    let live = try TestDatabase(
      shop.shop.source.appending("secret.db"), "PRAGMA journal_mode = wal; CREATE TABLE secrets (id)")
    let log = try #require(TestFiles.read(shop.shop.source.appending("secret.db-wal")))
    _ = live
    let garbled = log.prefix(32) + (32..<log.count).map { _ in UInt8.random(in: 0...255, using: &random) }
    let copy = shop.shop.source.appending("copy.db")
    TestFiles.write((0..<8192).map { _ in UInt8.random(in: 0...255, using: &random) }, to: copy)
    TestFiles.write(Array(garbled), to: shop.shop.source.appending("copy.db-wal"))
    TestFiles.write(
      (0..<8192).map { _ in UInt8.random(in: 0...255, using: &random) }, to: shop.shop.source.appending("torn.db"))
    TestFiles.write(log, to: shop.shop.source.appending("torn.db-wal"))
    try shop.shop.backup()
    let report = try shop.drill()
    #expect(report.unchecked == ["copy.db looks like an encrypted database, or a damaged one, and was not opened"])
    #expect(report.databases.contains(Path("torn.db")) && !report.databases.contains(Path("copy.db")))
    #expect(
      report.verdict.hasSuffix(
        "databases are open (not checked: copy.db looks like an encrypted database, or a damaged one, and was not opened)"
      ), "\(report.verdict)")
  }

  /// The journal of a transaction over several databases names a file by its path in the live source, which SQLite
  /// would remove.
  @Test func aJournalThatLeadsToTheLiveSourceIsNotFollowed() throws {
    let shop = try DrillShop()
    let name = Array(shop.shop.source.appending("orders.db-mj12345678").text.utf8)
    func word(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) } }
    let magic: [UInt8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]
    let head = magic + word(0) + word(1) + word(3) + word(512) + word(4096)
    let sum = name.reduce(UInt32(0)) { $0 &+ UInt32($1) }
    let tail = word((1 << 30) / 4096 + 1) + name + word(UInt32(name.count)) + word(sum) + magic
    let journal = head + [UInt8](repeating: 0, count: 512 - head.count) + tail
    TestFiles.write(journal, to: shop.shop.source.appending("orders.db-journal"))
    try shop.shop.backup()
    #expect(
      shop.refusal { _ in }
        == "orders.db was captured in the middle of a transaction over several databases: SQLite would look for the end of it in the live source, which a drill must not touch\nHINT: Drill another snapshot, and find out why that transaction did not end."
    )
  }

  @Test func withoutPgAmcheckNoDatabaseIsCalledSound() throws {
    let shop = try DrillCluster()
    let programs = shop.cluster.directory.appending("programs")
    TestFiles.makeDirectory(programs)
    let version = String(decoding: TestFiles.read(shop.cluster.data.appending("PG_VERSION")) ?? [], as: UTF8.self)
    let own = "/usr/lib/postgresql/\(version.filter(\.isNumber))/bin/postgres"
    TestFiles.symbolicLink(own, at: programs.appending("postgres"))
    let report = try shop.drill { $0.programs = [programs.text] }
    #expect(report.failure == nil)
    #expect(
      report.verdict.hasSuffix(
        "2 databases are open (not checked: pg_amcheck is not installed, and the databases of the cluster were only opened)"
      ), "\(report.verdict)")
  }
}
