internal import CLinux

/// The memory of this process.
package enum Memory {
  /// Keys pass through it: it must not end up in a core dump, nor be read by other processes of the same user. Where the kernel refuses, the run goes on.
  package static func keepFromDumps() { _ = holdfast_forbid_dumps() }
}
