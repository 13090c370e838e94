import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestSupport
import Testing

/// What is due follows from the past, the policy and the time, and from nothing else.
@Suite struct RunPlanTests {
  private static let now = Timestamp(seconds: 1_800_000_000, nanoseconds: 0)

  /// A history that is built by ages.
  private struct Past {
    var history = RunHistory()

    /// - Parameter ago: `20min`; with a minus before it, ahead.
    mutating func add(_ kind: SnapshotKind, _ ago: String, standsFor: UInt64? = nil) {
      let isAhead = ago.hasPrefix("-")
      let seconds = TimeSpan(isAhead ? String(ago.dropFirst()) : ago)?.wholeSeconds ?? 0
      let sequence = UInt64(history.items.count + 1)
      guard let id = Identifier(bytes: [UInt8](repeating: UInt8(sequence), count: 16)) else { return }
      let full = history.items.last { $0.kind == .full }?.id
      history.items.append(
        RunHistory.Item(
          id: id, parent: kind == .full ? nil : kind == .differential ? full : history.items.last?.id, kind: kind,
          started: Timestamp(seconds: now.seconds + (isAhead ? seconds : -seconds), nanoseconds: 0), sequence: sequence,
          standsFor: standsFor))
    }
  }

  private func past(_ snapshots: (SnapshotKind, String)...) -> RunHistory {
    var past = Past()
    for (kind, ago) in snapshots { past.add(kind, ago) }
    return past.history
  }

  private func policy(
    _ intervals: [SnapshotKind: String] = [:], merge: Int? = nil, within: String? = nil, share: Double? = nil,
    prunes: Bool = false
  ) -> RunPolicy {
    var policy = RunPolicy()
    policy.intervals = intervals.compactMapValues { TimeSpan($0) }
    policy.mergeAfter = merge
    policy.verifyWithin = within.flatMap { TimeSpan($0) }
    policy.verifyShare = share
    policy.prunes = prunes
    return policy
  }

  private func plan(
    _ history: RunHistory, _ policy: RunPolicy, opens: Bool = true, mayPrune: Bool = true
  ) -> RunPlan {
    RunPlan(history, policy, now: Self.now, opens: opens, mayPrune: mayPrune)
  }

  /// A watch verifies a share of every run with each merge, which is due once a day: not every few minutes, and not
  /// never. What is to be proved within a time is verified when that is due.
  @Test func aWatchVerifiesAShareWithEachMerge() {
    func steps(_ gathering: RunPlan.Gathering, _ policy: RunPolicy, opens: Bool = true) -> [RunPlan.Step] {
      let history = past((.full, "2d"), (.incremental, "1h"))
      return RunPlan(gathering, history, policy, now: Self.now, opens: opens, mayPrune: true).lines.map(\.step)
    }
    let verify = RunPlan.Step.verify(first: 0, count: VerifyRound.parts / 4)
    let quarter = policy(share: 0.25)
    #expect(steps(.differential, quarter) == [.take(.differential)])
    #expect(steps(.full(takes: .differential), quarter) == [.take(.differential), .merge, verify])
    #expect(steps(.full(takes: .incremental), quarter) == [.take(.incremental), .merge, verify])
    #expect(steps(.increments(7), quarter) == [.take(.incremental), .gather(7)])
    #expect(steps(.increments(7), quarter, opens: false) == [.take(.incremental)])
    #expect(steps(.differential, policy(within: "30d")).count == 2)
  }

  /// `full: REASON`, or the reason why none is taken.
  private func taken(_ history: RunHistory, _ intervals: [SnapshotKind: String]) -> String {
    let plan = plan(history, policy(intervals))
    guard case .take(let kind)? = plan.lines.first?.step else { return "none: \(plan.idleReason ?? "")" }
    return "\(kind.rawValue): \(plan.lines[0].reason)"
  }

  // MARK: Taking

  @Test func theFirstIsAFull() {
    #expect(taken(past(), [:]) == "full: there is no snapshot yet")
    #expect(taken(past(), [.incremental: "1h"]) == "full: there is no snapshot yet")
  }

  @Test func withoutAScheduleEveryRunTakesAnIncremental() {
    #expect(taken(past((.full, "1s")), [:]) == "incremental: no schedule says otherwise")
  }

  private static let schedule: [SnapshotKind: String] = [.full: "4w", .differential: "1d", .incremental: "1h"]

  @Test func theBiggestThatIsDueIsTaken() {
    #expect(
      taken(past((.full, "28d"), (.differential, "25h"), (.incremental, "2h")), Self.schedule)
        == "full: the last full is 672 h 0 min old")
    #expect(
      taken(past((.full, "27d"), (.differential, "24h"), (.incremental, "2h")), Self.schedule)
        == "differential: the last full or differential is 24 h 0 min old")
    #expect(
      taken(past((.full, "27d"), (.differential, "23h"), (.incremental, "1h")), Self.schedule)
        == "incremental: the last snapshot is 1 h 0 min old")
    #expect(
      taken(past((.full, "27d"), (.differential, "23h"), (.incremental, "30min")), Self.schedule)
        == "none: the next incremental is due in 30 min 0 s")
  }

  @Test func aBiggerOneCountsForSmallerOnes() {
    #expect(taken(past((.full, "30min")), Self.schedule) == "none: the next incremental is due in 30 min 0 s")
    #expect(
      taken(past((.full, "30d"), (.full, "20h"), (.incremental, "30min")), Self.schedule)
        == "none: the next incremental is due in 30 min 0 s")
    #expect(
      taken(past((.full, "2h")), [.full: "4w", .differential: "1d"])
        == "none: the next differential is due in 22 h 0 min")
  }

  /// Whoever is started every 15 minutes is now and then a second early.
  @Test func whatLacksLittleOfItsIntervalIsDue() {
    #expect(taken(past((.full, "809s")), [.incremental: "15min"]).hasPrefix("none: "))
    #expect(taken(past((.full, "810s")), [.incremental: "15min"]).hasPrefix("incremental: "))
    // Two minutes at most.
    #expect(taken(past((.full, "2419199s")), [.full: "4w"]).hasPrefix("full: "))
    #expect(taken(past((.full, "2419100s")), [.full: "4w"]).hasPrefix("full: "))
    #expect(taken(past((.full, "2418299s")), [.full: "4w"]).hasPrefix("none: "))
  }

  @Test func aMergedFullIsAsOldAsWhatItStandsFor() {
    var past = Past()
    past.add(.full, "60d")
    past.add(.incremental, "10d")
    past.add(.full, "10d", standsFor: 2)
    #expect(taken(past.history, [.full: "4w"]).hasPrefix("none: "))
    past.add(.incremental, "2h")
    #expect(taken(past.history, [.full: "9d", .incremental: "1d"]) == "full: the last full is 240 h 0 min old")
  }

  // MARK: Clocks

  /// Taken while the clock was ahead: it is no reason to wait until that time comes.
  @Test func whatLiesAheadIsNoReasonToWait() {
    #expect(
      taken(past((.full, "3h"), (.incremental, "-300d")), [.full: "4w", .incremental: "1h"])
        == "incremental: the last snapshot is 3 h 0 min old")
    #expect(
      taken(past((.full, "30min"), (.incremental, "-300d")), [.full: "4w", .incremental: "1h"])
        == "none: the next incremental is due in 30 min 0 s")
    #expect(
      taken(past((.full, "-300d")), [.full: "4w", .incremental: "1h"]) == "full: no full or bigger one lies in the past"
    )
    #expect(
      taken(past((.full, "-300d")), [.incremental: "1h"])
        == "incremental: no incremental or bigger one lies in the past")
  }

  @Test func theClocksOfTwoMachinesMayDifferALittle() {
    #expect(taken(past((.full, "-60s")), [.incremental: "1h"]) == "none: the next incremental is due in 1 h 0 min")
    #expect(taken(past((.full, "-61s")), [.incremental: "1h"]).hasPrefix("incremental: "))
  }

  /// After one snapshot of the right time everything is as before, whatever lies ahead.
  @Test func aClockThatJumpedCostsOneSnapshotAtMost() {
    var past = Past()
    past.add(.full, "-3650d")
    past.add(.incremental, "-3650d")
    past.add(.full, "1min")
    #expect(taken(past.history, [.full: "4w", .incremental: "1h"]).hasPrefix("none: "))
  }

  // MARK: Merging

  private func merge(
    _ history: RunHistory, _ limit: Int, _ intervals: [SnapshotKind: String], opens: Bool = true
  ) -> String? {
    let lines = plan(history, policy(intervals, merge: limit), opens: opens).lines
    return lines.first { [.merge, .mergeElsewhere].contains($0.step) }.map { "\($0.step): \($0.reason)" }
  }

  @Test func aChainIsMergedWhenItHasBecomeLongEnough() {
    let long = past((.full, "4d"), (.incremental, "3d"), (.incremental, "2d"), (.incremental, "1d"))
    #expect(merge(long, 4, [:]) == "merge: its chain has 4 increments", "with the one that is taken now")
    #expect(merge(long, 5, [:]) == nil)
    #expect(merge(long, 3, [.incremental: "9d"]) == "merge: its chain has 3 increments", "though none is taken now")
    #expect(merge(long, 4, [.incremental: "9d"]) == nil)
    #expect(merge(long, 1, [.full: "2d"]) == nil, "a full begins a chain")
    #expect(merge(long, 1, [.differential: "1h"]) == "merge: its chain has 1 increment")
    #expect(merge(long, 2, [.differential: "1h"]) == nil, "a differential builds on the full")
  }

  @Test func onlyTheChainOfTheNewestCounts() {
    var past = Past()
    for kind in [SnapshotKind.full, .incremental, .incremental, .incremental] { past.add(kind, "5d") }
    past.add(.full, "5d", standsFor: 4)
    #expect(merge(past.history, 2, [:]) == nil)
    // A merge of an older one is not the newest.
    past.history.items[4].standsFor = 2
    #expect(merge(past.history, 4, [.full: "9d"]) == nil)
    #expect(merge(past.history, 3, [.full: "9d"]) == "merge: its chain has 3 increments")
  }

  @Test func withoutAKeyAMergeIsForAnotherMachine() {
    let long = past((.full, "4d"), (.incremental, "3d"))
    #expect(merge(long, 2, [:], opens: false) == "mergeElsewhere: its chain has 2 increments")
  }

  @Test func aChainWithAHoleIsNotCounted() {
    var history = past((.full, "4d"), (.incremental, "3d"), (.incremental, "2d"))
    history.items.remove(at: 1)
    #expect(merge(history, 2, [.full: "9d"]) == nil)
    // What is its own parent never ends.
    history.items[1].parent = history.items[1].id
    #expect(merge(history, 1, [.full: "9d"]) == nil)
  }

  // MARK: Pruning

  @Test func whatNobodyKeepsGoesBehindWhatIsNew() {
    let old = past((.full, "2h"))
    func steps(_ intervals: [SnapshotKind: String], merge: Int? = nil, _ history: RunHistory? = nil) -> [RunPlan.Step] {
      plan(history ?? old, policy(intervals, merge: merge, prunes: true)).lines.map(\.step)
    }
    #expect(steps([.incremental: "1h"]) == [.take(.incremental), .prune])
    #expect(steps([.incremental: "1d"]) == [])
    let long = past((.full, "2h"), (.incremental, "1h"))
    #expect(steps([.incremental: "1d"], merge: 1, long) == [.merge, .prune])
    #expect(
      plan(old, policy([.incremental: "1h"])).lines.map(\.step) == [.take(.incremental)], "only where it is asked for")
  }

  @Test func withoutTheRightAPruneIsForAnotherMachine() {
    let plan = plan(past((.full, "2h")), policy([.incremental: "1h"], prunes: true), mayPrune: false)
    #expect(plan.lines.map(\.step) == [.take(.incremental), .pruneElsewhere])
  }

  // MARK: Proving

  private static let day: Int64 = 86_400

  private func proof(
    _ round: VerifyRound?, within: String? = nil, share: Double? = nil, takes: Bool = false
  ) -> (first: Int, count: Int, reason: String)? {
    var history = past((.full, "1h"))
    history.verifyRound = round
    let policy = policy([.incremental: takes ? "1h" : "9d"], within: within, share: share)
    for line in plan(history, policy).lines {
      if case .verify(let first, let count) = line.step { return (first, count, line.reason) }
    }
    return nil
  }

  private func round(_ next: Int, daysAgo: Double) -> VerifyRound {
    VerifyRound(
      next: next, time: Timestamp(seconds: Self.now.seconds - Int64(daysAgo * Double(Self.day)), nanoseconds: 0))
  }

  @Test func aRoundBeginsAtItsBeginningAndGoesOnWhereItWas() throws {
    let first = try #require(proof(nil, within: "30d"))
    #expect(first.first == 0 && first.reason == "nothing was proved yet")
    let second = try #require(proof(round(2260, daysAgo: 1), within: "30d"))
    #expect(second.first == 2260 && second.reason == "the last verify was 24 h 0 min ago")
    #expect(second.count == 2260, "a 29th, so that the thirtieth day is not too late")
    #expect(proof(round(2260, daysAgo: 0.9), within: "30d") == nil)
    let late = try #require(proof(round(60_000, daysAgo: 15), within: "30d"))
    #expect(late.first == 60_000 && late.count == 33_898, "what was missed is made up for")
    #expect(try #require(proof(round(0, daysAgo: 100), within: "30d")).count == VerifyRound.parts)
  }

  @Test func aShareIsProvedWithEverySnapshot() throws {
    #expect(proof(round(7, daysAgo: 0), share: 0.25) == nil)
    let taken = try #require(proof(round(7, daysAgo: 0), share: 0.25, takes: true))
    #expect(taken.first == 7 && taken.count == VerifyRound.parts / 4 && taken.reason == "a share of every run")
    #expect(proof(round(7, daysAgo: 0), takes: true) == nil)
    #expect(try #require(proof(round(0, daysAgo: 1), within: "30d", share: 0.5)).count == VerifyRound.parts / 2)
  }

  @Test func aClockThatWasAheadStopsNoProof() throws {
    #expect(try #require(proof(round(5, daysAgo: -300), within: "30d")).first == 5)
    #expect(try #require(proof(round(5, daysAgo: -300), within: "30d")).count == 2260)
  }

  @Test func aRecordThatMakesNoSenseBeginsAnew() throws {
    #expect(try #require(proof(round(-1, daysAgo: 2), within: "30d")).first == 0)
    #expect(try #require(proof(round(1 << 40, daysAgo: 2), within: "30d")).first == 0)
    #expect(
      try #require(proof(VerifyRound(next: 0, time: Timestamp(seconds: .min, nanoseconds: 0)), within: "30d")).count
        == VerifyRound.parts)
    #expect(
      try #require(proof(VerifyRound(next: 0, time: Timestamp(seconds: .max, nanoseconds: 0)), within: "30d")).count
        == 2260)
  }

  /// Whenever one looks, every part was proved within the time that the site wants.
  @Test(arguments: [UInt64.random(in: 0...UInt64.max), 1, 2])
  func everythingIsProvedWithinTheTime(seed: UInt64) {
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    let policy = policy([.incremental: "15min"], within: "30d")
    var history = past((.full, "1h"))
    var proved = [Int64](repeating: Self.now.seconds, count: VerifyRound.parts)
    var now = Self.now
    while now.seconds < Self.now.seconds + 95 * Self.day {
      now.seconds += 900 + Int64(random.next() % 120) - 60
      let plan = RunPlan(history, policy, now: now, opens: true, mayPrune: true)
      for case .verify(let first, let count) in plan.lines.map(\.step) {
        for part in first..<(first + count) { proved[part % VerifyRound.parts] = now.seconds }
        history.verifyRound = VerifyRound(next: (first + count) % VerifyRound.parts, time: now)
      }
      if random.next() % 200 == 0, let oldest = proved.min() {
        #expect(now.seconds - oldest <= 30 * Self.day, "seed \(seed)")
      }
    }
    #expect(now.seconds - (proved.min() ?? 0) <= 30 * Self.day, "seed \(seed)")
  }
}
