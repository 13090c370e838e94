internal import Glibc
package import HoldfastModel
internal import Synchronization

/// Lets bytes pass at a rate that all threads share.
///
/// Whoever is about to move bytes takes them first: they are given the next free stretch of time, in the order of asking, and the caller waits until that stretch
/// begins. What was not used while nobody asked is kept for a second at most.
package final class RateLimit: Sendable {
  /// A signal is noticed within this time.
  private static let secondsBetweenLooks = 0.05
  private static let burstSeconds = 1.0
  private let bytesPerSecond: Double
  private let now: @Sendable () -> Double
  private let sleep: @Sendable (_ seconds: Double) -> Void
  private let cancellation: Cancellation
  /// Until when all time is given away.
  private let givenUntil: Mutex<Double>

  /// - Parameters:
  ///   - cancellation: ends every wait.
  ///   - sleep: how to wait; other than the system's in tests only.
  package init(
    _ rate: ByteRate, clock: Clock, cancellation: Cancellation,
    sleep: @escaping @Sendable (_ seconds: Double) -> Void = { usleep(UInt32($0 * 1e6)) }
  ) {
    bytesPerSecond = Double(rate.bytesPerSecond)
    now = clock.uptime
    self.sleep = sleep
    self.cancellation = cancellation
    givenUntil = Mutex(clock.uptime())
  }

  /// Returns when `count` bytes may be moved, or when a signal has come.
  package func take(_ count: Int) {
    let needed = Double(count) / bytesPerSecond
    let begin = givenUntil.withLock { until in
      let begin = max(until, now() - Self.burstSeconds)
      until = begin + needed
      return begin
    }
    while !cancellation.isRaised {
      let rest = begin - now()
      guard rest > 0 else { return }
      sleep(min(rest, Self.secondsBetweenLooks))
    }
  }
}
