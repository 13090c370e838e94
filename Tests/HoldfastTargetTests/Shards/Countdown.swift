import Synchronization

/// Counts down to nothing.
final class Countdown: Sendable {
  private let left: Mutex<Int>

  init(_ count: Int) { left = Mutex(count) }

  /// True as long as there was one left.
  func takesOne() -> Bool {
    left.withLock { left in
      left -= 1
      return left >= 0
    }
  }
}
