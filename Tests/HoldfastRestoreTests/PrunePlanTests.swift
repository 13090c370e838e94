import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What a dry run says is what a prune then does: both have it from one plan.
@Suite struct PrunePlanTests {
  private let clock = TestClock("2026-03-01T12:00:00Z")
  private let store = HookedStore(MemoryStore())
  private let shop: TestShop

  /// Two old chains, of which the first has known for eight days that it goes, and the second for three; one that goes
  /// now, and the newest.
  init() throws {
    shop = try TestShop(workers: 1, store: store, clock: clock.clock)
    try shop.fill([.full, .incremental, .full], clock)
    try shop.prune()
    clock.advance(days: 4)
    try shop.fill([.full], clock)
    try shop.prune()
    clock.advance(days: 2)
    try shop.fill([.full], clock)
  }

  private static let actions = ["1 collected", "2 collected", "3 waits 4 d", "4 removed", "5 keep"]

  @Test func aDryRunSaysWhatThePruneThenDoes() throws {
    let dry = try shop.prune(isDryRun: true)
    #expect(dry.actions == Self.actions)
    #expect(try shop.numbers(removed: true) == [1, 2, 3, 4, 5])
    let done = try shop.prune()
    #expect(done.actions == dry.actions)
    #expect(done.sources.flatMap(\.lines).map(\.bytes) == dry.sources.flatMap(\.lines).map(\.bytes))
    #expect(try shop.numbers(removed: true) == [3, 4, 5])
    #expect(try shop.numbers() == [5])
  }

  /// A grace period that ends while the prune runs: what waits by the plan is left to the next one.
  @Test func nothingIsCollectedThatThePlanDidNotSay() throws {
    store.beforeNext("/notes/") { clock.advance(days: 5) }
    #expect(try shop.prune().actions == ["1 collected", "2 collected", "3 waits 0 d", "4 removed", "5 keep"])
    #expect(try shop.numbers(removed: true) == [3, 4, 5])
    #expect(try shop.prune().actions == ["3 collected", "4 waits 7 d", "5 keep"])
    try shop.expectSound()
  }
}
