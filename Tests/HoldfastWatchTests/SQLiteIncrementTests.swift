import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// An increment of a database in WAL mode reads only what was committed since the parent, and finds all that a read of
/// the whole database would find.
@Suite struct SQLiteIncrementTests {
  /// A kernel stamps the times of a file with its last tick. After this, a write has another time.
  private static let tick = TimeSpan.milliseconds(12)

  private static func shop(_ setup: String, orders: Int = 300) throws -> (TestShop, TestDatabase) {
    let shop = try TestShop(clock: TestHost.clock(ahead: 10))
    let database = try TestDatabase(shop.source.appending("orders.db"), setup + TestDatabase.orders)
    try database.order(orders)
    return (shop, database)
  }

  /// The byte of `-shm` that every program locks while it has the database open (SQLite's walformat, section 2.3).
  private static let openByte: Range<UInt64> = 128..<129

  private static func increment(of shop: TestShop, isParanoid: Bool = false) throws -> Envelope {
    defer { Pause.time(tick) }
    // The locks of this process vanish when a capture closes the files that SQLite has open here, too; not this one.
    let index = try? FileSystem().open(shop.source.appending("orders.db-shm"), .read)
    _ = try index?.lockShared(openByte)
    defer { withExtendedLifetime(index) {} }
    return try shop.backup { $0.isParanoid = isParanoid }.envelope
  }

  @Test func aSmallChangeOfALargeDatabaseIsReadAlone() throws {
    let (shop, database) = try Self.shop("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;")
    try database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    try database.order(1)
    _ = try Self.increment(of: shop)
    try database.run("UPDATE orders SET total = 1 WHERE id = 7")
    let second = try Self.increment(of: shop)
    #expect((1...8).contains(second.changes.pages) && second.changes.readBytes <= 8 * 4096, "\(second.changes)")
    // A reading of everything finds nothing that was missed.
    #expect(try Self.increment(of: shop, isParanoid: true).changes.pages == 0)
    try shop.restore(to: "restored")
    let copy = shop.directory.appending("restored/orders.db")
    #expect(try TestDatabase(copy).summary() == database.summary())
  }

  /// What a checkpoint has written into the main file, and what was in a WAL that was begun anew, is not known: then
  /// all is read.
  @Test(arguments: ["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
  func afterACheckpointAllIsRead(kind: String) throws {
    let (shop, database) = try Self.shop("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;")
    _ = try Self.increment(of: shop)
    try database.order(2)
    try database.run("PRAGMA wal_checkpoint(\(kind))")
    try database.order(1)
    let second = try Self.increment(of: shop)
    #expect(second.changes.readBytes > 900_000, "\(second.changes)")
    #expect(try Self.increment(of: shop, isParanoid: true).changes.pages == 0)
  }

  private static let statements = [
    "DELETE FROM orders WHERE id % 5 = 0", "UPDATE orders SET total = total + 1 WHERE id % 7 = 0", "VACUUM",
    "PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(FULL)", "PRAGMA wal_checkpoint(RESTART)",
    "PRAGMA wal_checkpoint(TRUNCATE)", "BEGIN; UPDATE orders SET note = randomblob(2000); ROLLBACK",
    "SAVEPOINT a; DELETE FROM orders WHERE id % 3 = 0; ROLLBACK TO a; UPDATE orders SET total = 3 WHERE id = 5; RELEASE a",
    "PRAGMA incremental_vacuum", "PRAGMA journal_mode = DELETE; PRAGMA journal_mode = WAL",
  ]

  /// Whatever is done between two captures: a reading of everything straight afterwards finds no page that the cheap
  /// one has missed. Long runs at night.
  @Test(arguments: Trials.seeds(byDay: 6, atNight: 200)) func nothingIsMissed(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let pageSize = [512, 1024, 4096, 16_384, 65_536].randomElement(using: &random) ?? 4096
    let vacuum = ["NONE", "FULL", "INCREMENTAL"].randomElement(using: &random) ?? "NONE"
    var (shop, database) = try Self.shop(
      """
      PRAGMA page_size = \(pageSize); PRAGMA auto_vacuum = \(vacuum); PRAGMA journal_mode = WAL;
      PRAGMA wal_autocheckpoint = \([0, 20, 1000].randomElement(using: &random) ?? 0);
      """, orders: 100)
    var cheapCount = 0
    for step in 0..<14 {
      for _ in 0..<Int.random(in: 0...3, using: &random) {
        switch Int.random(in: 0..<10, using: &random) {
        case 0...5: try database.order(Int.random(in: 1...5, using: &random))
        case 6: database = try TestDatabase(shop.source.appending("orders.db"))
        default: try? database.run(Self.statements.randomElement(using: &random) ?? "")
        }
      }
      let captured = try Self.increment(of: shop)
      let size = UInt64(try database.text("PRAGMA page_count")).map { $0 * UInt64(pageSize) } ?? 0
      if step > 0, captured.changes.pages > 0, captured.changes.readBytes < size / 2 { cheapCount += 1 }
      let missed = try Self.increment(of: shop, isParanoid: true).changes
      #expect(missed.pages == 0 && missed.readBytes >= size, "seed \(seed), step \(step): \(missed)")
    }
    print("seed \(seed), pages of \(pageSize): \(cheapCount) of 13 increments that found changes read less than half")
    try shop.restore(to: "restored")
    #expect(try TestDatabase(shop.directory.appending("restored/orders.db")).summary() == database.summary())
  }
}
