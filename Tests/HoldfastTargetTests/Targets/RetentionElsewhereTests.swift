import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What one target's own retention removes there goes nowhere else, also when that target stands in for home or was
/// made home.
@Suite struct RetentionElsewhereTests {
  private let clock = TestClock("2026-03-01T12:00:00Z")

  /// Four fulls that all targets have; `cloud` keeps the last one only.
  private func makeShop(isSealed: Bool) throws -> ListedShop {
    let shop = try ListedShop(isSealed: isSealed, clock: clock.clock)
    for number in 1...4 {
      TestFiles.write("order \(number)", to: shop.shop.source.appending("orders"))
      clock.advance(days: 1)
      try shop.backup(.full, at: "home")
    }
    for name in ["cloud", "barn"] { #expect(try shop.sync(name).isInStep) }
    try prune(shop, at: "home", last: 4, ["cloud": .last(1), "barn": nil])
    #expect(try shop.sync("cloud").isInStep)
    #expect(try shop.expectSound("cloud") == [4])
    return shop
  }

  @discardableResult
  private func prune(
    _ shop: ListedShop, at home: String, last: Int, _ policies: [String: RetentionPolicy?]
  ) throws -> Prune.Report {
    let targets = try policies.sorted { $0.key < $1.key }.map {
      TargetRetention($0.key, policy: $0.value, .success(try shop.store($0.key)))
    }
    var repository = try shop.open(home)
    repository.isHome = true
    return try shop.shop.prune(last: last, graceDays: 0, in: repository) {
      ($0.tellsCollected, $0.targets) = (.days(30), targets)
    }
  }

  @Test(arguments: [false, true]) func aStandInTakesNothingAwayFromThirdTargets(isSealed: Bool) throws {
    let shop = try makeShop(isSealed: isSealed)
    TestFiles.write("order 5", to: shop.shop.source.appending("orders"))
    #expect(try shop.backup(.full, at: "cloud") == 1001)
    let result = try shop.sync("barn", from: "cloud")
    #expect(result.isInStep && result.sources.allSatisfy(\.removed.isEmpty))
    #expect(try shop.expectSound("barn") == [1, 2, 3, 4, 1001])
    let standing = try #require(
      try TargetStanding.read(shop.store("barn"), as: "barn", home: shop.open("cloud"), host: shop.shop.host).first)
    #expect(standing.behind == 0 && standing.hasNewest == true)
  }

  /// The policy of a target does not remove what home did not get yet.
  @Test func whatOnlyAStandInHasIsNotRemovedThere() throws {
    let shop = try makeShop(isSealed: false)
    for number in 5...6 {
      TestFiles.write("order \(number)", to: shop.shop.source.appending("orders"))
      clock.advance(days: 1)
      try shop.backup(.full, at: "cloud")
    }
    let report = try prune(shop, at: "home", last: 4, ["cloud": .last(1), "barn": nil])
    #expect(report.actionsElsewhere.suffix(2) == ["1001 keep", "2001 keep"])
    #expect(try shop.sync("cloud").sources.first?.brought.map(\.sequence) == [1001, 2001])
    // Now home has them, and the policies decide.
    try prune(shop, at: "home", last: 4, ["cloud": .last(1), "barn": nil])
    #expect(try shop.sync("cloud").isInStep)
    #expect(try shop.expectSound("home") == [3, 4, 1001, 2001] && shop.expectSound("cloud") == [2001])
  }

  @Test(arguments: [false, true]) func aNewHomeTakesNothingAwayByWhatItHasRemovedBefore(isSealed: Bool) throws {
    let shop = try makeShop(isSealed: isSealed)
    var change = try TargetListChange(shop.open("cloud"), home: ListedShop.member("home"))
    try change.promote("cloud")
    try change.publish()
    let cloud = try shop.open("cloud")
    let newest = try shop.shop.snapshot(in: cloud)
    // The next revision repeats the removals, as they hold at each target.
    _ = try cloud.notes.tag(newest, add: [try #require(Tag("moved"))], remove: [])
    let notes = try cloud.notes.readAsWritten(newest.sourceName).notes.notes
    #expect(notes.prefix(3).map(\.removed?.spares) == [["barn", "home"], ["barn", "home"], ["barn", "home"]])
    for name in ["home", "barn"] {
      let result = try shop.sync(name, from: "cloud")
      #expect(result.isInStep && result.sources.allSatisfy(\.removed.isEmpty), "\(result.cause ?? "")")
      #expect(try shop.expectSound(name) == [1, 2, 3, 4])
    }
    // From now on `barn` keeps what the new home keeps, and the old home what its own policy says.
    try prune(shop, at: "cloud", last: 1, ["home": .last(3), "barn": nil])
    for name in ["home", "barn"] { #expect(try shop.sync(name, from: "cloud").isInStep) }
    #expect(try shop.expectSound("home") == [2, 3, 4])
    #expect(try shop.expectSound("barn") == [4])
  }
}
