internal import CLinux

/// The memory of this process.
package enum Memory {
  /// Excludes this process from core dumps and from being read by other processes of the same user, because it handles
  /// keys. If the kernel refuses, the run goes on.
  package static func keepFromDumps() { _ = holdfast_forbid_dumps() }
}
