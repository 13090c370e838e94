internal import HoldfastModel
package import HoldfastSystem

/// How long and how often something is tried again.
package struct RetryPolicy: Sendable {
  /// Seconds before the second try; before each further one twice as many.
  package var firstDelay = 0.1
  /// Seconds before any try.
  package var delayMax = 15.0
  /// For so many seconds after the first try begins it is tried again.
  package var deadline = 120.0

  package init() {}
}

/// Tries again what failed for now, at growing distances: each is drawn from the upper half of what it may be, so that
/// many who were refused at one moment do not come back at one moment.
package struct Retrier: Sendable {
  /// A signal is noticed within so many seconds.
  private static let secondsBetweenLooks = 0.05
  private let policy: RetryPolicy
  private let clock: Clock
  private let random: Randomness
  private let cancellation: Cancellation
  private let sleep: @Sendable (_ seconds: Double) -> Void

  /// - Parameter sleep: how to wait; other than the system's in tests only.
  package init(
    _ policy: RetryPolicy = RetryPolicy(), host: Host,
    sleep: @escaping @Sendable (_ seconds: Double) -> Void = { Pause.seconds($0) }
  ) {
    self.policy = policy
    self.sleep = sleep
    (clock, random, cancellation) = (host.clock, host.random, host.cancellation)
  }

  /// - Parameter body: may be done more than once.
  /// - Throws: the last error, when it is none that passes or the deadline has come; `Interrupted` after a signal.
  func run<Result>(_ body: () throws -> Result) throws -> Result {
    let begun = clock.uptime()
    var delay = policy.firstDelay
    while true {
      do {
        return try body()
      } catch  where Self.mayPass(error) {
        let pause = delay * (1 + fraction()) / 2
        guard clock.uptime() - begun + pause < policy.deadline else { throw error }
        try wait(pause)
        delay = min(2 * delay, policy.delayMax)
      }
    }
  }

  /// Whether the same may succeed when it is asked again. Somebody else's object stays where it is.
  private static func mayPass(_ error: any Error) -> Bool {
    if case StoreError.alreadyExists = error { return false }
    return (error as? any OperatorError)?.scope == .transient
  }

  /// 0 to 1.
  private func fraction() -> Double {
    Double(random.bytes(2).reduce(0) { $0 << 8 | UInt16($1) }) / Double(UInt16.max)
  }

  private func wait(_ seconds: Double) throws {
    let end = clock.uptime() + seconds
    while true {
      try cancellation.check()
      let rest = end - clock.uptime()
      guard rest > 0 else { return }
      sleep(min(rest, Self.secondsBetweenLooks))
    }
  }
}
