package import HoldfastModel

/// The state of the watch of one source: what it knows of changes and runs, and so what is to be done next. It reads no
/// clock and waits for nothing: times are uptimes that it is given.
///
/// A change counts as captured only by a run that began after the change was seen. So one that comes while a run
/// captures leads to another run.
package struct WatchState: Sendable {
  /// The thing to do at a moment.
  package enum Step: Hashable, Sendable {
    /// Take a snapshot, then do what else the work contains.
    case run(Work)
    /// Look at the whole source: there may be changes that nobody has told of.
    case look
    /// Nothing before this uptime, unless something changes.
    case wait(until: TimeSpan)
  }

  /// The work of one run.
  package enum Work: Hashable, Sendable {
    /// A snapshot on top of the newest.
    case increment
    /// A snapshot on top of the full, and then what retention and proof demand.
    case differential
    /// A snapshot on top of the newest, and then the newest increments, of which there are so many, become one; after
    /// that, what retention and proof demand.
    case gather(Int)
    /// The same as what gathers, but the chain becomes a new full.
    case merge
  }

  /// The result of one run.
  package struct Report: Hashable, Sendable {
    /// The result of a merge.
    package enum Merge: Hashable, Sendable {
      /// - Parameter storedBytes: the size of the full that the chain has become.
      case full(storedBytes: UInt64)
      /// - Parameter storedBytes: the size of the increment that several have become.
      case increment(storedBytes: UInt64)
      /// There was nothing to merge, or another machine has to.
      case leftAlone
      case failed
    }

    /// The snapshot, which contains everything from before the run began; `nil` if none was taken.
    package var taken: WatchedChain.Link?
    /// `nil` if no merge was tried: home is away, say.
    package var merge: Merge?

    package init(taken: WatchedChain.Link?, merge: Merge? = nil) { (self.taken, self.merge) = (taken, merge) }
  }

  private let policy: WatchPolicy
  /// The uptimes of the first and of the last change that no run contains.
  private var pending: (first: TimeSpan, last: TimeSpan)?
  /// The same, for what the present run may have missed.
  private var late: (first: TimeSpan, last: TimeSpan)?
  private var isRunning = false
  private var lastBegin: TimeSpan?
  private var nextLook: TimeSpan
  /// The chain as the repository has it.
  package private(set) var chain = WatchedChain()
  /// The uptime of the beginning of its newest snapshot; `nil` if it is not known.
  private var lastTaken: TimeSpan?
  /// True if this machine can open what it stores, so that it can merge.
  private var mayMerge = false
  /// True if the last merge of increments failed: a differential needs none of them.
  private var hasGatherFailed = false
  private var lastGathering: TimeSpan
  private var gatheringDuration = TimeSpan.zero
  /// The uptime of the newest full, or of the last merge that was left alone.
  private var lastMerge: TimeSpan
  /// The uptimes before which no run begins, and none that gathers or merges: after failures, or because the last one
  /// took long.
  private var notBefore: TimeSpan
  private var noGatheringBefore: TimeSpan
  private var noMergeBefore: TimeSpan
  private var failures = 0
  private var failedGatherings = 0
  private var failedMerges = 0

  /// - Parameter begin: the uptime at which the watch begins. The source counts as changed: nobody knows what happened
  ///   before.
  package init(_ policy: WatchPolicy, begin: TimeSpan) {
    self.policy = policy
    pending = (begin, begin)
    (lastGathering, lastMerge, nextLook) = (begin, begin, begin + policy.maxInterval)
    (notBefore, noGatheringBefore, noMergeBefore) = (begin, begin, begin)
  }

  /// The time for which the oldest change waits that is in no snapshot; 0 if there is none.
  package func lag(at now: TimeSpan) -> TimeSpan {
    [pending?.first, late?.first].compactMap(\.self).min().map { max(.zero, now - $0) } ?? .zero
  }

  /// True if a change was seen that no run contains.
  package var isBehind: Bool { pending != nil || late != nil }

  // MARK: What happens

  /// Something changed, or may have.
  package mutating func changed(at now: TimeSpan) {
    if isRunning {
      late = (late?.first ?? now, now)
    } else {
      pending = (pending?.first ?? now, now)
    }
  }

  /// The repository was read: this is the chain that it has. So a watch that is started anew goes on where the one
  /// before it was.
  /// - Parameters:
  ///   - fullAge: the age of its full.
  ///   - tipAge: the age of its newest snapshot.
  package mutating func found(
    _ chain: WatchedChain, fullAge: TimeSpan, tipAge: TimeSpan = .zero, at now: TimeSpan
  ) {
    self.chain = chain
    lastTaken = now - max(.zero, tipAge)
    lastMerge = now - max(.zero, fullAge)
  }

  /// This machine has a key that opens what it stores, or needs none; or it has none.
  package mutating func opens(_ opens: Bool) { mayMerge = opens }

  /// True if increments are merged; false if differentials stand in their place.
  package var mergesIncrements: Bool { mayMerge && !hasGatherFailed }

  /// The whole source was looked at. The next look is later where this one took long.
  package mutating func looked(taking duration: TimeSpan = .zero, at now: TimeSpan) {
    nextLook = now + max(policy.maxInterval, duration / policy.gatheringShare)
  }

  package mutating func began(at now: TimeSpan) {
    (isRunning, lastBegin) = (true, now)
    nextLook = max(nextLook, now + policy.maxInterval)
  }

  /// The run has ended.
  package mutating func ended(_ work: Work, _ report: Report, at now: TimeSpan) {
    isRunning = false
    defer { late = nil }
    let duration = max(.zero, now - (lastBegin ?? now))
    if work != .increment { (lastGathering, gatheringDuration) = (now, duration) }
    guard let taken = report.taken else { return failed(work, at: now) }
    (failures, pending) = (0, late)
    note(taken, at: now)
    lastTaken = lastBegin
    // Where a target is slow, half of the time stays free. What gathers has a pause of its own.
    notBefore = work == .increment ? now + min(duration, policy.maxInterval) : now
    if case .gather(let count) = work, taken.kind == .incremental {
      return gathered(count, report.merge, at: now)
    }
    if work != .increment { (failedGatherings, hasGatherFailed) = (0, false) }
    guard work == .merge, taken.kind != .full else { return }
    switch report.merge {
    case .full(let bytes): note(WatchedChain.Link(.full, storedBytes: bytes), at: now)
    case .leftAlone, .increment: lastMerge = now
    case .failed:
      failedMerges += 1
      noMergeBefore = now + gatheringPause(after: failedMerges)
    case nil: noMergeBefore = now + gatheringPause(after: 1)
    }
  }

  private mutating func gathered(_ count: Int, _ merge: Report.Merge?, at now: TimeSpan) {
    if case .increment(let bytes) = merge {
      chain.gather(count, storedBytes: bytes)
      failedGatherings = 0
    } else if merge == nil {
      // That says nothing of the increments: they are merged later, and no differential takes their place.
      noGatheringBefore = now + gatheringPause(after: 1)
    } else {
      failedGatherings += 1
      hasGatherFailed = true
      noGatheringBefore = now + gatheringPause(after: failedGatherings)
    }
  }

  private mutating func note(_ link: WatchedChain.Link, at now: TimeSpan) {
    var link = link
    link.span = span(at: lastBegin ?? now)
    chain.add(link)
    if link.kind == .full { (lastMerge, failedMerges) = (now, 0) }
  }

  /// Returns the span of an increment that begins at a time. Where nothing changed for long, it is no longer than the
  /// longest interval.
  private func span(at begin: TimeSpan) -> TimeSpan {
    min(max(.zero, begin - (lastTaken ?? begin)), policy.maxInterval)
  }

  private mutating func failed(_ work: Work, at now: TimeSpan) {
    if let late { pending = (pending?.first ?? late.first, late.last) }
    failures += 1
    let pause = Self.doubled(policy.minInterval, times: failures - 1)
    notBefore = now + min(max(.seconds(1), pause), max(policy.maxInterval, policy.minInterval))
    guard work != .increment else { return }
    // An increment may succeed where a differential does not: it is smaller.
    failedGatherings += 1
    noGatheringBefore = now + gatheringPause(after: failedGatherings)
  }

  private func gatheringPause(after failures: Int) -> TimeSpan {
    min(Self.doubled(max(.minutes(1), policy.differential), times: failures - 1), policy.gatheringPauseMax)
  }

  private static func doubled(_ span: TimeSpan, times: Int) -> TimeSpan {
    .seconds(span.seconds * Double(UInt64(1) << UInt64(max(0, min(times, 20)))))
  }

  // MARK: What to do

  package func step(at now: TimeSpan) -> Step {
    guard !isRunning else { return .wait(until: .seconds(.infinity)) }
    guard let pending else {
      return now >= nextLook ? .look : .wait(until: nextLook)
    }
    let isQuietAt = min(pending.last + policy.quiet, pending.first + max(policy.quiet, policy.maxInterval))
    let due = max(isQuietAt, lastBegin.map { $0 + policy.minInterval } ?? isQuietAt, notBefore)
    return now >= due ? .run(work(at: now)) : .wait(until: due)
  }

  private func work(at now: TimeSpan) -> Work {
    let mayGather = now >= max(noGatheringBefore, lastGathering + gatheringDuration / policy.gatheringShare)
    guard mayGather, !chain.isShort else { return .increment }
    let isRested = now - lastGathering >= policy.differential
    let isDue = now - lastMerge >= policy.merge
    if mergesIncrements {
      if now >= noMergeBefore, isDue || isRested && isFar(chain.bytesAboveFull) { return .merge }
      let count = chain.gatherable(policy.levels, next: span(at: now), countMax: policy.mergedMax)
      return count > 0 ? .gather(count) : .increment
    }
    // The increments since the last differential weigh as much as it does, and the next one weighs at most twice as
    // much as they do. So all differentials together weigh at most twice as much as all increments.
    let isOutweighed = chain.incrementBytes >= chain.differential?.storedBytes ?? 0
    if now >= noMergeBefore, isDue || isRested && chain.differential.map({ isFar($0.storedBytes) }) ?? false {
      return .merge
    }
    guard !chain.increments.isEmpty else { return .increment }
    return chain.increments.count >= policy.incrementsMax || isRested && isOutweighed ? .differential : .increment
  }

  /// True if so many bytes on top of the full are reason enough for a new one.
  private func isFar(_ bytes: UInt64) -> Bool {
    chain.full.map { Double(bytes) >= policy.fullShare * Double($0.storedBytes) } ?? false
  }
}
