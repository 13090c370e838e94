package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem

/// Retries that wait without time passing: each wait only moves a clock.
package struct TimelessRetry {
  package let clock = TestClock("2026-11-22T14:00:00Z")
  package let cancellation = Cancellation()

  package init() {}

  package func retrier(
    _ policy: RetryPolicy = RetryPolicy(), tell: @escaping @Sendable (String) -> Void = { _ in }
  ) -> Retrier {
    let host = Host(clock: clock.clock, cancellation: cancellation, workers: 1, scratchDirectories: [])
    return Retrier(policy, host: host, sleep: { [clock] in clock.advance($0) }, tell: tell)
  }

  /// The total time that was waited.
  package var waited: TimeSpan { clock.clock.uptime() - .seconds(1000) }
}
