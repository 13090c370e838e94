import HoldfastModel
import HoldfastTestSupport
import HoldfastWatch
import Testing

/// When a watch takes a snapshot, and that no change is missed: thousands of seeded histories of changes and runs, with
/// times that are only numbers.
@Suite struct WatchStateTests {
  private static func policy(_ change: (inout WatchPolicy) -> Void = { _ in }) -> WatchPolicy {
    var policy = WatchPolicy()
    change(&policy)
    return policy
  }

  private static func increment(_ bytes: UInt64 = 1000) -> WatchState.Report {
    WatchState.Report(taken: WatchedChain.Link(.incremental, storedBytes: bytes))
  }

  private static func differential(
    _ bytes: UInt64 = 1000, merge: WatchState.Report.Merge? = nil
  ) -> WatchState.Report {
    WatchState.Report(taken: WatchedChain.Link(.differential, storedBytes: bytes), merge: merge)
  }

  /// A state to which the repository has said that it has a full and one increment.
  private static func begun(_ policy: WatchPolicy = WatchPolicy(), full: UInt64, age: TimeSpan) -> WatchState {
    var state = WatchState(policy, begin: .zero)
    let links = [
      WatchedChain.Link(.full, storedBytes: full), WatchedChain.Link(.incremental, storedBytes: 1000),
    ]
    state.found(WatchedChain(links), fullAge: age, at: .zero)
    return state
  }

  /// A source whose changes, and runs whose durations and failures, are drawn from a seed.
  private struct World {
    let policy: WatchPolicy
    var state: WatchState
    var random: SeededRandom
    var now = TimeSpan.seconds(1000)
    /// The time of the last change that happened, and of the begin of the last run that was a success.
    var lastChange: TimeSpan
    var captured: TimeSpan?
    var begins: [TimeSpan] = []
    var works: [WatchState.Work] = []
    var fault: String?
    /// True if every differential and every merge fails.
    var gatheringsFail = false

    init(seed: UInt64, _ policy: WatchPolicy) {
      self.policy = policy
      random = SeededRandom(seed: seed)
      state = WatchState(policy, begin: now)
      lastChange = now
    }

    mutating func draw(_ range: ClosedRange<Double>) -> TimeSpan { .seconds(Double.random(in: range, using: &random)) }

    mutating func change() {
      state.changed(at: now)
      lastChange = now
    }

    private static func report(_ work: WatchState.Work, succeeds: Bool) -> WatchState.Report {
      guard succeeds else { return WatchState.Report(taken: nil) }
      let taken = { WatchedChain.Link($0, storedBytes: 1000) }
      return switch work {
      case .increment: WatchState.Report(taken: taken(.incremental))
      case .gather: WatchState.Report(taken: taken(.incremental), merge: .increment(storedBytes: 1000))
      case .differential: WatchState.Report(taken: taken(.differential))
      case .merge: WatchState.Report(taken: taken(.differential), merge: .full(storedBytes: 5000))
      }
    }

    /// Lets a run begin and end, with changes during it.
    mutating func run(_ work: WatchState.Work, duration: TimeSpan, changes: Int, succeeds: Bool) {
      if let last = begins.last, now - last < policy.minInterval - .milliseconds(1) {
        fault = "two runs within \(now - last)"
      }
      begins.append(now)
      works.append(work)
      let begin = now
      state.began(at: now)
      for index in 0..<changes {
        now = begin + duration * (Double(index + 1) / Double(changes + 1))
        if case .run = state.step(at: now) { fault = "a second run beside one" }
        change()
      }
      now = begin + duration
      state.ended(work, Self.report(work, succeeds: succeeds), at: now)
      if succeeds { captured = begin }
    }

    /// Follows the steps until a time.
    mutating func live(until end: TimeSpan, isCalm: Bool) {
      while now < end, fault == nil {
        switch state.step(at: now) {
        case .run(let work):
          let isLong = random.next() % 8 == 0
          let duration = draw(isLong ? 5...90 : 0...1)
          run(
            work, duration: duration, changes: isCalm ? 0 : Int(random.next() % 3),
            succeeds: work != .increment && gatheringsFail ? false : isCalm || random.next() % 4 != 0)
        case .look:
          state.looked(at: now)
          now += .milliseconds(1)
        case .wait(let until):
          guard until > now else { return fault = "it waits for \(until), which has passed" }
          let change = isCalm ? end : now + draw(0...20)
          now = min(until, min(change, end))
          if now == change, !isCalm { self.change() }
        }
      }
    }
  }

  /// A change that comes while a run captures may not be in its snapshot, and one that comes while a run fails is in
  /// none: either leads to another run.
  @Test func whatChangedIsInARunThatBeganAfterwards() {
    for seed in UInt64(0)..<3000 {
      var random = SeededRandom(seed: seed)
      let policy = Self.policy {
        $0.minInterval = .seconds(Double(random.next() % 5))
        $0.quiet = .seconds(Double(random.next() % 4))
        $0.maxInterval = .seconds(10 + Double(random.next() % 60))
        $0.differential = .seconds(20 + Double(random.next() % 300))
        $0.merge = .seconds(100 + Double(random.next() % 1000))
        $0.levels = [.seconds(20), .seconds(100)]
      }
      var world = World(seed: seed, policy)
      world.state.opens(seed % 2 == 0)
      world.live(until: world.now + .seconds(600), isCalm: false)
      let calm = world.now
      world.live(until: calm + .seconds(400), isCalm: true)
      #expect(world.fault == nil, "seed \(seed)")
      #expect(world.captured.map { $0 >= world.lastChange } == true, "seed \(seed)")
      #expect(!world.state.isBehind && world.state.lag(at: world.now) == .zero, "seed \(seed)")
      let runs = world.begins.count
      world.live(until: world.now + .seconds(400), isCalm: true)
      #expect(world.begins.count == runs, "seed \(seed): nothing changed, and a snapshot was taken")
      guard world.fault == nil, world.begins.count == runs else { return }
    }
  }

  @Test func theFirstSnapshotIsTakenAtOnceAndTheNextAfterTheShortestInterval() {
    var state = WatchState(Self.policy(), begin: .seconds(100))
    #expect(state.step(at: .seconds(100)) == .run(.increment))
    state.began(at: .seconds(100))
    state.ended(.increment, Self.increment(), at: .seconds(100.5))
    #expect(state.step(at: .seconds(101)) == .wait(until: .seconds(160)), "it looks at everything now and then")
    state.changed(at: .seconds(101))
    #expect(state.step(at: .seconds(101)) == .wait(until: .seconds(102)))
    #expect(state.step(at: .seconds(102)) == .run(.increment))
    #expect(state.lag(at: .seconds(102)) == .seconds(1))
  }

  /// A writer that never pauses is captured all the same.
  @Test func quietIsNotWaitedForLongerThanTheLongestInterval() {
    let policy = Self.policy { ($0.quiet, $0.maxInterval) = (.seconds(5), .seconds(30)) }
    var state = WatchState(policy, begin: .seconds(0))
    var now = TimeSpan.zero
    while case .wait = state.step(at: now) {
      now += .seconds(1)
      state.changed(at: now)
      if now > .seconds(100) { break }
    }
    #expect(now == .seconds(30))
    // And one that pauses is captured when it has.
    var other = WatchState(policy, begin: .seconds(0))
    other.changed(at: .seconds(3))
    #expect(other.step(at: .seconds(7)) == .wait(until: .seconds(8)))
    #expect(other.step(at: .seconds(8)) == .run(.increment))
  }

  @Test func aStoreThatIsAwayIsAskedLessAndLessOften() {
    var state = WatchState(Self.policy(), begin: .seconds(0))
    var now = TimeSpan.zero
    var pauses: [Double] = []
    for _ in 1...8 {
      state.began(at: now)
      state.ended(.increment, WatchState.Report(taken: nil), at: now)
      guard case .wait(let until) = state.step(at: now) else { break }
      pauses.append((until - now).seconds)
      now = until
    }
    #expect(pauses == [2, 4, 8, 16, 32, 60, 60, 60])
    #expect(state.isBehind && state.lag(at: now) == now)
  }

  /// Half of the time stays free where a target is slow.
  @Test func aRunThatTakesLongIsFollowedByAPauseOfTheSameLength() {
    var state = WatchState(Self.policy(), begin: .seconds(0))
    state.began(at: .seconds(0))
    state.changed(at: .seconds(5))
    state.ended(.increment, Self.increment(), at: .seconds(20))
    #expect(state.step(at: .seconds(20)) == .wait(until: .seconds(40)))
    #expect(state.lag(at: .seconds(40)) == .seconds(35))
  }

  /// A store that is nearly full, or a damaged full, may let no differential and no merge succeed: increments go on.
  @Test func gatheringsThatAlwaysFailKeepNoChangeOut() {
    for seed in UInt64(0)..<300 {
      var world = World(
        seed: seed,
        Self.policy { ($0.differential, $0.merge, $0.incrementsMax) = (.seconds(20), .seconds(200), 5) })
      world.gatheringsFail = true
      world.live(until: world.now + .seconds(3000), isCalm: false)
      let gatherings = world.works.count { $0 != .increment }
      #expect((1...12).contains(gatherings), "seed \(seed): \(gatherings)")
      world.live(until: world.now + .seconds(400), isCalm: true)
      #expect(world.fault == nil, "seed \(seed)")
      #expect(world.captured.map { $0 >= world.lastChange } == true, "seed \(seed)")
      guard world.fault == nil else { return }
    }
  }

  /// The next increment comes at once, and what failed is tried again after 5, 10 … minutes.
  @Test func aDifferentialThatFailsIsFollowedByIncrements() {
    var state = Self.begun(full: 5000, age: .hours(1))
    var now = TimeSpan.minutes(6)
    var failed: [Double] = []
    while now < .hours(20) {
      state.changed(at: now)
      guard case .run(let work) = state.step(at: now) else {
        now += .seconds(30)
        continue
      }
      state.began(at: now)
      if work == .increment {
        state.ended(work, Self.increment(), at: now)
      } else {
        failed.append((now.seconds / 60).rounded())
        state.ended(work, WatchState.Report(taken: nil), at: now)
      }
      now += .seconds(30)
    }
    let pauses = zip(failed, failed.dropFirst()).map { ($1 - $0).rounded() }
    #expect(pauses.prefix(7).elementsEqual([5, 10, 20, 40, 80, 160, 320], by: { abs($0 - $1) <= 2 }), "\(pauses)")
    #expect(pauses.dropFirst(7).allSatisfy { abs($0 - 360) <= 2 }, "\(pauses)")
  }

  /// A merge that fails is no merge: it is tried again, and not only on the next day.
  @Test func aMergeIsASuccessByItsOwnResult() {
    var state = Self.begun(full: 5000, age: .hours(30))
    state.changed(at: .minutes(1))
    #expect(state.step(at: .minutes(1)) == .run(.merge))
    state.began(at: .minutes(1))
    state.ended(.merge, Self.differential(merge: .failed), at: .minutes(1))
    state.changed(at: .minutes(4))
    #expect(state.step(at: .minutes(4)) == .run(.increment))
    state.changed(at: .minutes(7))
    #expect(state.step(at: .minutes(7)) == .run(.merge))
    state.began(at: .minutes(7))
    state.ended(.merge, Self.differential(merge: .full(storedBytes: 5000)), at: .minutes(7))
    state.changed(at: .hours(24))
    #expect(state.step(at: .hours(24)) == .run(.increment), "nothing stands on the full")
  }

  /// Where home is away, nothing is merged: that is no failure, so no differential takes the place of increments.
  @Test func aMergeThatIsNotTriedIsNoFailure() {
    var state = WatchState(Self.policy(), begin: .zero)
    state.opens(true)
    let increments = [WatchedChain.Link](repeating: .init(.incremental, storedBytes: 1, span: .seconds(60)), count: 6)
    state.found(WatchedChain([.init(.full, storedBytes: 1 << 30)] + increments), fullAge: .hours(1), at: .zero)
    func run(at now: TimeSpan, _ merge: WatchState.Report.Merge?) -> WatchState.Work? {
      state.changed(at: now)
      guard case .run(let work) = state.step(at: now) else { return nil }
      state.began(at: now)
      var report = Self.increment()
      report.merge = merge
      state.ended(work, report, at: now)
      return work
    }
    #expect(run(at: .minutes(1), nil) == .gather(7))
    #expect(state.mergesIncrements)
    #expect(run(at: .minutes(2), nil) == .increment, "it is not tried each time")
    #expect(run(at: .minutes(7), .failed) == .gather(9))
    #expect(!state.mergesIncrements)
  }

  /// A machine that is switched off every night merges all the same, because the repository knows how old the full is.
  @Test func aWatchThatIsStartedAnewGoesOnWithTheChainThatThereIs() {
    var old = Self.begun(full: 5000, age: .days(1))
    #expect(old.step(at: .zero) == .run(.merge))
    old.found(WatchedChain([WatchedChain.Link(.full, storedBytes: 5000)]), fullAge: .days(1), at: .zero)
    #expect(old.step(at: .zero) == .run(.increment))
    var long = WatchState(Self.policy(), begin: .zero)
    let increments = [WatchedChain.Link](repeating: .init(.incremental, storedBytes: 1), count: 1000)
    long.found(
      WatchedChain([.init(.full, storedBytes: 1 << 20), .init(.differential, storedBytes: 9999)] + increments),
      fullAge: .hours(1), at: .zero)
    #expect(long.step(at: .zero) == .run(.differential))
  }

  /// A shop that changes a page that it never changed before in each transaction is the worst case: every differential
  /// contains all pages so far.
  @Test(arguments: [64, 4 << 10, 1 << 20] as [UInt64])
  func differentialsWeighAtMostTwiceWhatIncrementsDo(increment: UInt64) {
    let full: UInt64 = 5 << 30
    var state = Self.begun(full: full, age: .zero)
    var now = TimeSpan.zero
    var (distance, sum, gathered, early, forced) = (UInt64(1000), UInt64(1000), UInt64(0), 0, 0)
    var (merges, longest, count) = (0, 0, 1)
    while now < .hours(20) {
      state.changed(at: now)
      guard case .run(let work) = state.step(at: now) else {
        now += .seconds(1)
        continue
      }
      state.began(at: now)
      distance += increment
      switch work {
      case .increment:
        sum += increment
        count += 1
        state.ended(work, Self.increment(increment), at: now)
      case .gather: Issue.record("it cannot merge")
      case .differential, .merge:
        longest = max(longest, count)
        if count < 1000 { (gathered, early) = (gathered + distance, early + 1) } else { forced += 1 }
        count = 0
        state.ended(
          work, Self.differential(distance, merge: work == .merge ? .full(storedBytes: full) : nil), at: now)
        if work == .merge { (distance, merges) = (0, merges + 1) }
      }
    }
    #expect(gathered <= 2 * sum + UInt64(early + 1) * increment, "\(gathered) of \(sum)")
    #expect(forced <= 36 && longest <= 1000, "\(forced), \(longest)")
    #expect(merges <= Int(sum / (full / 4)), "a merge for a quarter of the full, or once a day")
  }

  /// What takes long, such as with a large database, takes a twentieth of the time at most.
  @Test func whatGathersRestsForTwentyTimesAsLong() {
    var state = Self.begun(full: 1 << 30, age: .zero)
    state.changed(at: .seconds(301))
    #expect(state.step(at: .seconds(301)) == .run(.differential))
    state.began(at: .seconds(301))
    state.ended(.differential, Self.differential(), at: .seconds(341))
    state.changed(at: .seconds(342))
    #expect(state.step(at: .seconds(342)) == .run(.increment), "it has waited long enough")
    state.began(at: .seconds(342))
    state.ended(.increment, Self.increment(2000), at: .seconds(343))
    state.changed(at: .seconds(1140))
    #expect(state.step(at: .seconds(1140)) == .run(.increment), "40 seconds are 5 % of 800")
    #expect(state.step(at: .seconds(1141)) == .run(.differential))
  }

  /// A look at millions of files is not made every minute.
  @Test func aLookThatTakesLongIsRare() {
    var state = WatchState(Self.policy(), begin: .zero)
    state.began(at: .zero)
    state.ended(.increment, Self.increment(), at: .seconds(1))
    #expect(state.step(at: .seconds(60)) == .look)
    state.looked(taking: .seconds(30), at: .seconds(90))
    #expect(state.step(at: .seconds(150)) == .wait(until: .seconds(690)))
  }
}
