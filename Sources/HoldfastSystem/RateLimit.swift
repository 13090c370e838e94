internal import Glibc
package import HoldfastModel
internal import Synchronization

/// Limits a rate of bytes that all threads share.
///
/// A thread asks before it moves bytes. It is assigned the next free interval of time, in the order of asking, and
/// waits until that interval begins. Unused time is kept for one second at most.
package final class RateLimit: Sendable {
  /// The time within which a signal is noticed.
  private static let lookInterval = TimeSpan.milliseconds(50)
  private static let burst = TimeSpan.seconds(1)
  private let bytesPerSecond: Double
  private let now: @Sendable () -> TimeSpan
  private let sleep: @Sendable (TimeSpan) -> Void
  private let cancellation: Cancellation
  /// The uptime up to which all intervals are assigned.
  private let givenUntil: Mutex<TimeSpan>

  /// - Parameters:
  ///   - cancellation: ends every wait.
  ///   - sleep: waits for a time; replaced in tests only.
  package init(
    _ rate: ByteRate, clock: Clock, cancellation: Cancellation,
    sleep: @escaping @Sendable (TimeSpan) -> Void = { Pause.time($0) }
  ) {
    bytesPerSecond = Double(rate.bytesPerSecond)
    now = clock.uptime
    self.sleep = sleep
    self.cancellation = cancellation
    givenUntil = Mutex(clock.uptime())
  }

  /// Waits until `count` bytes may be moved, or a signal has arrived.
  package func take(_ count: Int) {
    let needed = TimeSpan.seconds(Double(count) / bytesPerSecond)
    let begin = givenUntil.withLock { until in
      let begin = max(until, now() - Self.burst)
      until = begin + needed
      return begin
    }
    while !cancellation.isRaised {
      let rest = begin - now()
      guard rest > .zero else { return }
      sleep(min(rest, Self.lookInterval))
    }
  }
}
