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
  private let policy: RetryPolicy
  private let clock: Clock
  private let random: Randomness
  private let cancellation: Cancellation
  private let sleep: @Sendable (TimeSpan) -> Void
  private let outage = Outage()

  /// - Parameter sleep: waits for a time; tests replace it.
  package init(
    _ policy: RetryPolicy = RetryPolicy(), host: Host,
    sleep: @escaping @Sendable (TimeSpan) -> Void = { Pause.time($0) }
  ) {
    self.policy = policy
    self.sleep = sleep
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
        guard clock.uptime() - begun + pause < deadline else {
          outage.note(error, at: clock.uptime())
          throw error
        }
        try wait(pause)
        delay = min(delay * 2, policy.delayMax)
      } catch {
        // A refusal is an answer, too.
        outage.end()
        throw error
      }
    }
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

  func end() { state.withLock { $0 = nil } }
}
