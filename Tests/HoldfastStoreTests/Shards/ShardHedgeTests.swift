import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// A shard that does not come soon is replaced by others, and one whose target failed is asked again when it has
/// rested, by the same reader.
@Suite(.timeLimit(.minutes(10))) struct ShardHedgeTests {
  private static let length = 5_000_000
  private let bytes = ShardTargets.bytes(length, seed: 4)

  private func far(_ scheme: String) throws -> ShardTargets {
    let targets = try ShardTargets(scheme) { $0.isNear = false }
    try targets.put(bytes)
    return targets
  }

  private var impatient: TargetPolicy {
    var policy = TargetPolicy()
    (policy.hedgeFirst, policy.hedgeMin) = (.milliseconds(20), .milliseconds(20))
    return policy
  }

  private func reader(
    _ targets: ShardTargets, _ others: [Int: any Store], _ shardSet: ShardSet
  ) throws -> any ReadableBytes {
    try shardSet.logical(over: others[0] ?? targets.stores[0]).open(ShardTargets.key(), length: UInt64(Self.length))
  }

  /// No request to the hanging target ever comes back while the object is read.
  @Test(arguments: [0, 1, 2]) func aShardThatHangsIsReplacedByOthers(position: Int) throws {
    let targets = try far("2+1")
    let hanging = HangingStore(targets.stores[position])
    defer { hanging.goOn() }
    let told = Mutex<[String]>([])
    // Home opens the object; its shard alone hangs.
    let others: [Int: any Store] = [position: hanging]
    let shardSet = targets.shardSet(home: position == 0 ? 1 : 0, others, policy: impatient) { name, _, _ in
      told.withLock { $0.append(name) }
    }
    let reader = try shardSet.logical(over: targets.stores[position == 0 ? 1 : 0])
      .open(ShardTargets.key(), length: UInt64(Self.length))
    for _ in 0..<2 { #expect(try reader.all() == bytes) }
    #expect(told.withLock { $0 } == [], "what is slow is not wrong")
    #expect(!shardSet.hasUnanswered)
    // Parity is not asked where data comes soon.
    if position < 2 { #expect(shardSet.isSlow(ShardTargets.name(position))) }
  }

  @Test func aSlowShardIsWaitedForWhereNoOtherCanTakeItsPlace() throws {
    let targets = try far("2+1")
    targets.stores[2].contents = targets.stores[2].contents.filter { $0.key == ShardTargets.marker }
    let hanging = HangingStore(targets.stores[1])
    defer { hanging.goOn() }
    let shardSet = targets.shardSet([1: hanging], policy: impatient)
    let reader = try reader(targets, [1: hanging], shardSet)
    let answer = Monitor<Result<[UInt8], any Error>?>(nil)
    #expect(
      WorkerThread.detach {
        let result = Result { try reader.all() }
        answer.withLock { $0 = result }
      })
    let name = ShardTargets.name(1)
    let isLate = answer.wait(.minutes(5), until: { $0 == nil && shardSet.isSlow(name) ? true : $0.map { _ in false } })
    #expect(isLate != false, "nothing was read before the only shard that can give it")
    hanging.goOn()
    let read = try #require(answer.wait(.minutes(5), until: { $0 }))
    #expect(try read.get() == bytes)
  }

  @Test func aTargetThatFailedIsAskedAgainByTheSameReader() throws {
    let targets = try far("2+1")
    let flaky = Flaky(targets.stores[1])
    let clock = TestClock("2026-03-01 12:00")
    let shardSet = targets.shardSet([1: flaky], clock: clock.clock, policy: impatient)
    let reader = try reader(targets, [1: flaky], shardSet)
    flaky.isAway = true
    #expect(try reader.all() == bytes)
    let asked = flaky.asked
    #expect(asked > 0)
    flaky.isAway = false
    #expect(try reader.all() == bytes)
    #expect(flaky.asked == asked, "a target rests after a failure")
    clock.advance(.seconds(31))
    // Now its shard is needed.
    targets.stores[2].contents = targets.stores[2].contents.filter { $0.key == ShardTargets.marker }
    #expect(try reader.all() == bytes)
    #expect(flaky.asked > asked)
  }
}

/// A store that can be away.
private final class Flaky: StoreLayer {
  let base: any Store
  private let state = Mutex((isAway: false, asked: 0))

  init(_ base: any Store) { self.base = base }

  var asked: Int { state.withLock { $0.asked } }

  var isAway: Bool {
    get { state.withLock { $0.isAway } }
    set { state.withLock { $0.isAway = newValue } }
  }

  func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    let isAway = state.withLock { state in
      state.asked += 1
      return state.isAway
    }
    if isAway { throw StoreError.unavailable(location: location, reason: "it is away") }
    return try base.open(key, length: length)
  }

  func openAnew(_ key: String) throws -> any ReadableBytes { try open(key, length: nil) }
}
