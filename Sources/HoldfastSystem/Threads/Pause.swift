internal import Glibc

/// The wait between two tries of something that another process holds.
package enum Pause {
  /// 50 ms.
  package static func briefly() { usleep(50_000) }
}
