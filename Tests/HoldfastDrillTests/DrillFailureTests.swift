import HoldfastArchive
import HoldfastDrill
import HoldfastModel
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A restored database that is not what it should be fails the drill, with the reason; the data goes, the log stays.
@Suite struct DrillFailureTests {
  @Test(arguments: [
    (DrillAssertion("SELECT 0"), "does not hold: it answers \"0\": SELECT 0"),
    (DrillAssertion("SELECT NULL"), "does not hold: it answers NULL: SELECT NULL"),
    (
      DrillAssertion("SELECT 1 WHERE 0"),
      "does not hold: it answers no row: SELECT 1 WHERE 0"
    ),
    (
      DrillAssertion("SELECT count(*) FROM orders", .equals("3")),
      "does not hold: it answers \"2\", and not 3: SELECT count(*) FROM orders"
    ),
    (
      DrillAssertion("SELECT sum(total) FROM orders", .atLeast("20.5")),
      "does not hold: it answers \"20.0\", and not 20.5 or more: SELECT sum(total) FROM orders"
    ),
    (DrillAssertion("SELECT 'x'", .atLeast("1")), "does not hold: it answers \"x\", which is no number: SELECT 'x'"),
    (
      DrillAssertion("SELECT 'soon'", .within(.hours(1))),
      "does not hold: it answers \"soon\", which is no time: SELECT 'soon'"
    ),
    (
      DrillAssertion("SELECT '2020-02-03 04:05:06' FROM orders", .within(.hours(1))), nil
    ),
    (DrillAssertion("SELECT count(*) FROM ordrs"), "cannot be asked: orders.db: no such table: ordrs"),
    (
      DrillAssertion("ATTACH '/tmp/live.db' AS live"),
      "cannot be asked: orders.db: too many attached databases - max 0"
    ),
  ])
  func anAssertionThatDoesNotHoldIsTold(_ assertion: DrillAssertion, _ reason: String?) throws {
    let shop = try DrillShop()
    let report = try shop.drill([DrillAssertion("SELECT 1"), assertion])
    let objection = try #require(shop.objection(to: report))
    if let reason {
      #expect(objection == "assertions: assertion 2 \(reason)")
    } else {
      #expect(objection.contains(" d ") && objection.contains(" before the snapshot: "), "\(objection)")
    }
    #expect(report.exitStatus == .drillFailed && !report.evidence.passed && report.assertionsHeld == 1)
    #expect(TestFiles.names(in: shop.own).sorted() == ["lock", "log"])
    #expect(shop.log.contains("the drill failed at assertions: "), "\(shop.log)")
  }

  @Test(arguments: ["1606651200", "2020-11-29 12:00:00", "2020-11-29T13:00:00+01:00", "2020-11-29 12:00:00.000+00"])
  func aTimeIsReadAsDatabasesWriteIt(_ text: String) throws {
    let shop = try DrillShop()
    // The distance from 2020-11-29 12:00 UTC to the snapshot, in whole days.
    let days = (try shop.shop.snapshot().envelope.started.seconds - 1_606_651_200) / 86_400
    let sql = "SELECT '\(text)'"
    let near = DrillAssertion(sql, .within(.days(Double(days + 1)))),
      far = DrillAssertion(sql, .within(.days(Double(days))))
    #expect(shop.objection(to: try shop.drill([near])) == nil)
    #expect(shop.objection(to: try shop.drill([far])) != nil)
  }

  @Test func aDatabaseThatFailsIntegrityCheckFailsTheDrill() throws {
    let shop = try DrillShop(
      """
      UPDATE orders SET total = NULL WHERE id = 2; PRAGMA writable_schema = on;
      UPDATE sqlite_master SET sql = replace(sql, 'total REAL', 'total REAL NOT NULL') WHERE name = 'orders';
      """)
    let report = try shop.drill([DrillAssertion("SELECT 1")])
    #expect(
      shop.objection(to: report) == """
        checks: orders.db does not pass SQLite's integrity_check: NULL value in orders.total
        HINT: Find the newest snapshot in which it is sound, by a drill of older ones: --snapshot ID.
        """)
    #expect(report.exitStatus == .drillFailed)
    #expect(report.phases.map(\.phase).suffix(2) == [.checks, .cleanup])
  }

  @Test func aPageOfZerosFailsTheDrill() throws {
    let shop = try DrillShop(
      "WITH n (i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO orders SELECT i, 1, 1, '' FROM n;"
    )
    let size = try #require(TestFiles.status(shop.database)?.size)
    TestFiles.overwrite(shop.database, at: Int(size) - 4096, with: [UInt8](repeating: 0, count: 4096))
    try shop.shop.backup()
    #expect(shop.objection(to: try shop.drill()) == "checks: orders.db: database disk image is malformed")
  }

  @Test func aFileThatIsNoDatabaseAnyMoreFailsTheDrill() throws {
    let shop = try DrillShop()
    TestFiles.overwrite(shop.database, at: 16, with: [UInt8](repeating: 0xff, count: 84))
    try shop.shop.backup()
    #expect(shop.objection(to: try shop.drill()) == "database: orders.db: file is not a database")
  }

  @Test func anOrphanFailsTheDrill() throws {
    let shop = try DrillShop("INSERT INTO orders VALUES (3, 9, 1, ''), (4, 8, 1, '');")
    #expect(
      shop.objection(to: try shop.drill())
        == "checks: orders.db does not pass SQLite's foreign_key_check: a row of orders refers to one of customers that is not there (and 1 more)"
    )
  }

  /// Damage of the repository is what a restore would end with, so it is a failed drill.
  @Test func aDamagedArchiveFailsTheDrill() throws {
    let shop = try DrillShop()
    let archive = try #require(
      TestFiles.allFiles(in: shop.shop.repositoryPath).first { $0.description.contains("archive-") })
    TestFiles.truncate(archive, to: 10)
    let report = try shop.drill()
    #expect(report.failure?.phase == .restore && report.exitStatus == .dataLoss, "\(report.verdict)")
    #expect(!report.evidence.passed)
    #expect(TestFiles.names(in: shop.own).sorted() == ["lock", "log"])
  }

  // MARK: Which database

  @Test func theDatabaseThatIsNamedIsAsked() throws {
    let shop = try DrillShop()
    _ = try TestDatabase(
      shop.shop.source.appending("stock.db"), "CREATE TABLE stock (id); INSERT INTO stock VALUES (1);")
    try shop.shop.backup()
    let assertion = DrillAssertion("SELECT count(*) FROM stock")
    #expect(shop.objection(to: try shop.drill([assertion]) { $0.database = "stock.db" }) == nil)
    #expect(
      shop.objection(to: try shop.drill([assertion]) { $0.database = "stok.db" })
        == "assertions: the snapshot holds no database stok.db\nHINT: Correct `database:` in drill, or find out when it went."
    )
    #expect(
      shop.refusal { $0.assertions = [assertion] }
        == "the source holds 2 databases, and nothing says which one the assertions ask\nHINT: Say `database:` with its path in drill, or --database: orders.db, stock.db."
    )
  }
}
