import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A restore over the wrong directory does not erase it, and a restore that is to keep things keeps them.
@Suite(.timeLimit(.minutes(30))) struct RestoreImpactTests {
  private let shop: TestShop
  private var target: Path { shop.target }

  /// A source of three files in `invoices` and one beside it.
  init() throws {
    shop = try TestShop(clock: TestHost.clock(ahead: 10))
    TestFiles.makeDirectory(shop.source.appending("invoices"))
    for number in 1...3 { shop.write("invoice \(number)", "invoices/\(number)") }
    shop.write("order", "orders")
    try shop.backup()
  }

  private func writeTarget(_ text: String, _ name: String) { shop.write(text, name, in: target) }

  /// Restores over the target as somebody whom nobody can ask.
  private func restoreOver(
    _ paths: [String] = [], keeps: Restore.Keep = .nothing, isDryRun: Bool = false
  ) throws -> Restore.Report {
    try shop.restore(over: "target", review: { try $0.check() }) {
      $0.keeps = keeps
      $0.isDryRun = isDryRun
      $0.paths = paths.map { Path($0) }
    }
  }

  private func impact(_ paths: [String] = [], keeps: Restore.Keep = .nothing) throws -> Restore.Impact? {
    var impact: Restore.Impact?
    try shop.restore(over: "target", review: { impact = $0 }) {
      $0.keeps = keeps
      $0.paths = paths.map { Path($0) }
    }
    return impact
  }

  // MARK: The wrong directory

  /// 300 files of somebody else's in a directory, and one beside it.
  private func makeForeignTarget() {
    TestFiles.makeDirectory(target)
    TestFiles.makeDirectory(target.appending("photos"))
    for number in 0..<300 { writeTarget("photo", "photos/\(number)") }
    writeTarget("mine", "notes")
  }

  @Test func aTargetWithNothingInCommonIsRefusedAndLeftAsItIs() throws {
    makeForeignTarget()
    let before = TreeDescription(of: target)
    let id = try shop.snapshot().id.short
    #expect(
      refusal { _ = try restoreOver() } == """
        \(target) has nothing in common with snapshot \(id) of source: all that is in it would be removed, 302 entries (1.5 KiB)
        HINT: See them with --dry-run. If it is the right directory, say --yes; --no-remove removes nothing, --missing-only \
        brings back only what is gone.
        """)
    #expect(TreeDescription(of: target) == before)
    #expect(try shop.restore(over: "target", review: { _ in }).removedEntries == 302, "confirmed, it is done")
    #expect(TreeDescription(of: target).differences(from: TreeDescription(of: shop.source)) == [])
  }

  /// What was confirmed is what was there when it was looked at.
  @Test func whatComesAfterItWasConfirmedIsNotRemoved() throws {
    makeForeignTarget()
    #expect(
      refusal {
        try shop.restore(over: "target", review: { _ in writeTarget("tonight's", "came") })
      } == """
        something came into \(target) after it was looked at: 303 entries would be removed, not 302
        HINT: See what writes there, then run the same command again.
        """)
    #expect(TestFiles.read(target.appending("came")) == Array("tonight's".utf8))
    #expect(try shop.restore(over: "target", review: { _ in }).removedEntries == 303, "and then it is confirmed")
    #expect(TreeDescription(of: target).differences(from: TreeDescription(of: shop.source)) == [])
  }

  @Test func aDryRunCountsWhatLiesInDirectoriesThatGo() throws {
    makeForeignTarget()
    let report = try restoreOver(isDryRun: true)
    #expect(report.removed.map(\.description) == ["notes", "photos"])
    #expect(report.removedEntries == 302)
    #expect(report.removedBytes == 300 * 5 + 4)
    #expect(report.refusal?.contains("nothing in common") == true)
  }

  @Test func aTargetOfWhichMostWouldGoIsRefused() throws {
    try shop.restore(to: "target")
    for number in 0..<5 { writeTarget("later", "later \(number)") }
    #expect(try restoreOver(isDryRun: true).refusal == nil, "as many as stay are not most")
    for number in 5..<7 { writeTarget("later", "later \(number)") }
    let id = try shop.snapshot().id.short
    #expect(
      refusal { _ = try restoreOver() }.hasPrefix(
        "most of what is in \(target) would be removed: snapshot \(id) of source has 5 of its entries, and 7 entries (35 B) would go\nHINT: "
      ))
    #expect(shop.targetText("later 6") == "later")
  }

  @Test func nothingIsAskedWhereThereIsNothingToLose() throws {
    TestFiles.makeDirectory(target)
    #expect(try impact()?.isAny == false, "an empty target")
    #expect(try impact()?.isAny == false, "the same as the snapshot")
    TestFiles.remove(target.appending("orders"))
    #expect(try impact()?.isAny == false, "a part of the snapshot")
    writeTarget("another order", "orders")
    #expect(try impact()?.parts.map(\.changed) == [1])
    writeTarget("later", "later")
    let impact = try impact()
    #expect(impact?.parts.map(\.removed) == [1])
    #expect(throws: Never.self) { try impact?.check() }
  }

  /// What SQLite keeps beside a database that is restored belongs to it, and is no reason to think that the directory
  /// is another one.
  @Test func whatBelongsToARestoredDatabaseSpeaksForNoOtherDirectory() throws {
    let only = try TestShop(clock: TestHost.clock(ahead: 10))
    _ = try TestDatabase(only.source.appending("orders.db"), "CREATE TABLE t(x); INSERT INTO t VALUES (1)")
    try only.backup()
    try only.restore(to: "target")
    for suffix in ["-wal", "-shm"] {
      TestFiles.write("stale", to: only.directory.appending("target").appending("orders.db" + suffix))
    }
    let report = try only.restore(over: "target", review: { try $0.check() })
    #expect(report.removed.map(\.description) == ["orders.db-shm", "orders.db-wal"])
  }

  /// The files that it changes are not under their names then: they must not be missed.
  @Test func aRestoreThatWasInterruptedIsEndedByTheSameCommand() throws {
    let only = try TestShop(clock: TestHost.clock(ahead: 10))
    TestFiles.write("order", to: only.source.appending("orders"))
    try only.backup()
    let target = only.directory.appending("target")
    TestFiles.makeDirectory(target)
    TestFiles.write("spoilt", to: target.appending("orders"))
    TestFiles.write("later", to: target.appending("later"))
    let probe = FaultProbe(.fail(EIO), at: 1, of: [.write])
    #expect(throws: (any Error).self) {
      try only.restore(to: "target", in: only.repository(probe: probe)) { $0.isDelta = true }
    }
    #expect(!TestFiles.exists(target.appending("orders")))
    try only.restore(over: "target", review: { try $0.check() })
    #expect(TestFiles.names(in: target) == ["orders"])
  }

  @Test func eachPlaceIsJudgedByItself() throws {
    for directory in ["pg_tblspc", "tablespaces", "tablespaces/1"] {
      TestFiles.makeDirectory(shop.source.appending(directory))
    }
    TestFiles.symbolicLink("../tablespaces/1", at: shop.source.appending("pg_tblspc/1"))
    shop.write("rows", "tablespaces/1/rows")
    try shop.backup()
    let place = shop.directory.appending("fast")
    TestFiles.makeDirectory(place)
    TestFiles.write("mine", to: place.appending("mine"))
    TestFiles.makeDirectory(target)
    let refused = refusal {
      _ = try shop.restore(over: "target", review: { try $0.check() }) {
        $0.tablespaces = ["1": place]
      }
    }
    #expect(refused.hasPrefix("\(place) has nothing in common with "))
    #expect(TestFiles.names(in: target) == [])
    #expect(TestFiles.names(in: place) == ["mine"])
  }

  // MARK: What stays

  @Test func noRemoveRestoresOverAndRemovesNothing() throws {
    try shop.restore(to: "target")
    writeTarget("spoilt", "invoices/1")
    for number in 4..<20 { writeTarget("later", "invoices/\(number)") }
    TestFiles.remove(target.appending("orders"))
    let report = try restoreOver(keeps: .others)
    #expect(report.removed == [] && report.removedEntries == 0)
    #expect(shop.targetText("invoices/1") == "invoice 1")
    #expect(shop.targetText("invoices/19") == "later")
    #expect(shop.targetText("orders") == "order")
  }

  @Test func noRemoveDoesNotEmptyADirectoryForAFile() throws {
    TestFiles.makeDirectory(target)
    TestFiles.makeDirectory(target.appending("orders"))
    writeTarget("mine", "orders/mine")
    #expect(
      refusal { _ = try restoreOver(keeps: .others) } == """
        orders in the target is a directory, and the snapshot has something else there
        HINT: Move it away, or restore without --no-remove.
        """)
    #expect(shop.targetText("orders/mine") == "mine")
  }

  /// What was written since stays, also what the snapshot has otherwise; only what is gone comes back.
  @Test func missingOnlyTouchesNothingThatIsThere() throws {
    TestFiles.link(shop.source.appending("orders"), as: shop.source.appending("orders.2"))
    TestFiles.symbolicLink("orders", at: shop.source.appending("current"))
    TestFiles.makeDirectory(shop.source.appending("old"), mode: 0o750)
    shop.write("old", "old/old")
    TestFiles.setModified(shop.source.appending("old"), seconds: 1_600_000_000, nanoseconds: 0)
    try shop.backup()
    try shop.restore(to: "target")
    for gone in ["invoices/2", "old/old", "current", "orders.2"] { TestFiles.remove(target.appending(gone)) }
    TestFiles.removeTree(target.appending("old"))
    writeTarget("paid", "invoices/1")
    writeTarget("later", "invoices/9")
    TestFiles.setMode(target.appending("invoices"), 0o711)
    TestFiles.setModified(target.appending("invoices/1"), seconds: 1_500_000_000, nanoseconds: 0)
    TestFiles.setModified(target, seconds: 1_500_000_000, nanoseconds: 0)
    let report = try restoreOver(keeps: .everything)
    #expect(report.problems == [] && report.removedEntries == 0)
    #expect(report.writtenFiles == 2)
    let now = TreeDescription(of: target)
    let source = TreeDescription(of: shop.source)
    for name in ["invoices/2", "old", "old/old", "current"] {
      #expect(now.nodes[name] == source.nodes[name], "\(name)")
    }
    #expect(shop.targetText("orders.2") == "order")
    #expect(shop.targetText("invoices/1") == "paid")
    #expect(shop.targetText("invoices/9") == "later")
    #expect(now.nodes["invoices"].map { $0.mode & 0o7777 } == 0o711)
    #expect(now.nodes["invoices/1"]?.modifiedSeconds == 1_500_000_000)
    #expect(try restoreOver(keeps: .everything).writtenFiles == 0, "then nothing is missing")
  }

  @Test func missingOnlyBringsBackWhatIsGoneOfAPath() throws {
    try shop.restore(to: "target")
    TestFiles.remove(target.appending("invoices/3"))
    for number in 4..<20 { writeTarget("later", "invoices/\(number)") }
    #expect(refusal { _ = try restoreOver(["invoices"]) }.hasPrefix("most of what is in"))
    _ = try restoreOver(["invoices"], keeps: .everything)
    #expect(shop.targetText("invoices/3") == "invoice 3")
    #expect(TestFiles.names(in: target.appending("invoices")).count == 19)
  }

  @Test func missingOnlyDoesNotGoThroughWhatIsNoDirectory() throws {
    TestFiles.makeDirectory(target)
    TestFiles.symbolicLink("/elsewhere", at: target.appending("invoices"))
    #expect(
      refusal { _ = try restoreOver(keeps: .everything) } == """
        invoices in the target is no directory, and what is to be restored lies in it
        HINT: Move it away, or restore without --path.
        """)
  }

  // MARK: Databases of two states

  /// What the plan keeps is not made by the execution after all. SQLite would take a link beside a database that stays
  /// for the log of that database.
  @Test func nothingIsMadeBesideADatabaseThatStays() throws {
    shop.write("no database", "orders.db")
    TestFiles.symbolicLink("elsewhere", at: shop.source.appending("orders.db-wal"))
    TestFiles.link(shop.source.appending("orders"), as: shop.source.appending("orders.db-journal"))
    try shop.backup()
    TestFiles.makeDirectory(target)
    _ = try TestDatabase(target.appending("orders.db"), "CREATE TABLE t(x)")
    let report = try restoreOver(keeps: .everything)
    #expect(report.problems == [] && shop.targetText("orders") == "order")
    let names = Set(TestFiles.names(in: target))
    #expect(names.isDisjoint(with: ["orders.db-wal", "orders.db-journal"]), "\(names)")
  }

  @Test func aDatabaseIsNotBroughtBackBesideAStaleLog() throws {
    _ = try TestDatabase(shop.source.appending("orders.db"), "CREATE TABLE t(x)")
    try shop.backup()
    try shop.restore(to: "target")
    TestFiles.remove(target.appending("orders.db"))
    writeTarget("a log", "orders.db-wal")
    #expect(
      refusal { _ = try restoreOver(keeps: .everything) } == """
        orders.db-wal is in the target without orders.db: SQLite would write what is in it into the restored file
        HINT: Move it away, and run the restore again.
        """)
    // Restored over, the database comes without it.
    let report = try restoreOver(keeps: .others)
    #expect(report.removed.map(\.description) == ["orders.db-wal"])
    #expect(TestFiles.exists(target.appending("orders.db")))
  }

  /// Of a database that the snapshot does not have, nothing goes where others stay.
  @Test func aForeignDatabaseKeepsItsLog() throws {
    try shop.restore(to: "target")
    _ = try TestDatabase(target.appending("other.db"), "CREATE TABLE t(x)")
    writeTarget("a log", "other.db-wal")
    let report = try restoreOver(keeps: .others)
    #expect(report.removedEntries == 0)
    #expect(shop.targetText("other.db-wal") == "a log")
  }

  @Test(arguments: [Restore.Keep.others, .everything]) func aClusterIsNotMixed(_ keeps: Restore.Keep) throws {
    for directory in ["db", "db/global"] { TestFiles.makeDirectory(shop.source.appending(directory)) }
    shop.write("control", "db/global/pg_control")
    try shop.backup()
    try shop.restore(to: "target")
    TestFiles.remove(target.appending("db/global/pg_control"))
    #expect(
      refusal { _ = try restoreOver(keeps: keeps) } == """
        there is a PostgreSQL cluster in \(target.appending("db")) already, and files of two states of it make no sound one
        HINT: Restore over it without --no-remove and --missing-only, or into an empty --target.
        """)
    TestFiles.rename(target.appending("db/global"), to: shop.directory.appending("global"))
    _ = try restoreOver(keeps: keeps)
    #expect(shop.targetText("db/global/pg_control") == "control", "where there is none it comes back")
  }
}
