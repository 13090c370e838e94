import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// What programs do to their databases while a backup opens and captures them ends in a committed state, or is named.
@Suite(.timeLimit(.minutes(30))) struct SQLiteRaceTests {
  private static let wal = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
  private let shop: TestShop

  init() throws { shop = try TestShop(clock: TestHost.clock(ahead: 10)) }

  private func place(_ name: String) -> Path { shop.source.appending(name) }

  private func database(_ name: String, _ pragmas: String = Self.wal) throws -> TestDatabase {
    try TestDatabase(place(name), pragmas + TestDatabase.orders)
  }

  /// A restored database, and which names there are beside it.
  private func restored(_ name: String) throws -> (summary: String, names: [String]) {
    let target = "restored \(shop.host.random.identifier().short)"
    try shop.restore(to: target)
    let names = TestFiles.names(in: shop.directory.appending(target)).sorted()
    return (try TestDatabase(shop.directory.appending(target).appending(name)).summary(), names)
  }

  /// How many descriptors of this process lead to a file.
  private func openCount(_ name: String) -> Int {
    let target = Array(place(name).bytes)
    return TestFiles.names(in: Path("/proc/self/fd")).count {
      TreeDescription(of: Path("/proc/self/fd/\($0)")).nodes["."]?.content == target
    }
  }

  // MARK: Open before the backup

  /// What a large transaction has written into the WAL before it commits, it may write again.
  @Test(arguments: [true, false]) func aTransactionThatRewritesItsPagesIsSeenWhole(isGroup: Bool) throws {
    let database = try database("orders.db")
    try database.order(100)
    // The backup opens the databases in the order of their paths, and waits for this one.
    let last = try TestDatabase(place("z.db"), "PRAGMA journal_mode = DELETE; CREATE TABLE t (x);")
    try last.run("BEGIN EXCLUSIVE")
    try database.run(
      "PRAGMA cache_size = 1; BEGIN; UPDATE orders SET total = total + 1, note = randomblob(3000);")
    let own = (log: openCount("orders.db-wal"), last: openCount("z.db"))
    // Nothing is awaited from here on: once it has looked the backup waits for five seconds, and other tests may keep
    // all threads for longer.
    let outcome = Mutex<Result<Backup.Report, any Error>?>(nil)
    let thread = WorkerThread.start { [shop] in
      let result = Result { try shop.backup { $0.groupsDatabases = isGroup } }
      outcome.withLock { $0 = result }
    }
    let end = ContinuousClock.now + .seconds(60)
    while openCount("orders.db-wal") == own.log || openCount("z.db") == own.last, ContinuousClock.now < end {
      Pause.briefly()
    }
    let hasLooked = ContinuousClock.now < end
    try database.run("UPDATE orders SET total = total + 1, note = randomblob(3000); COMMIT;")
    try last.run("ROLLBACK")
    thread?.join()
    let report = try #require(try outcome.withLock { try $0?.get() })
    #expect(hasLooked && report.problems == [])
    #expect(try restored("orders.db").summary == database.summary())
  }

  @Test func aTransactionThatDoesNotEndKeepsNobodyWaiting() throws {
    let idle = try database("idle.db")
    try idle.order(10)
    let busy = try database("orders.db")
    try busy.order(10)
    let committed = try busy.summary()
    try busy.run("BEGIN IMMEDIATE; DELETE FROM orders;")
    let progress = QuietProgress()
    let report = try shop.backup(progress: progress)
    #expect(report.problems == [] && report.envelope.consistency == .sqliteReadTransaction)
    #expect(
      progress.warnings == [
        "a transaction on orders.db did not end within a second: each database of the source is captured as one committed state, but not all of one instant"
      ])
    try idle.order(1)
    #expect(try restored("orders.db").summary == committed)
  }

  @Test func aDatabaseWithTwoNamesIsOpenedOnceAndComesBackUnderBoth() throws {
    TestFiles.makeDirectory(place("a"))
    TestFiles.makeDirectory(place("z"))
    let database = try database("a/orders.db")
    try database.order(50)
    for suffix in ["", "-wal", "-shm"] {
      TestFiles.link(place("a/orders.db" + suffix), as: place("z/orders.db" + suffix))
    }
    let report = try shop.backup()
    #expect(report.problems == [])
    #expect(try shop.entries().keys.sorted() == [".", "a", "a/orders.db", "z", "z/orders.db"])
    try shop.restore(to: "restored")
    for name in ["a", "z"] {
      let copy = shop.directory.appending("restored").appending(name).appending("orders.db")
      #expect(try TestDatabase(copy).summary() == database.summary())
    }
  }

  /// A checkpoint that met a full disk.
  @Test func aDatabaseThatEndsInTheMiddleOfAPageIsCapturedThroughItsWAL() throws {
    let database = try database("orders.db")
    try database.order(50)
    TestFiles.truncate(place("orders.db"), to: (TestFiles.status(place("orders.db"))?.size ?? 0) + 100)
    #expect(try shop.backup().problems == [])
    let copy = try restored("orders.db")
    #expect(try copy.summary == database.summary() && copy.names == ["orders.db"])
  }

  // MARK: Opened during the backup

  /// A database at rest in a directory of its own.
  private func makeDatabaseAtRest() throws -> String {
    TestFiles.makeDirectory(place("z"))
    try database("z/orders.db").order(50)
    #expect(TestFiles.names(in: place("z")) == ["orders.db"])
    return try TestDatabase(place("z/orders.db")).summary()
  }

  /// A backup during which a program opens that database: when the survey is over, and the directory is about to be
  /// captured.
  private func backup(whileOpening program: OpenedLater) throws -> Backup.Report {
    // Something differs from the parent, so that there is a capture after the survey.
    TestFiles.setMode(place("z"), 0o700)
    let probe = MeddlingProbe(before: .open, of: "z") { [place = place("z/orders.db")] time in
      if time == 1 { program.open(place) }
    }
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(probe.times > 1 && TestFiles.exists(place("z/orders.db-wal")))
    return report
  }

  @Test(arguments: [false, true]) func aDatabaseThatIsOpenedMeanwhileIsAsItWasBefore(isInParent: Bool) throws {
    let before = try makeDatabaseAtRest()
    if isInParent { try shop.backup() }
    let report = try backup(whileOpening: OpenedLater(checkpoints: false))
    #expect(report.problems == [])
    #expect(try shop.entries().keys.sorted() == [".", "z", "z/orders.db"])
    try shop.restore(to: "restored")
    #expect(try TestDatabase(shop.directory.appending("restored/z/orders.db")).summary() == before)
  }

  /// Its times are those of the kernel's present tick when the survey looks at it, so that for a moment they would not
  /// show another write.
  @Test func aDatabaseThatWasClosedJustNowMayBeOpenedMeanwhileToo() throws {
    let before = try makeDatabaseAtRest()
    let program = OpenedLater(checkpoints: false)
    let probe = MeddlingProbe(before: .open, of: "z/orders.db") { [place = place("z/orders.db")] time in
      if time == 0 { TestFiles.setMode(place, 0o600) } else { program.open(place) }
    }
    #expect(try shop.backup(in: shop.repository(probe: probe)).problems == [])
    #expect(probe.times > 1 && TestFiles.exists(place("z/orders.db-wal")))
    try shop.restore(to: "restored")
    #expect(try TestDatabase(shop.directory.appending("restored/z/orders.db")).summary() == before)
  }

  /// The program goes on, and some of what it has committed is in the main file and some in the WAL.
  @Test(arguments: [false, true]) func aDatabaseThatIsWrittenMeanwhileIsCapturedAsItIsThen(isInParent: Bool) throws {
    _ = try makeDatabaseAtRest()
    if isInParent { try shop.backup() }
    let report = try backup(whileOpening: OpenedLater(checkpoints: true))
    #expect(report.problems == [] && report.envelope.consistency == .sqliteReadTransaction)
    #expect(try shop.entries().keys.sorted() == [".", "z", "z/orders.db"])
    try shop.restore(to: "restored")
    let copy = try TestDatabase(shop.directory.appending("restored/z/orders.db")).summary()
    #expect(try copy == TestDatabase(place("z/orders.db")).summary() && copy.hasPrefix("90 "))
  }

  /// The survey does not look into what is as the parent has it.
  @Test(arguments: ["WAL", "DELETE"]) func aDatabaseThatIsWrittenAndClosedMeanwhileIsWhole(mode: String) throws {
    TestFiles.makeDirectory(place("z"))
    try database("z/orders.db", "PRAGMA journal_mode = \(mode);").order(50)
    try shop.backup()
    // Something differs from the parent, so that there is a capture after the survey.
    TestFiles.setMode(place("z"), 0o700)
    let probe = MeddlingProbe(before: .open, of: "z") { [place = place("z/orders.db")] time in
      if time == 1 { try? TestDatabase(place).order(20) }
    }
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(report.problems == [] && report.envelope.changes.changed > 0)
    try shop.restore(to: "restored")
    let copy = try TestDatabase(shop.directory.appending("restored/z/orders.db")).summary()
    #expect(try copy == TestDatabase(place("z/orders.db")).summary() && copy.hasPrefix("70 "))
  }

  /// Under its other name nothing lies beside it.
  @Test func aDatabaseThatIsRefusedUnderOneNameIsSoUnderAll() throws {
    let database = try database("b.db", "PRAGMA locking_mode = EXCLUSIVE;" + Self.wal)
    try database.order(50)
    TestFiles.link(place("b.db"), as: place("a.db"))
    let report = try shop.backup()
    #expect(report.exitStatus == .incomplete && report.envelope.consistency == .torn)
    #expect(report.problems.map(\.path) == [Path("a.db")])
  }

  @Test func aDatabaseThatIsMadeDuringTheBackupIsCapturedAndNotOfTheSameInstant() throws {
    TestFiles.makeDirectory(place("a"))
    TestFiles.write("a file", to: place("a/file"))
    let orders = try database("orders.db")
    try orders.order(50)
    let opened = OpenedLater(checkpoints: true)
    // The survey looks into the database when it has seen what lies before it.
    let probe = MeddlingProbe(before: .open, of: "orders.db") { [place = place("a/new.db")] time in
      if time == 0 { opened.open(place, TestDatabase.orders) }
    }
    let progress = QuietProgress()
    let report = try shop.backup(in: shop.repository(probe: probe), progress: progress)
    #expect(report.problems == [])
    #expect(
      progress.warnings == [
        "a/new.db was opened or written while the backup ran: it is captured as one committed state, but not of one instant with the other databases"
      ])
    try shop.restore(to: "restored")
    let copy = try TestDatabase(shop.directory.appending("restored/a/new.db")).summary()
    #expect(
      try copy == TestDatabase(place("a/new.db")).summary() && copy.hasPrefix("40 ")
        && orders.summary().hasPrefix("50 "))
  }
}

/// A program that opens a database, commits to it, and goes on.
private final class OpenedLater: @unchecked Sendable {
  // Sendable because it is called once at a time.
  private var database: TestDatabase?
  private let checkpoints: Bool

  /// - Parameter checkpoints: whether some of what it commits gets into the main file.
  init(checkpoints: Bool) { self.checkpoints = checkpoints }

  func open(_ place: Path, _ setup: String = "") {
    guard database == nil else { return }
    database = try? TestDatabase(place, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;" + setup)
    try? database?.order(20)
    if checkpoints { try? database?.run("PRAGMA wal_checkpoint(TRUNCATE)") }
    try? database?.order(20)
  }
}
