import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import HoldfastWatch
import Testing

/// A shop that changes all the time, watched for long and pruned by a policy: neither the chain nor the number of
/// snapshots grows with the time. By day two days are simulated, at night a year.
@Suite struct WatchYearTests {
  /// The snapshots of a source, without their contents.
  private struct Repository {
    var candidates: [RetentionCandidate] = []
    /// The chain of the newest, the full first.
    var chain: [Identifier] = []
    private var sequence: UInt64 = 0
    private(set) var taken = 0

    mutating func add(_ kind: SnapshotKind, at time: Timestamp, standingFor original: UInt64? = nil) {
      sequence += 1
      taken += 1
      let bytes = (0..<16).map { UInt8(truncatingIfNeeded: sequence >> (8 * UInt64($0 % 8))) }
      guard let id = Identifier(bytes: bytes) else { return }
      if kind == .full { chain = [] }
      var candidate = RetentionCandidate(id: id, sequence: sequence, kind: kind, parent: chain.last, time: time)
      candidate.standsFor = original ?? sequence
      candidates.append(candidate)
      chain.append(id)
    }

    /// The newest snapshots become one, or all become a full.
    mutating func merge(_ count: Int?, at time: Timestamp) {
      let original = sequence
      if let count { chain.removeLast(min(count, chain.count - 1)) }
      add(count == nil ? .full : .incremental, at: time, standingFor: original)
    }

    mutating func prune(_ policy: RetentionPolicy, now: Timestamp) {
      let plan = RetentionPlan(candidates, policy: policy, now: now, calendar: LocalCalendar.time(of:))
      candidates = plan.lines.filter(\.isKept).map(\.candidate)
    }
  }

  @Test func chainsAndSnapshotsStayAsMany() {
    var policy = RetentionPolicy()
    policy.within = .hours(1)
    policy.periods = [.hour: 24, .day: 14, .week: 8, .month: 12]
    var repository = Repository()
    let begin = Timestamp(seconds: 1_767_225_600, nanoseconds: 0)
    var now = TimeSpan.zero
    var time: Timestamp { Timestamp(seconds: begin.seconds + Int64(now.seconds), nanoseconds: 0) }
    repository.add(.full, at: time)
    var state = WatchState(WatchPolicy(), begin: now)
    state.opens(true)
    state.found(WatchedChain([WatchedChain.Link(.full, storedBytes: 1 << 40)]), fullAge: .zero, at: now)
    let end = TimeSpan.days(Trials.areAll ? 365 : 2)
    var (longest, most, nextPrune) = (0, 0, TimeSpan.hours(1))
    while now < end {
      now += .seconds(30)
      state.changed(at: now)
      guard case .run(let work) = state.step(at: now) else { continue }
      state.began(at: now)
      repository.add(.incremental, at: time)
      var report = WatchState.Report(taken: WatchedChain.Link(.incremental, storedBytes: 1000))
      switch work {
      case .increment, .differential: break
      case .gather(let count):
        repository.merge(count, at: time)
        report.merge = .increment(storedBytes: 1000)
      case .merge:
        repository.merge(nil, at: time)
        report.merge = .full(storedBytes: 1 << 40)
      }
      state.ended(work, report, at: now)
      #expect(work != .differential)
      longest = max(longest, repository.chain.count)
      guard now >= nextPrune else { continue }
      nextPrune = now + .hours(1)
      repository.prune(policy, now: time)
      most = max(most, repository.candidates.count)
      #expect(state.chain.increments.count + 1 == repository.chain.count)
    }
    #expect(longest <= 46, "\(longest)")
    #expect(most <= 1500, "\(most) of \(repository.taken)")
  }
}
