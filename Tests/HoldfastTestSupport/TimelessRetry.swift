package import HoldfastStore
package import HoldfastSystem

/// Tries that wait without time passing: each wait only moves a clock.
package struct TimelessRetry {
  package let clock = TestClock("2026-11-22T14:00:00Z")
  package let cancellation = Cancellation()

  package init() {}

  package func retrier(_ policy: RetryPolicy = RetryPolicy()) -> Retrier {
    let host = Host(clock: clock.clock, cancellation: cancellation, workers: 1, scratchDirectories: [])
    return Retrier(policy, host: host) { [clock] in clock.advance(seconds: $0) }
  }

  /// Seconds that were waited in all.
  package var waited: Double { clock.clock.uptime() - 1000 }
}
