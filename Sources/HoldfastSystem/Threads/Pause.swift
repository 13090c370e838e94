internal import Glibc

/// The wait between two tries of something that another process holds.
package enum Pause {
  /// 50 ms.
  package static func briefly() { usleep(50_000) }

  /// The wait before something is tried again.
  static func seconds(_ seconds: Double) { usleep(UInt32(max(0, min(seconds, 60)) * 1_000_000)) }

  /// The wait between two tries of a lock that others hold for milliseconds.
  package static func forALock() { usleep(1000) }

  /// The wait between two looks at what another thread does.
  package static func forAnotherThread() { usleep(5000) }
}
