import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A database that others have open is captured as one committed state, without a trace in the source.
@Suite struct SQLiteCaptureTests {
  private let shop: TestShop
  private var place: Path { shop.source.appending("orders.db") }

  init() throws { shop = try TestShop(clock: TestHost.clock(ahead: 10)) }

  private func live(
    _ pragmas: String = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
  ) throws -> TestDatabase {
    try TestDatabase(place, pragmas + TestDatabase.orders)
  }

  /// The restored database, and what lies beside it.
  private func restored(_ text: String = "latest") throws -> (summary: String, names: [String]) {
    let name = "restored \(shop.host.random.identifier().short)"
    try shop.restore(text, to: name)
    let names = TestFiles.allFiles(in: shop.directory.appending(name)).map {
      String(decoding: $0.lastComponent, as: UTF8.self)
    }
    let database = try TestDatabase(shop.directory.appending(name).appending("orders.db"))
    return (try database.summary(), names.sorted())
  }

  @Test(arguments: [512, 1024, 4096, 16_384, 65_536])
  func commitsThatLiveInTheWALOnlyAreCaptured(pageSize: Int) throws {
    let database = try live("PRAGMA page_size = \(pageSize); PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;")
    try database.order(300)
    try database.run("PRAGMA wal_checkpoint(PASSIVE)")
    try database.order(20)
    try database.run("UPDATE orders SET total = total + 1 WHERE id % 7 = 0")
    let wal = TestFiles.read(shop.source.appending("orders.db-wal"))
    let main = TestFiles.status(place)
    let report = try shop.backup()
    #expect(report.envelope.consistency == .sqliteReadTransaction && report.problems == [])
    #expect(TestFiles.read(shop.source.appending("orders.db-wal")) == wal, "nothing was checkpointed")
    #expect(TestFiles.status(place) == main)
    let copy = try restored()
    #expect(copy.summary == (try database.summary()))
    #expect(copy.names == ["orders.db"])
  }

  @Test func aTransactionThatIsNotCommittedIsNotThere() throws {
    let database = try live()
    try database.order(10)
    let committed = try database.summary()
    try database.run("BEGIN; PRAGMA cache_size = 1;")
    try database.order(400)
    try shop.backup()
    #expect(try restored().summary == committed)
  }

  @Test func anUnchangedDatabaseIsNotReadAndACommitInTheWALIsNeverMissed() throws {
    let database = try live()
    try database.order(200)
    try shop.backup()
    let idle = try shop.backup()
    #expect(idle.envelope.changes.isEmpty && idle.envelope.changes.readBytes == 0)
    let before = TestFiles.status(place)
    try database.run("UPDATE orders SET total = 7 WHERE id = 1")
    #expect(TestFiles.status(place) == before, "the commit is in the WAL only")
    let next = try shop.backup()
    #expect(next.envelope.changes.changed == 1 && next.envelope.changes.pages <= 3)
    #expect(try restored().summary == database.summary())
  }

  @Test func aCheckpointIsNoChangeAndTheDatabaseAtRestIsAPlainFile() throws {
    var database: TestDatabase? = try live()
    try database?.order(200)
    let summary = try database?.summary()
    try shop.backup()
    try database?.run("PRAGMA wal_checkpoint(TRUNCATE)")
    let open = try shop.backup()
    #expect(open.envelope.changes.pages == 0, "the pages are those of before")
    database = nil
    #expect(TestFiles.names(in: shop.source) == ["orders.db"])
    let closed = try shop.backup()
    #expect(closed.envelope.changes.pages == 0 && closed.envelope.consistency == .stable)
    #expect(try restored().summary == summary)
  }

  @Test func aDatabaseInRollbackModeIsReadWhileNobodyCommits() throws {
    let database = try live("PRAGMA journal_mode = DELETE;")
    try database.order(200)
    let report = try shop.backup()
    #expect(report.envelope.consistency == .sqliteQuiesced)
    #expect(try shop.backup().envelope.changes.readBytes == 0)
    try database.order(1)
    try shop.backup()
    #expect(try restored().summary == database.summary())
  }

  /// Read mark 0: everything was checkpointed when the reader began, so a writer may begin the WAL anew while it reads.
  @Test func aWALThatIsBegunAnewDuringTheCaptureDoesNotMixStates() throws {
    let database = try live()
    try database.order(300)
    try database.run("PRAGMA wal_checkpoint(FULL)")
    let atBegin = try database.summary()
    TestFiles.write(Array("x".utf8), to: shop.source.appending("a first file"))
    let probe = MeddlingProbe(before: .open, of: "a first file") { _ in
      try? database.run("UPDATE orders SET total = total + 1000; PRAGMA wal_checkpoint(PASSIVE);")
      try? database.order(100)
    }
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(probe.times == 1 && report.problems == [])
    #expect(try restored().summary == atBegin)
  }

  @Test func aHotJournalIsRolledBack() throws {
    let committed = try HotJournal.make(at: place, orders: 200)
    let report = try shop.backup()
    #expect(report.problems == [])
    let copy = try restored()
    #expect(copy.summary == committed && copy.names == ["orders.db"])
  }

  @Test func whatOnlyLooksLikeADatabaseIsCapturedAsItIs() throws {
    var bytes = Array("SQLite format 3".utf8) + [0, 0x10, 0, 1, 1, 0, 64, 32, 32]
    bytes += (bytes.count..<8192).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    TestFiles.write(bytes, to: place)
    let progress = QuietProgress()
    let report = try shop.backup(progress: progress)
    #expect(report.problems == [])
    #expect(
      progress.warnings == [
        "orders.db: it is an SQLite database that could not be opened (unsupported file format): it is captured as a plain file"
      ])
    try shop.restore(to: "restored")
    #expect(TestFiles.read(shop.directory.appending("restored").appending("orders.db")) == bytes)
  }

  @Test func aDatabaseThatIsLockedExclusivelyIsTornAndTheRunEnds() throws {
    let database = try live("PRAGMA journal_mode = DELETE;")
    try database.order(10)
    try database.run("BEGIN EXCLUSIVE")
    let report = try shop.backup()
    #expect(report.exitStatus == .incomplete && report.envelope.consistency == .torn)
    #expect(
      report.problems == [
        Problem(
          path: Path("orders.db"),
          reason:
            "it is an SQLite database that could not be opened (database is locked): a plain copy may be of different moments"
        )
      ])
  }

  @Test func aStaleWALIsNotLeftBesideARestoredDatabase() throws {
    let database = try live()
    try database.order(50)
    try shop.backup()
    let then = try database.summary()
    let target = shop.directory.appending("target")
    TestFiles.makeDirectory(target)
    // The target's own database went on, and was killed: its WAL has newer commits.
    let other = try TestDatabase(
      target.appending("orders.db"), "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;" + TestDatabase.orders)
    try other.order(80)
    let main = try #require(TestFiles.read(target.appending("orders.db")))
    let wal = try #require(TestFiles.read(target.appending("orders.db-wal")))
    TestFiles.removeTree(target)
    TestFiles.makeDirectory(target)
    TestFiles.write(main, to: target.appending("orders.db"))
    TestFiles.write(wal, to: target.appending("orders.db-wal"))
    TestFiles.write(Array("mine".utf8), to: target.appending("other-wal"))
    try shop.restore(to: "target") {
      $0.isDelta = true
      $0.paths = [Path("orders.db")]
    }
    #expect(try TestDatabase(target.appending("orders.db")).summary() == then)
    #expect(
      TestFiles.read(target.appending("other-wal")) == Array("mine".utf8), "only what belongs to the database goes")
  }

  /// SQLite cannot read it, so nothing says that a copy is of one moment.
  @Test func anEncryptedDatabaseInUseIsCalledTorn() throws {
    let database = try live()
    try database.order(10)
    let log = try #require(TestFiles.read(shop.source.appending("orders.db-wal")))
    var random = SeededRandom(seed: 71)
    TestFiles.write(random.bytes(8192), to: shop.source.appending("secret.db"))
    TestFiles.write(log, to: shop.source.appending("secret.db-wal"))
    TestFiles.write(random.bytes(8192), to: shop.source.appending("noise"))
    TestFiles.write(random.bytes(8192), to: shop.source.appending("noise-wal"))
    let report = try shop.backup()
    #expect(report.exitStatus == .incomplete && report.envelope.consistency == .torn)
    #expect(
      report.problems == [
        Problem(
          path: Path("secret.db"),
          reason:
            "it looks like an encrypted SQLite database in use: a plain copy may be of different moments; let the program that has its key write a copy, with --from-command or --before"
        )
      ])
    #expect(try shop.entries()["secret.db-wal"]?.file?.size == UInt64(log.count))
  }
}
