internal import Glibc

/// What runs on this machine.
package enum ProcessTable {
  /// Whether there is a process of that number; in doubt, and of another user, there is.
  package static func isRunning(_ process: Int32) -> Bool {
    kill(process, 0) == 0 || errno != ESRCH
  }
}
