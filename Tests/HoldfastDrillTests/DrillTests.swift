import Glibc
import HoldfastArchive
import HoldfastDrill
import HoldfastEngine
import HoldfastModel
import HoldfastReport
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A drill restores for real, opens what it restored, measures it, and leaves nothing but its log.
@Suite struct DrillTests {
  @Test func aSoundSnapshotPassesEveryPhaseAndLeavesItsLog() throws {
    let shop = try DrillShop()
    let report = try shop.drill([
      DrillAssertion("SELECT count(*) FROM orders", .equals("2")), DrillAssertion("SELECT 1"),
      DrillAssertion("SELECT sum(total) FROM orders", .atLeast("20")),
      DrillAssertion("SELECT max(placed) FROM orders", .within(.hours(1))),
    ])
    #expect(shop.objection(to: report) == nil)
    #expect(
      report.phases.map(\.phase.rawValue) == [
        "repository", "plan", "restore", "database", "checks", "assertions", "clean-up",
      ])
    #expect(report.databases == [Path("orders.db")] && report.assertionsHeld == 4 && report.exitStatus == .done)
    let evidence = report.evidence
    #expect(evidence.passed && evidence.databases == 1 && evidence.assertions == 4)
    let counted = evidence.phases.prefix(4).map(\.took).reduce(.zero, +)
    #expect(abs((evidence.restoreTime - counted).seconds) < 0.005, "without checks, assertions and clean-up")
    #expect(TestFiles.names(in: shop.own).sorted() == ["lock", "log"], "the data is removed")
    #expect(shop.log.contains("\nchecks: ") && shop.log.contains(report.verdict), "\(shop.log)")
    #expect(TestFiles.permissions(shop.own.appending("log")) == 0o600)
  }

  @Test func peopleGetALineForEachPhaseAndTheVerdictInOneSentence() throws {
    let shop = try DrillShop()
    var lines = DrillText.lines(try shop.drill([DrillAssertion("SELECT 1")]))
    #expect(lines.removeFirst().hasPrefix("drill of source, snapshot "))
    let words = lines.map { $0.split(separator: " ").first.map(String.init) }
    #expect(words == ["repository", "plan", "restore", "database", "checks", "assertions", "clean-up", "passed:"])
    #expect(lines.last?.hasSuffix(": 1 database is sound, and 1 assertion holds") == true, "\(lines)")
    let failed = DrillText.lines(try shop.drill([DrillAssertion("SELECT 0")]))
    #expect(failed.contains { $0.hasPrefix("  assertions ") && $0.hasSuffix("FAILED") }, "\(failed)")
    #expect(
      failed.last
        == "the drill failed at assertions: assertion 1 does not hold: it answers \"0\": SELECT 0")
  }

  /// A kernel's watch on the directory of the source sees every opening, reading and changing of what lies in it.
  @Test func theSourceIsNotTouched() throws {
    let shop = try DrillShop()
    let watch = inotify_init1(O_NONBLOCK)
    defer { close(watch) }
    // IN_ALL_EVENTS of inotify(7).
    let everything: UInt32 = 0xfff
    for path in [shop.shop.source, shop.database] {
      #expect(path.withCString { inotify_add_watch(watch, $0, everything) } > 0)
    }
    var events = [UInt8](repeating: 0, count: 4096)
    #expect(try shop.drill([DrillAssertion("SELECT count(*) FROM orders")]).failure == nil)
    #expect(read(watch, &events, events.count) == -1 && errno == EAGAIN, "something touched it")
    // The watch does see what is done.
    _ = TestFiles.read(shop.database)
    #expect(read(watch, &events, events.count) > 0)
  }

  @Test func aDryRunMakesNothing() throws {
    let shop = try DrillShop()
    let report = try shop.drill { $0.isDryRun = true }
    #expect(report.phases.map(\.phase) == [.repository, .plan])
    #expect(report.verdict.hasPrefix("would restore snapshot "), "\(report.verdict)")
    #expect(!TestFiles.exists(shop.place))
  }

  @Test func theDataStaysWhereItIsAskedFor() throws {
    let shop = try DrillShop()
    let report = try shop.drill { $0.keepsData = true }
    #expect(report.isKept && TestFiles.exists(report.data.appending("orders.db")))
    #expect(DrillText.lines(report).last?.hasPrefix("the restored data stays in ") == true)
    #expect(TestFiles.permissions(shop.scratch) == 0o700, "nobody else looks into it")
    #expect(try shop.drill().failure == nil)
    #expect(!TestFiles.exists(shop.scratch), "the next drill removes it")
  }

  /// What a drill that was killed has left, read-only directories of the source among it.
  @Test func whatAKilledDrillHasLeftIsRemovedByTheNext() throws {
    let shop = try DrillShop()
    for directory in [
      shop.place, shop.own, shop.scratch, shop.scratch.appending("data"), shop.scratch.appending("data/old"),
    ] {
      TestFiles.makeDirectory(directory)
    }
    TestFiles.write("half", to: shop.scratch.appending("data/old/orders.db"))
    TestFiles.setMode(shop.scratch.appending("data/old"), 0o555)
    TestFiles.setMode(shop.place, 0o755)
    TestFiles.setMode(shop.own, 0o711)
    #expect(try shop.drill().failure == nil)
    #expect(TestFiles.names(in: shop.own).sorted() == ["lock", "log"])
  }

  @Test func withoutADatabaseTheRestoreAloneIsTried() throws {
    let shop = try DrillShop()
    TestFiles.remove(shop.database)
    TestFiles.write("an order", to: shop.shop.source.appending("1"))
    try shop.shop.backup()
    let report = try shop.drill()
    #expect(report.failure == nil && report.verdict.hasSuffix(": it has no database to open"), "\(report.verdict)")
    #expect(
      shop.objection(to: try shop.drill([DrillAssertion("SELECT 1")]))
        == "assertions: the snapshot holds no database to ask")
  }

  // MARK: Drawing

  @Test func aSeedDrawsTheSameSnapshotAndEverySnapshotIsDrawn() throws {
    let shop = try DrillShop()
    for number in 1...3 {
      TestFiles.write("\(number)", to: shop.shop.source.appending("count"))
      try shop.shop.backup()
    }
    let snapshots = try shop.shop.repository.catalog.allSnapshots { _ in }
    var counts: [UInt64: Int] = [:]
    for seed in 0..<600 as Range<UInt64> {
      let drawn = try #require(SnapshotDraw.draw(snapshots, seed: seed))
      #expect(SnapshotDraw.draw(snapshots.reversed(), seed: seed)?.id == drawn.id)
      counts[drawn.sequence, default: 0] += 1
    }
    #expect(counts.count == 4)
    // The chances are 12/25, 6/25, 4/25 and 3/25.
    let newest = try #require(counts[4]), oldest = try #require(counts[1])
    #expect((230...350).contains(newest) && (40...110).contains(oldest), "\(counts)")
    #expect(SnapshotDraw.draw([], seed: 1) == nil)
  }
}
