import HoldfastModel
import HoldfastTestSupport
import Testing

/// What a policy keeps, each rule by an example, and all of them against a second implementation.
@Suite struct RetentionPlanTests {
  private let now = Timestamp(seconds: 1_000_000_000, nanoseconds: 0)

  /// A calendar in which a day has 10 hours of 10 s, a week 7 days, a month 30, a year 360; enough to be wrong in.
  static func calendar(_ time: Timestamp) -> CalendarTime {
    let days = Int(time.seconds) / 100
    var result = CalendarTime(
      year: days / 360, month: days % 360 / 30, day: days % 30, hour: Int(time.seconds) % 100 / 10, offset: 0,
      dayOfYear: 0, weekday: 0)
    (result.weekYear, result.week) = (days / 364, days % 364 / 7)
    return result
  }

  static func id(_ number: UInt64) -> Identifier {
    Identifier(bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 16)) ?? Identifier.zero
  }

  private func snapshot(
    _ sequence: UInt64, at seconds: Int64, on parent: UInt64? = nil,
    _ change: (inout RetentionCandidate) -> Void = { _ in }
  ) -> RetentionCandidate {
    var candidate = RetentionCandidate(
      id: Self.id(sequence), sequence: sequence, kind: parent == nil ? .full : .incremental,
      parent: parent.map { Self.id($0) }, time: Timestamp(seconds: seconds, nanoseconds: 0))
    change(&candidate)
    return candidate
  }

  /// The reasons for each, in the order of sequences.
  private func reasons(
    _ candidates: [RetentionCandidate], _ change: (inout RetentionPolicy) -> Void
  ) -> [String] {
    var policy = RetentionPolicy()
    change(&policy)
    let plan = RetentionPlan(candidates, policy: policy, now: now, calendar: Self.calendar)
    return plan.lines.map { $0.reasons.map(\.description).joined(separator: "; ") }
  }

  private func row(_ times: Int64...) -> [RetentionCandidate] {
    times.enumerated().map { snapshot(UInt64($0.offset) + 1, at: $0.element) }
  }

  // MARK: Merges

  /// Who may not have snapshots removed merges all the same: the full stands where the snapshot does, displaces
  /// nothing, and says nothing about the clock.
  @Test func aMergeByWhoMayNotPruneTakesNobodysPlace() {
    func merged(by mayReplace: Bool) -> [RetentionCandidate] {
      row(10, 20, 30) + [
        snapshot(4, at: 20) {
          ($0.standsFor, $0.mayReplace) = (2, mayReplace)
        }
      ]
    }
    func plan(_ mayReplace: Bool) -> RetentionPlan {
      var policy = RetentionPolicy()
      policy.last = 3
      return RetentionPlan(merged(by: mayReplace), policy: policy, now: now, calendar: Self.calendar)
    }
    for mayReplace in [false, true] {
      #expect(plan(mayReplace).lines.map(\.candidate.sequence) == [1, 2, 3, 4])
      #expect(plan(mayReplace).lines.allSatisfy { !$0.isOutOfOrder })
    }
    #expect(
      reasons(merged(by: false)) { $0.last = 3 } == [
        "one of the last 3", "one of the last 3", "the newest; one of the last 3",
        "the last that was made; one of the last 3",
      ])
    let days =
      row(10, 110, 210) + [snapshot(4, at: 110) { ($0.standsFor, $0.mayReplace) = (2, false) }]
    #expect(reasons(days) { $0.periods[.day] = 3 }.allSatisfy { !$0.isEmpty }, "the second is the newest of its day")
    #expect(
      reasons(merged(by: true)) { $0.last = 3 } == [
        "one of the last 3", "", "the newest; one of the last 3", "the last that was made; one of the last 3",
      ])
  }

  /// Of several that stand for one, one that may is enough.
  @Test func aMergeThatMayReplacesThoughAnotherMayNot() {
    let candidates =
      row(10, 20, 30) + [
        snapshot(4, at: 20) { ($0.standsFor, $0.mayReplace) = (2, false) }, snapshot(5, at: 20) { $0.standsFor = 2 },
      ]
    let kept = reasons(candidates) { $0.last = 2 }
    #expect(kept[1] == "" && kept[3] == "", "\(kept)")
  }

  // MARK: Rules

  @Test func theLastAreKept() {
    #expect(reasons(row(1, 2, 3, 4)) { $0.last = 2 } == ["", "", "one of the last 2", "the newest; one of the last 2"])
  }

  @Test func ofEachPeriodTheNewestIsKept() {
    #expect(
      reasons(row(10, 20, 110, 350, 360)) { $0.periods[.day] = 3 } == [
        "", "the newest of 0-00-00", "the newest of 0-00-01", "", "the newest; the newest of 0-00-03",
      ])
  }

  /// Days without a snapshot do not count.
  @Test func periodsThatHaveASnapshotAreCounted() {
    #expect(
      reasons(row(0, 100, 5000)) { $0.periods[.day] = 2 } == [
        "", "the newest of 0-00-01", "the newest; the newest of 0-01-20",
      ])
  }

  @Test func anIncompleteOneDoesNotStandForItsPeriodWhereThereIsACompleteOne() {
    var candidates = row(10, 20, 110, 120)
    candidates[1].isIncomplete = true
    candidates[2].isIncomplete = true
    candidates[3].isIncomplete = true
    #expect(
      reasons(candidates) { $0.periods[.day] = 2 } == [
        "the newest complete one; the newest of 0-00-00", "", "", "the newest; the newest of 0-00-01",
      ])
  }

  /// Not from now: a source that nobody backs up any more would lose everything.
  @Test func timeIsCountedFromTheNewest() {
    #expect(
      reasons(row(100, 150, 200)) { $0.within = .seconds(50) } == ["", "recent enough", "the newest; recent enough"])
  }

  @Test func whatIsTaggedIsKept() {
    var candidates = row(1, 2, 3)
    candidates[0].tags = ["release", "x"].compactMap { Tag($0) }.reduce(into: []) { $0.insert($1) }
    candidates[1].tags = [Tag("other")].compactMap { $0 }.reduce(into: []) { $0.insert($1) }
    #expect(
      reasons(candidates) { $0.tags = Set([Tag("release")].compactMap { $0 }) } == ["tagged release", "", "the newest"])
  }

  @Test func whatIsPinnedIsKeptWithItsReason() {
    var candidates = row(1, 2, 3)
    candidates[0].pin = "the auditors want it"
    candidates[1].pin = ""
    #expect(
      reasons(candidates) { $0.last = 1 } == [
        "pinned: the auditors want it", "pinned", "the newest; one of the last 1",
      ])
  }

  @Test func whatKeptOnesBuildOnIsKept() {
    let candidates = [
      snapshot(1, at: 1), snapshot(2, at: 2, on: 1), snapshot(3, at: 3, on: 2), snapshot(4, at: 4),
      snapshot(5, at: 5, on: 4), snapshot(6, at: 6, on: 4),
    ]
    #expect(
      reasons(candidates) { $0.last = 1 } == [
        "", "", "", "06060606 builds on it", "", "the newest; one of the last 1",
      ])
    #expect(
      reasons(
        candidates.map { one in
          var one = one
          if one.sequence == 3 { one.pin = "" }
          return one
        }
      ) { $0.last = 1 } == [
        "02020202 builds on it", "03030303 builds on it", "pinned", "06060606 builds on it", "",
        "the newest; one of the last 1",
      ])
  }

  // MARK: What no policy removes

  /// A clock that was wrong once must not push sound snapshots out.
  @Test func snapshotsOfTheFutureAreKeptAndDisplaceNone() {
    let candidates = row(10, 20, now.seconds + 1, now.seconds + 2, 30)
    #expect(
      reasons(candidates) { $0.last = 2 } == [
        "", "one of the last 2", "its time lies ahead", "its time lies ahead", "the newest; one of the last 2",
      ])
    #expect(reasons(candidates) { $0.periods[.year] = 1 }[4] == "the newest; the newest of 0")
    #expect(reasons(candidates) { $0.within = .seconds(10) }[1] == "recent enough")
  }

  @Test func theNewestFullThatWasProvedIsKept() {
    var candidates = row(1, 2, 3, 4)
    candidates[0].provedShare = 100
    candidates[1].provedShare = 5
    #expect(reasons(candidates) { $0.last = 1 }[0] == "the newest full that was proved")
    candidates[0].provedShare = 0
    #expect(reasons(candidates) { $0.last = 1 }[1] == "the newest full that was proved")
    candidates[1].kind = .incremental
    #expect(reasons(candidates) { $0.last = 1 }[0] == "the newest full that was proved")
  }

  // MARK: Times that contradict numbers

  /// Ten genuine days, and then somebody adds a snapshot for each of them, a second later. The last of these might be
  /// genuine: it lies behind all others.
  @Test func backdatedSnapshotsDisplaceNone() {
    let genuine = (1...10).map { snapshot(UInt64($0), at: Int64($0) * 100) }
    let forged = (1...10).map { snapshot(UInt64($0) + 10, at: Int64($0) * 100 + 1) }
    let kept = reasons(genuine + forged) { $0.periods[.day] = 30 }
    #expect(kept[..<9].allSatisfy { $0.hasPrefix("the newest of ") })
    #expect(kept[9] == "" && kept[19] == "the newest; the newest of 0-00-10")
  }

  /// A clock was ahead once, and its time has come: what was taken meanwhile loses nothing by it.
  @Test func aSnapshotThatWasAheadDisplacesNoneLater() {
    let candidates = row(100, 900, 200, 300, 400)
    #expect(
      reasons(candidates) { $0.periods[.day] = 3 } == [
        "the newest of 0-00-01", "the newest of 0-00-09", "the newest of 0-00-02", "the newest of 0-00-03",
        "the newest; the newest of 0-00-04",
      ])
    #expect(reasons(candidates) { $0.last = 2 }[1...2] == ["one of the last 2", "one of the last 2"])
  }

  /// It displaces none, and one whose time is in order displaces it.
  @Test func whatIsOutOfOrderGoesWhereOneInOrderHasItsPeriod() {
    // The third is out of order with the second, and of the same day as the fourth.
    let candidates = row(100, 250, 220, 260, 300)
    #expect(
      reasons(candidates) { $0.periods[.day] = 3 } == [
        "the newest of 0-00-01", "", "", "the newest of 0-00-02", "the newest; the newest of 0-00-03",
      ])
  }

  @Test func aPolicyIsEmptyThatKeepsNothing() {
    var policy = RetentionPolicy()
    #expect(policy.isEmpty)
    policy.periods = [.day: 0, .year: -1]
    #expect(policy.isEmpty)
    policy.periods[.week] = 1
    #expect(!policy.isEmpty)
  }
}

extension Identifier {
  fileprivate static var zero: Identifier {
    guard let id = Identifier(String(repeating: "0", count: 32)) else { preconditionFailure("it is an ID") }
    return id
  }
}
