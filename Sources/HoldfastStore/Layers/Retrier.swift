package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// How often, and for how long, a failed request is repeated.
package struct RetryPolicy: Sendable {
  /// The delay before the second try. It doubles before each further try.
  package var firstDelay = TimeSpan.milliseconds(100)
  /// The longest delay before a try.
  package var delayMax = TimeSpan.seconds(15)
  /// No try begins later than this after the first.
  package var deadline = TimeSpan.minutes(2)
  /// In place of it, after a request was given up and before another one is answered.
  package var deadlineInOutage = TimeSpan.seconds(5)
  /// From so long after that request on, nothing is tried at all: a server that is silent holds each try for half a
  /// minute, and a run has many requests.
  package var outageGrace = TimeSpan.seconds(30)
  /// A call that comes so long after the last failure is tried again.
  package var outageRest = TimeSpan.minutes(1)

  package init() {}
}

/// Repeats what failed temporarily, with growing delays. Each delay is drawn from the upper half of its range, so that
/// many clients that were refused at one moment do not come back at one moment.
///
/// A run that gives up does a few things more, such as giving its lease back. So that it does not wait as long for each
/// of them, they are repeated only briefly until something is answered, and soon they fail without a try.
package struct Retrier: Sendable {
  /// So often a wait looks for a signal.
  private static let lookInterval = TimeSpan.milliseconds(50)
  /// The operator is told of a request that was tried in vain for so long.
  private static let silenceMax = TimeSpan.seconds(5)
  private let policy: RetryPolicy
  private let clock: Clock
  private let random: Randomness
  private let cancellation: Cancellation
  private let sleep: @Sendable (TimeSpan) -> Void
  private let outage = Outage()
  private let tell: @Sendable (String) -> Void

  /// - Parameters:
  ///   - sleep: waits for a time; tests replace it.
  ///   - tell: gets a sentence for the operator when something is tried for long; once, until something is answered.
  ///     Any thread may call it.
  package init(
    _ policy: RetryPolicy = RetryPolicy(), host: Host,
    sleep: @escaping @Sendable (TimeSpan) -> Void = { Pause.time($0) },
    tell: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.policy = policy
    (self.tell, self.sleep) = (tell, sleep)
    (clock, random, cancellation) = (host.clock, host.random, host.cancellation)
  }

  /// - Parameter body: may be called several times.
  /// - Throws: the last error, when it is not temporary or the deadline has passed; `Interrupted` after a signal.
  func run<Result>(_ body: () throws -> Result) throws -> Result {
    let begun = clock.uptime()
    if let failure = outage.failure(at: begun, policy) { throw failure }
    var delay = policy.firstDelay
    while true {
      do {
        let result = try body()
        outage.end()
        return result
      } catch  where Self.mayPass(error) {
        let pause = max(delay * (1 + fraction()) / 2, requested(by: error))
        let deadline = outage.isOn ? policy.deadlineInOutage : policy.deadline
        let elapsed = clock.uptime() - begun
        guard elapsed + pause < deadline else {
          outage.note(error, at: clock.uptime())
          throw error
        }
        if elapsed + pause > Self.silenceMax, outage.isFirstToTell() { tell(text(error, left: deadline - elapsed)) }
        try wait(pause)
        delay = min(delay * 2, policy.delayMax)
      } catch {
        // A refusal is an answer, too.
        outage.end()
        throw error
      }
    }
  }

  /// - Parameter left: for so long it is tried again.
  private func text(_ error: any Error, left: TimeSpan) -> String {
    var end = clock.now()
    end.seconds += left.wholeSeconds
    return "\(describe(error).message); trying again until \(TimeText.localClock(end))"
  }

  /// Whether the error is temporary. A foreign object in the place of a key stays where it is.
  private static func mayPass(_ error: any Error) -> Bool {
    if case StoreError.alreadyExists = error { return false }
    return (error as? any OperatorError)?.scope == .transient
  }

  /// How long the store wants to be left alone; zero when it does not say, or says no length of time.
  private func requested(by error: any Error) -> TimeSpan {
    guard case StoreError.unavailable(_, _, let retryAfter?) = error, retryAfter >= .zero else { return .zero }
    return retryAfter
  }

  /// A random number from 0 to 1.
  private func fraction() -> Double {
    Double(random.bytes(2).reduce(0) { $0 << 8 | UInt16($1) }) / Double(UInt16.max)
  }

  private func wait(_ span: TimeSpan) throws {
    let end = clock.uptime() + span
    while true {
      try cancellation.check()
      let rest = end - clock.uptime()
      guard rest > .zero else { return }
      sleep(min(rest, Self.lookInterval))
    }
  }
}

/// What is known when the last request that ended was given up.
private final class Outage: Sendable {
  private let isTold = Atomic(false)
  /// When the first request was given up since the last answer, when the last one was, and why.
  private let state = Mutex<(begun: TimeSpan, last: TimeSpan, failure: any Error)?>(nil)

  var isOn: Bool { state.withLock { $0 != nil } }

  /// Why nothing is tried now; `nil` when it is.
  func failure(at now: TimeSpan, _ policy: RetryPolicy) -> (any Error)? {
    state.withLock { state in
      guard let known = state, now - known.begun >= policy.outageGrace, now - known.last < policy.outageRest else {
        return nil
      }
      return known.failure
    }
  }

  func note(_ failure: any Error, at now: TimeSpan) {
    state.withLock { $0 = ($0?.begun ?? now, now, failure) }
  }

  /// Whether nobody has told the operator since the last answer.
  func isFirstToTell() -> Bool { !isTold.exchange(true, ordering: .relaxed) }

  func end() {
    isTold.store(false, ordering: .relaxed)
    state.withLock { $0 = nil }
  }
}
