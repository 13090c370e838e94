import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// How long a grace period lasts, whatever clocks say.
@Suite struct GraceTests {
  private let clock = TestClock("2026-03-01T12:00:00Z")

  private func makeShop() throws -> TestShop {
    let shop = try TestShop(workers: 1, clock: clock.clock)
    try shop.fill([.full, .full], clock)
    return shop
  }

  private let waits = { (days: Int) in ["1 waits \(days) d", "2 keep"] }

  @Test func aClockThatIsSetEndsNoGracePeriod() throws {
    let shop = try makeShop()
    #expect(try shop.prune().actions == ["1 removed", "2 keep"])
    clock.set(days: 1000)
    #expect(try shop.prune().actions == waits(7))
    clock.set(days: -2000)
    clock.advance(days: 3)
    // To this clock all snapshots lie ahead, and are kept: the first waits anew once the clock is right again.
    #expect(try shop.prune().actions == ["1 keep", "2 keep"])
    clock.set(days: 2010)
    #expect(try shop.prune().actions == ["1 removed", "2 keep"])
    #expect(try shop.prune().actions == waits(7))
  }

  /// After a restart the clock may be wrong: it alone never ends a grace period.
  @Test func acrossARestartHalfTheGracePeriodPassesAtMost() throws {
    let shop = try makeShop()
    try shop.prune()
    let waiting = shop.memoryPath.appending(
      try #require(TestFiles.names(in: shop.memoryPath).first { $0.contains("removed") }))
    for days in [4, 0] {
      // Written as by another start of the machine.
      var text = String(decoding: try #require(TestFiles.read(waiting)), as: UTF8.self)
      text.replace(/"boot":"[^"]*"/, with: #""boot":"another""#)
      TestFiles.remove(waiting)
      TestFiles.write(text, to: waiting)
      clock.set(days: 1000)
      #expect(try shop.prune().actions == (days == 0 ? ["1 collected", "2 keep"] : waits(days)))
    }
  }

  /// Another machine has not seen it for as long.
  @Test func eachMachineWaitsForItself() throws {
    let shop = try makeShop()
    let other = ClientMemory(directory: shop.directory.appending("another machine"))
    try shop.prune()
    clock.advance(days: 6)
    #expect(try shop.prune(in: shop.open(memory: other)).actions == waits(7))
    clock.advance(days: 2)
    #expect(try shop.prune(in: shop.open(memory: other)).actions == waits(5))
    #expect(try shop.prune().actions == ["1 collected", "2 keep"])
  }

  @Test func aMachineThatRemembersNothingCollectsNothing() throws {
    let shop = try makeShop()
    for _ in 0..<3 {
      let report = try shop.prune(in: shop.open(memory: ClientMemory.none))
      #expect(report.memoryProblem == "there is no directory for it")
      clock.advance(days: 10)
    }
    #expect(try shop.numbers(removed: true) == [1, 2])
    #expect(
      try shop.prune(graceDays: 0, in: shop.open(memory: ClientMemory.none)).actions == ["1 collected", "2 keep"])
  }

  /// An earlier version kept it by the name of the place.
  @Test func whatAnEarlierVersionHasWaitedCounts() throws {
    let shop = try makeShop()
    try shop.prune()
    let now = try #require(TestFiles.allFiles(in: shop.memoryPath).first { $0.text.contains("-removed") })
    var text = String(decoding: try #require(TestFiles.read(now)), as: UTF8.self)
    let location = shop.repositoryPath.text
    text.replace(/"repository":"[^"]*"/, with: #""location":"\#(location)""#)
    TestFiles.remove(now)
    let earlier = Hasher.digest(Array(location.utf8)).description.prefix(32) + "-removed.json"
    TestFiles.write(text, to: shop.memoryPath.appending(earlier))
    clock.advance(days: 5)
    #expect(try shop.prune(isDryRun: true).actions == waits(2))
    #expect(TestFiles.names(in: shop.memoryPath) == [String(earlier)])
    #expect(try shop.prune().actions == waits(2))
    #expect(TestFiles.names(in: shop.memoryPath) == [now.text.split(separator: "/").last.map { String($0) }])
    clock.advance(days: 3)
    #expect(try shop.prune().actions == ["1 collected", "2 keep"])
  }

  /// A record that cannot be read begins anew.
  @Test func aDamagedRecordEndsNoGracePeriod() throws {
    let shop = try makeShop()
    try shop.prune()
    clock.advance(days: 6)
    let waiting = shop.memoryPath.appending(
      try #require(TestFiles.names(in: shop.memoryPath).first { $0.contains("removed") }))
    TestFiles.overwrite(waiting, at: 0, with: [0])
    #expect(try shop.prune().actions == waits(7))
    clock.advance(days: 7)
    #expect(try shop.prune().actions == ["1 collected", "2 keep"])
  }
}
