import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A database is looked at again where what was seen of it counts no more, and what hinders one capture of it costs
/// nothing else.
@Suite(.timeLimit(.minutes(30))) struct SQLiteLookAgainTests {
  private let shop: TestShop
  private var place: Path { shop.source.appending("z/orders.db") }

  init() throws {
    shop = try TestShop(clock: TestHost.clock(ahead: 10))
    TestFiles.makeDirectory(shop.source.appending("z"))
  }

  private func database(_ mode: String) throws -> TestDatabase {
    try TestDatabase(place, "PRAGMA journal_mode = \(mode);" + TestDatabase.orders)
  }

  private func restored() throws -> String {
    let target = shop.directory.appending("restored \(shop.host.random.identifier().short)")
    try shop.restore(to: String(decoding: target.lastComponent, as: UTF8.self))
    return try TestDatabase(target.appending("z/orders.db")).summary()
  }

  /// Nothing lies beside it then, and its times do not tell that a transaction is half written.
  @Test(arguments: ["MEMORY", "OFF"]) func aTransactionWithoutAJournalIsWaitedFor(mode: String) throws {
    let database = try database(mode)
    try database.order(100)
    try shop.backup()
    let program = HalfWritten(database)
    // Something differs from the parent, so that there is a capture after the survey.
    TestFiles.setMode(shop.source.appending("z"), 0o700)
    // The survey has not looked into it, because it was as the parent has it.
    let probe = MeddlingProbe(before: .open, of: "z") { if $0 == 1 { program.begin() } }
    let report = try shop.backup(in: shop.repository(probe: probe))
    try program.end()
    #expect(report.problems == [])
    #expect(try restored() == database.summary())
  }

  /// The pages that others did not change in between are as the parent has them.
  @Test func whatIsReadAgainIsComparedWithTheParent() throws {
    let database = try database("DELETE")
    try database.order(1500)
    try shop.backup { $0.groupsDatabases = false }
    try database.run("UPDATE orders SET total = 1 WHERE id = 1")
    let probe = MeddlingProbe(before: .lock, of: "z/orders.db") { time in
      if time == 12 { try? database.run("UPDATE orders SET total = 2 WHERE id = 2") }
    }
    let report = try shop.backup(in: shop.repository(probe: probe)) { $0.groupsDatabases = false }
    #expect(probe.times > 60, "the database is read in slices, each under a lock of its own")
    #expect(report.problems == [] && report.envelope.changes.pages < 20)
    #expect(try restored() == database.summary())
  }

  /// It was set, or the clock was: it tells nothing, and keeps nothing from being captured.
  @Test func aTimeInTheFutureIsNoMatter() throws {
    try database("WAL").order(20)
    TestFiles.setModified(place, seconds: 4_000_000_000, nanoseconds: 0)
    #expect(TestFiles.names(in: shop.source.appending("z")) == ["orders.db"])
    #expect(try shop.backup().problems == [])
    #expect(try restored().hasPrefix("20 "))
  }

  /// A program was killed in the transaction that begins WAL mode: the header says WAL, and the journal takes it back.
  @Test func aJournalThatTakesBackTheModeIsRolledBack() throws {
    let committed = try HotJournal.make(at: place, orders: 100)
    TestFiles.overwrite(place, at: 18, with: [2, 2])
    let report = try shop.backup()
    #expect(report.problems == [] && report.envelope.consistency == .sqliteQuiesced)
    #expect(try restored() == committed)
  }

  /// With it, who restores can roll back what was captured.
  @Test func theJournalOfADatabaseThatCannotBeReadToTheEndIsKept() throws {
    let committed = try HotJournal.make(at: place, orders: 300)
    let probe = MeddlingProbe(before: .read, of: "z/orders.db") { time throws(SystemError) in
      if time == 6 { throw SystemError("read", Path("z/orders.db"), code: 5) }
    }
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(report.problems.map(\.path) == [Path("z/orders.db")] && report.exitStatus == .incomplete)
    #expect(try shop.entries().keys.sorted() == [".", "z", "z/orders.db", "z/orders.db-journal"])
    #expect(try restored() == committed)
  }

  /// What cannot be examined may be a WAL with everything that was committed.
  @Test func aWALThatCannotBeExaminedIsNotTakenForNone() throws {
    let other = TemporaryDirectory()
    let origin = other.appending("orders.db")
    let database = try TestDatabase(
      origin, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;" + TestDatabase.orders)
    try database.order(50)
    for suffix in ["", "-wal"] {
      let bytes = try #require(TestFiles.read(Path(bytes: origin.bytes + Array(suffix.utf8))))
      TestFiles.write(bytes, to: Path(bytes: place.bytes + Array(suffix.utf8)))
    }
    let probe = MeddlingProbe(before: .status, of: "z/orders.db-wal") { time throws(SystemError) in
      if time < 3 { throw SystemError("examine", Path("z/orders.db-wal"), code: 5) }
    }
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(probe.times > 2)
    #expect(try report.exitStatus == .incomplete || restored() == database.summary())
  }

  /// Its writers do not wait until the backup is over.
  @Test func aDatabaseThatIsMovedAwayIsLetGo() throws {
    try database("DELETE").order(20)
    try TestDatabase(shop.source.appending("a.db"), "PRAGMA journal_mode = DELETE;" + TestDatabase.orders).order(20)
    for name in ["zz", "zzz"] { TestFiles.makeDirectory(shop.source.appending(name)) }
    let (directory, moved) = (shop.source.appending("z"), shop.directory.appending("moved"))
    let probe = SeveralProbes([
      MeddlingProbe(before: .open, of: "z") { if $0 == 1 { TestFiles.rename(directory, to: moved) } },
      MeddlingProbe(before: .open, of: "zzz") { time throws(SystemError) in
        guard time == 1 else { return }
        do {
          try TestDatabase(moved.appending("orders.db")).order(1)
        } catch {
          throw SystemError("write to", Path("orders.db"), code: 16)
        }
      },
    ])
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(report.problems == [])
    #expect(try TestDatabase(moved.appending("orders.db")).summary().hasPrefix("21 "))
  }
}

/// A program in the middle of a transaction that does not fit into its cache.
private final class HalfWritten: @unchecked Sendable {
  // Sendable because it is called once at a time.
  private let database: TestDatabase
  private var thread: WorkerThread?

  init(_ database: TestDatabase) { self.database = database }

  /// Begins it, and commits it somewhat later.
  func begin() {
    try? database.run("PRAGMA cache_size = 1; BEGIN; UPDATE orders SET total = total + 1, note = randomblob(3000);")
    thread = WorkerThread.start { [database] in
      for _ in 1...6 { Pause.briefly() }
      try? database.run("COMMIT")
    }
  }

  func end() throws { try #require(thread).join() }
}

/// Probes of several operations.
private struct SeveralProbes: OperationProbe {
  private let probes: [any OperationProbe]

  init(_ probes: [any OperationProbe]) { self.probes = probes }

  func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
    for probe in probes { try probe.willPerform(operation, path) }
  }

  func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
}
