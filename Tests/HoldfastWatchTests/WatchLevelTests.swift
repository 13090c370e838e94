import HoldfastEngine
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import HoldfastWatch
import Testing

/// Levels: increments become one, such ones become one in turn, and the chain becomes a full. Chains stay short, and
/// what is written stays within a factor of what changed.
@Suite struct WatchLevelTests {
  /// A repository of which each snapshot has the bytes that it was given. Nothing overlaps: that is the worst case.
  private struct World {
    let policy: WatchPolicy
    var state: WatchState
    var now = TimeSpan.zero
    let full: UInt64
    /// The bytes of increments, and of what merges have made of them.
    var (taken, merged): (UInt64, UInt64) = (0, 0)
    var (fulls, longest, snapshots) = (0, 0, 0)

    init(_ policy: WatchPolicy = WatchPolicy(), full: UInt64) {
      (self.policy, self.full) = (policy, full)
      state = WatchState(policy, begin: .zero)
      state.opens(true)
      state.found(WatchedChain([WatchedChain.Link(.full, storedBytes: full)]), fullAge: .zero, at: .zero)
    }

    /// One change, and the run for it.
    mutating func change(_ bytes: UInt64, mergeFails: Bool = false) -> WatchState.Work? {
      state.changed(at: now)
      guard case .run(let work) = state.step(at: now) else { return nil }
      state.began(at: now)
      taken += bytes
      snapshots += 1
      var report = WatchState.Report(taken: WatchedChain.Link(.incremental, storedBytes: bytes))
      switch work {
      case .increment: break
      case .differential:
        report.taken = WatchedChain.Link(.differential, storedBytes: state.chain.bytesAboveFull + bytes)
      case .gather(let count):
        let sum = state.chain.increments.suffix(count - 1).reduce(bytes) { $0 + $1.storedBytes }
        report.merge = mergeFails ? .failed : .increment(storedBytes: sum)
        if !mergeFails { (merged, snapshots) = (merged + sum, snapshots + 1) }
      case .merge:
        report.merge = mergeFails ? .failed : .full(storedBytes: full)
        if !mergeFails { (fulls, snapshots) = (fulls + 1, snapshots + 1) }
      }
      state.ended(work, report, at: now + .milliseconds(200))
      longest = max(longest, state.chain.increments.count)
      return work
    }
  }

  /// With an increment each 30 seconds for three days, no chain has more than 46 snapshots: 24 of an hour, 11 of five
  /// minutes, 10 of 30 seconds and the full; and each byte is written three times at most, before the fulls.
  @Test func aDayOfHalfMinutesStaysShort() {
    var world = World(full: 1 << 40)
    while world.now < .days(3) {
      _ = world.change(1000)
      world.now += .seconds(30)
    }
    #expect(world.longest <= 45, "\(world.longest)")
    #expect(world.longest >= 30, "otherwise it merges too often: \(world.longest)")
    #expect(world.merged <= 2 * world.taken, "\(world.merged) of \(world.taken)")
    #expect(world.fulls == 2 || world.fulls == 3, "one a day: \(world.fulls)")
  }

  /// At the shortest interval, 2 s, six hours are 6 + 11 + 151; a day is 18 more.
  @Test func aBusyDayStaysShort() {
    var world = World(full: 1 << 40)
    while world.now < .hours(6) {
      _ = world.change(1000)
      world.now += .seconds(2)
    }
    #expect(world.longest <= 168, "\(world.longest)")
    #expect(world.merged <= 2 * world.taken)
  }

  /// Where what stands on the full weighs a quarter of it, the chain becomes a full: so fulls weigh four times at most
  /// what increments do, beside the one of each day.
  @Test func fullsWeighFourTimesWhatIncrementsDo() {
    var world = World(full: 100_000)
    while world.now < .days(1) {
      _ = world.change(1000)
      world.now += .seconds(30)
    }
    #expect(UInt64(world.fulls) * world.full <= 4 * world.taken + world.full, "\(world.fulls)")
    #expect(world.longest <= 45)
  }

  /// Shops with rushes and nights, merges that fail, and policies of all kinds: thousands of histories at night. While
  /// merges fail, increments go on: then a chain grows until the next try.
  @Test func chainsStayShortWhateverHappens() {
    for seed in UInt64(0)..<(Trials.areAll ? 3000 : 200) {
      var random = SeededRandom(seed: seed)
      func draw(_ range: ClosedRange<Double>) -> TimeSpan { .seconds(Double.random(in: range, using: &random)) }
      var policy = WatchPolicy()
      policy.minInterval = draw(5...60)
      policy.maxInterval = max(policy.minInterval, .seconds(60))
      policy.levels = [draw(120...600), draw(1200...7200)]
      let failures = random.next() % 4
      var world = World(policy, full: 1 << 40)
      var gatherFailed = false
      while world.now < .hours(6) {
        let fails = failures > 0 && random.next() % 16 < failures
        let work = world.change(random.next() % 5000, mergeFails: fails)
        if case .gather = work, fails { gatherFailed = true }
        world.now += random.next() % 64 == 0 ? draw(60...7200) : draw(0...40)
      }
      guard !gatherFailed else { continue }
      let span = policy.levels[0] / policy.minInterval + policy.levels[1] / policy.levels[0]
      let most = Int(span) + 4 + Int(world.now / policy.levels[1])
      #expect(world.longest <= most, "seed \(seed): \(world.longest), and \(most) may be")
      #expect(world.merged <= 2 * world.taken, "seed \(seed)")
      guard world.longest <= most else { return }
    }
  }

  /// A merge of increments that fails may fail again, because of what it reads: a differential needs none of that.
  @Test func aDifferentialFollowsAMergeThatFails() {
    var world = World(full: 1 << 40)
    var works: [WatchState.Work] = []
    while world.now < .minutes(30) {
      if let work = world.change(1000, mergeFails: works.isEmpty), work != .increment { works.append(work) }
      world.now += .seconds(30)
    }
    #expect(works.count >= 3 && works[0] == .gather(11), "\(works)")
    #expect(works.dropFirst().first == .differential, "\(works)")
    #expect(works.dropFirst(2).allSatisfy { if case .gather = $0 { true } else { false } }, "\(works)")
  }

  /// Who has no key takes differentials, as ever.
  @Test func whoOpensNothingMergesNothing() {
    var world = World(full: 1 << 40)
    world.state.opens(false)
    var works: Set<WatchState.Work> = []
    while world.now < .hours(1) {
      if let work = world.change(1000) { works.insert(work) }
      world.now += .seconds(30)
    }
    #expect(works == [.increment, .differential])
  }

  /// A chain that the repository has tells by the times of its snapshots how much each of them contains.
  @Test func aWatchThatIsStartedAnewGoesOnWithTheLevels() {
    func links(_ kind: SnapshotKind, _ count: Int, _ span: TimeSpan) -> [WatchedChain.Link] {
      [WatchedChain.Link](repeating: .init(kind, storedBytes: 10, span: span), count: count)
    }
    let levels = WatchPolicy().levels
    let full = links(.full, 1, .zero)
    func gatherable(_ chain: [WatchedChain.Link], _ next: TimeSpan = .seconds(30)) -> Int {
      WatchedChain(full + chain).gatherable(levels, next: next, countMax: 256)
    }
    #expect(gatherable(links(.incremental, 8, .seconds(30))) == 0)
    #expect(gatherable(links(.incremental, 9, .seconds(30))) == 10)
    let hour = links(.incremental, 1, .hours(1))
    #expect(gatherable(hour + links(.incremental, 9, .seconds(30))) == 10)
    let eleven = links(.incremental, 11, .minutes(5))
    #expect(gatherable(hour + eleven + links(.incremental, 8, .seconds(30))) == 0)
    #expect(gatherable(hour + eleven + links(.incremental, 9, .seconds(30))) == 21, "both levels at once")
    #expect(gatherable(links(.differential, 1, .hours(1)) + links(.incremental, 9, .seconds(30))) == 10)
    #expect(gatherable(links(.incremental, 300, .zero)) == 301, "whatever their times say")
  }

  /// The first merged increment of a morning has a quiet night before it, which an envelope does not tell from work. It
  /// must not count as one that is long enough already.
  @Test(arguments: [(11, 11.0), (150, 5.0)]) func aQuietNightCountsForNothing(count: Int, minutes: Double) throws {
    let random = TestHost.make().random
    let evening: Int64 = 1_790_000_000
    func item(_ kind: SnapshotKind, _ sequence: Int, standsFor: Int, at second: Int64) -> RunHistory.Item {
      RunHistory.Item(
        id: random.identifier(), parent: nil, kind: kind,
        started: Timestamp(seconds: evening + second, nanoseconds: 0), sequence: UInt64(sequence),
        standsFor: UInt64(standsFor), storedBytes: 10)
    }
    let night: Int64 = 10 * 3600
    var items = [item(.full, 8, standsFor: 8, at: 0)]
    items.insert(item(.incremental, 9 + count, standsFor: 8 + count, at: night + 300), at: 0)
    let chain = WatchedChain(items, WatchPolicy())
    #expect(try #require(chain.increments.first).span == .minutes(minutes))
    let morning = (1...11).map {
      item(.incremental, 200 + 12 * $0, standsFor: 199 + 12 * $0, at: night + 300 + 300 * Int64($0))
    }
    let later = WatchedChain(morning.reversed() + items, WatchPolicy())
    #expect(later.gatherable(WatchPolicy().levels, next: .seconds(60), countMax: 256) == 13, "an hour becomes one")
  }
}
