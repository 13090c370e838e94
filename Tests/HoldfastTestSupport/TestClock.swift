package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// A clock that stands still until a test moves it.
package final class TestClock: Sendable {
  private let state: Mutex<(now: Timestamp, uptime: TimeSpan)>

  /// - Parameter start: a time that `TimeText.parse` reads.
  package init(_ start: String) {
    state = Mutex((TimeText.parse(start) ?? Timestamp(seconds: 0, nanoseconds: 0), .seconds(1000)))
  }

  package var clock: Clock {
    Clock(now: { self.state.withLock { $0.now } }, uptime: { self.state.withLock { $0.uptime } })
  }

  /// Lets time pass.
  package func advance(_ span: TimeSpan) {
    state.withLock { state in
      state.now.seconds += span.wholeSeconds
      state.uptime += span
    }
  }

  package func advance(days: Double) { advance(.days(days)) }

  /// Sets the time of day, as an operator or a time server does. The uptime does not change.
  package func set(days: Double) { state.withLock { $0.now.seconds += Int64(days * 86_400) } }
}
