import HoldfastModel
import HoldfastTestSupport
import Testing

/// The plan against the rules written down a second time, slowly: each snapshot is asked alone whether it is kept.
@Suite struct RetentionPropertyTests {
  private let now = Timestamp(seconds: 100_000, nanoseconds: 0)

  /// Whether a rule, without regard to chains, keeps the snapshot at `place`.
  private func isKeptByRule(
    _ place: Int, of all: [RetentionCandidate], _ policy: RetentionPolicy
  ) -> Bool {
    let one = all[place]
    if all.allSatisfy({ $0.sequence <= one.sequence }) { return true }
    if !all.contains(where: { isNewer($0, one) }) { return true }
    if !one.isIncomplete, !all.contains(where: { !$0.isIncomplete && isNewer($0, one) }) { return true }
    if one.time > now || one.pin != nil || !one.tags.isDisjoint(with: policy.tags) { return true }
    if isBestProof(one, of: all) { return true }
    let judged = all.filter { candidate in
      candidate.time <= now && !all.contains { $0.standsFor == candidate.standsFor && isNewer($0, candidate) }
    }
    guard judged.contains(one) else { return false }
    // Only those displace it that no other one contradicts.
    let rivals = judged.filter { $0 == one || !isContradicted($0, in: all) }
    if rivals.count(where: { isNewer($0, one) }) < policy.last { return true }
    if policy.within > .zero, let newest = judged.map(\.time).max(), newest - one.time <= policy.within {
      return true
    }
    return RetentionPolicy.Period.allCases.contains { isNewest(one, of: $0, rivals, policy) }
  }

  /// Whether a later one has an earlier time, or an earlier one a later time.
  private func isContradicted(_ one: RetentionCandidate, in all: [RetentionCandidate]) -> Bool {
    all.contains { other in
      other.time <= now && (isNewer(other, one) ? other.time < one.time : other.time > one.time)
    }
  }

  private func isBestProof(_ one: RetentionCandidate, of all: [RetentionCandidate]) -> Bool {
    guard one.kind == .full, let share = one.provedShare else { return false }
    return all.allSatisfy { other in
      guard other.kind == .full, let others = other.provedShare else { return true }
      if (others == 100) != (share == 100) { return share == 100 }
      return !isNewer(other, one)
    }
  }

  /// By what they stand for; of two that stand for the same the one that was made later.
  private func isNewer(_ one: RetentionCandidate, _ other: RetentionCandidate) -> Bool {
    one.standsFor == other.standsFor ? one.sequence > other.sequence : one.standsFor > other.standsFor
  }

  private func isNewest(
    _ one: RetentionCandidate, of period: RetentionPolicy.Period, _ judged: [RetentionCandidate],
    _ policy: RetentionPolicy
  ) -> Bool {
    let place = { (candidate: RetentionCandidate) in Self.place(of: candidate.time.seconds, period) }
    let same = judged.filter { place($0) == place(one) }
    let better = same.contains { other in
      if other.isIncomplete != one.isIncomplete { return one.isIncomplete }
      return isNewer(other, one)
    }
    let later = Set(judged.map(place).filter { $0 > place(one) })
    return !better && later.count < policy.periods[period] ?? 0
  }

  /// In the calendar of `RetentionPlanTests`, as one number.
  private static func place(of seconds: Int64, _ period: RetentionPolicy.Period) -> Int64 {
    switch period {
    case .hour: seconds / 10
    case .day: seconds / 100
    case .week: seconds / 100 / 364 * 52 + seconds / 100 % 364 / 7
    case .month: seconds / 3000
    case .year: seconds / 36_000
    }
  }

  @Test(arguments: 0..<400 as Range<UInt64>)
  func thePlanIsWhatTheRulesSay(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let all = Self.history(&random, hasWrongTimes: seed.isMultiple(of: 2))
    let policy = Self.policy(&random)
    let plan = RetentionPlan(
      all.shuffled(using: &random), policy: policy, now: now, calendar: RetentionPlanTests.calendar)
    var kept = Set(all.indices.filter { isKeptByRule($0, of: all, policy) }.map { all[$0].id })
    while true {
      let parents = Set(all.filter { kept.contains($0.id) }.compactMap(\.parent))
      if parents.isSubset(of: kept) { break }
      kept.formUnion(parents)
    }
    for (line, candidate) in zip(plan.lines, all) {
      #expect(line.candidate == candidate, "seed \(seed)")
      #expect(line.isKept == kept.contains(candidate.id), "seed \(seed), number \(candidate.sequence), \(policy)")
    }
  }

  /// What a prune leaves is what the next one leaves, when nothing else happens.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func pruningTwiceRemovesNoMore(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let policy = Self.policy(&random)
    let all = Self.history(&random)
    let first = RetentionPlan(all, policy: policy, now: now, calendar: RetentionPlanTests.calendar)
    let left = first.lines.filter(\.isKept).map(\.candidate)
    let second = RetentionPlan(left, policy: policy, now: now, calendar: RetentionPlanTests.calendar)
    #expect(second.lines.allSatisfy { $0.isKept }, "seed \(seed)")
  }

  /// Who may only add snapshots, with times that he likes, before that of the last genuine one, pushes none out that a
  /// rule keeps.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func backdatingRemovesNothing(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let policy = Self.policy(&random)
    let genuine = Self.history(&random).filter { $0.time <= now }
    guard let last = genuine.map(\.time.seconds).max(), last > 0 else { return }
    let forged = (1...20).map { number in
      RetentionCandidate(
        id: RetentionPlanTests.id(100 + UInt64(number)), sequence: 100 + UInt64(number), kind: .full, parent: nil,
        time: Timestamp(seconds: Int64.random(in: 0..<last, using: &random), nanoseconds: 0))
    }
    let before = RetentionPlan(genuine, policy: policy, now: now, calendar: RetentionPlanTests.calendar)
    let after = RetentionPlan(genuine + forged, policy: policy, now: now, calendar: RetentionPlanTests.calendar)
    for (line, then) in zip(before.lines, after.lines) where line.reasons.contains(where: isOfARule) {
      #expect(then.isKept, "seed \(seed), number \(line.candidate.sequence), \(policy)")
    }
  }

  private func isOfARule(_ reason: RetentionReason) -> Bool {
    switch reason {
    case .last, .within, .newestOf, .tagged, .pinned: true
    default: false
    }
  }

  private static func history(
    _ random: inout SeededRandom, hasWrongTimes: Bool = false
  ) -> [RetentionCandidate] {
    var seconds = Int64.random(in: 0..<20_000, using: &random)
    var full: UInt64?
    let step = Int64([3, 30, 300, 3000].randomElement(using: &random) ?? 3)
    var all: [RetentionCandidate] = []
    for sequence in 1...UInt64.random(in: 1...60, using: &random) {
      if Int.random(in: 0..<10, using: &random) == 0, let original = all.randomElement(using: &random) {
        all.append(merge(of: original, as: sequence))
        continue
      }
      seconds += Int64.random(in: 0..<step, using: &random)
      let previous = all.max { ($0.standsFor, $0.sequence) < ($1.standsFor, $1.sequence) }
      if previous?.kind == .full { full = previous?.sequence }
      let isFull = full == nil || Int.random(in: 0..<8, using: &random) == 0
      let isDifferential = !isFull && Int.random(in: 0..<4, using: &random) == 0
      var candidate = RetentionCandidate(
        id: RetentionPlanTests.id(sequence), sequence: sequence,
        kind: isFull ? .full : isDifferential ? .differential : .incremental,
        parent: isFull ? nil : RetentionPlanTests.id(isDifferential ? full ?? 1 : previous?.sequence ?? 1),
        time: Timestamp(seconds: Int.random(in: 0..<25, using: &random) == 0 ? 200_000 : seconds, nanoseconds: 0))
      if hasWrongTimes, Int.random(in: 0..<15, using: &random) == 0 {
        candidate.time.seconds = Int64.random(in: 0..<20_000, using: &random)
      }
      if isFull { full = sequence }
      func isOneOfTwelve() -> Bool { Int.random(in: 0..<12, using: &random) == 0 }
      if isOneOfTwelve() { candidate.pin = "" }
      if isOneOfTwelve() { candidate.tags = Set([Tag("t")].compactMap { $0 }) }
      candidate.isIncomplete = isOneOfTwelve()
      if isOneOfTwelve() { candidate.provedShare = [0, 5, 100].randomElement(using: &random) }
      all.append(candidate)
    }
    return all
  }

  /// A full that stands for another one.
  private static func merge(of original: RetentionCandidate, as sequence: UInt64) -> RetentionCandidate {
    var merged = RetentionCandidate(
      id: RetentionPlanTests.id(sequence), sequence: sequence, kind: .full, parent: nil, time: original.time)
    merged.standsFor = original.standsFor
    merged.isIncomplete = original.isIncomplete
    return merged
  }

  private static func policy(_ random: inout SeededRandom) -> RetentionPolicy {
    var policy = RetentionPolicy()
    if Bool.random(using: &random) { policy.last = Int.random(in: 0..<5, using: &random) }
    for period in RetentionPolicy.Period.allCases where Bool.random(using: &random) {
      policy.periods[period] = Int.random(in: 0..<6, using: &random)
    }
    if Int.random(in: 0..<4, using: &random) == 0 {
      policy.within = .seconds(Double(Int.random(in: 1..<500, using: &random)))
    }
    if Bool.random(using: &random) { policy.tags = Set([Tag("t")].compactMap { $0 }) }
    return policy
  }
}
