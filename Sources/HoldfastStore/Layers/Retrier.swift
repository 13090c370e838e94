package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// The delays and deadlines with which a failed request is repeated.
package struct RetryPolicy: Sendable {
  /// The delay before the second try. It doubles before each further try.
  package var firstDelay = TimeSpan.milliseconds(100)
  /// The longest delay before a try.
  package var delayMax = TimeSpan.seconds(15)
  /// The time after the first try at which the last one may begin.
  package var deadline = TimeSpan.minutes(2)
  /// The deadline in an outage: after a request was given up, until another one is answered.
  package var deadlineInOutage = TimeSpan.seconds(5)
  /// The length of an outage after which requests fail without a try. A silent server holds each try for half a minute,
  /// and a run has many requests.
  package var outageGrace = TimeSpan.seconds(30)
  /// The time after the last given-up request at which one is tried again.
  package var outageRest = TimeSpan.minutes(1)

  package init() {}
}

/// Repeats requests that failed temporarily, with growing delays. Each delay is drawn from the upper half of its range,
/// so that many clients that were refused at one moment do not come back at one moment.
///
/// A run that gives up still does a few things, such as giving its lease back. So that it does not wait long for each
/// of them, their requests are repeated only briefly until something is answered, and soon fail without a try.
package struct Retrier: Sendable {
  /// The interval at which a wait looks for a signal.
  private static let lookInterval = TimeSpan.milliseconds(50)
  /// The time of failed tries after which the operator is told.
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

  /// Makes a request, and repeats it if it fails temporarily.
  /// - Parameter body: may be called several times.
  /// - Throws: the last error, if it is not temporary or the deadline has passed; `Interrupted` after a signal.
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

  /// - Parameter left: the time for which it is tried again.
  private func text(_ error: any Error, left: TimeSpan) -> String {
    var end = clock.now()
    end.seconds += left.wholeSeconds
    return "\(describe(error).message); trying again until \(TimeText.localClock(end))"
  }

  /// Returns true if the error is temporary. An existing object under a key stays where it is.
  private static func mayPass(_ error: any Error) -> Bool {
    if case StoreError.alreadyExists = error { return false }
    return (error as? any OperatorError)?.scope == .transient
  }

  /// Returns the time to wait that the store asks for; zero if it asks for none, or for a negative one.
  private func requested(by error: any Error) -> TimeSpan {
    guard case StoreError.unavailable(_, _, let retryAfter?) = error, retryAfter >= .zero else { return .zero }
    return retryAfter
  }

  /// Returns a random number from 0 to 1.
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

/// The outage since a request was given up. It ends when any request is answered.
private final class Outage: Sendable {
  private let isTold = Atomic(false)
  /// The time at which the first request was given up since the last answer, the time of the last one, and its error.
  private let state = Mutex<(begun: TimeSpan, last: TimeSpan, failure: any Error)?>(nil)

  var isOn: Bool { state.withLock { $0 != nil } }

  /// Returns the error with which requests fail without a try; `nil` if they are tried.
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

  /// Returns true if the operator was not told since the last answer. The next call returns false.
  func isFirstToTell() -> Bool { !isTold.exchange(true, ordering: .relaxed) }

  func end() {
    isTold.store(false, ordering: .relaxed)
    state.withLock { $0 = nil }
  }
}
