internal import Glibc
package import HoldfastModel

/// Short waits between two tries.
package enum Pause {
  /// Waits 50 ms, for something that another process holds.
  package static func briefly() { usleep(50_000) }

  /// Waits before something is tried again, at most 60 s.
  package static func time(_ span: TimeSpan) { usleep(UInt32(max(0, min(span.seconds, 60)) * 1_000_000)) }

  /// Waits 1 ms, for a lock that others hold for milliseconds.
  package static func forALock() { usleep(1000) }

  /// Waits 5 ms, for another thread.
  package static func forAnotherThread() { usleep(5000) }
}
