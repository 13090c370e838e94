internal import CLinux
internal import Glibc
internal import HoldfastModel

/// How a path is opened beneath a directory, by either of the two ways that there are.
package enum OpenBeneath: CaseIterable, Sendable {
  case atOnce, bySteps

  /// What was opened: its inode; or why nothing was.
  package enum Outcome: Equatable, Sendable {
    case opened(inode: UInt64)
    case refused(Int32)
  }

  package func open(_ path: String, in directory: Int32, flags: Int32) -> Outcome {
    let descriptor =
      switch self {
      case .atOnce: holdfast_openat_beneath(directory, path, flags | O_CLOEXEC, 0o600)
      case .bySteps: holdfast_openat_by_steps(directory, path, flags | O_CLOEXEC, 0o600)
      }
    guard descriptor >= 0 else { return .refused(errno) }
    defer { close(descriptor) }
    var status = stat()
    return fstat(descriptor, &status) == 0 ? .opened(inode: UInt64(status.st_ino)) : .refused(errno)
  }

  /// How many descriptors this process has open.
  package static var openDescriptors: Int { TestFiles.names(in: Path("/proc/self/fd")).count }
}
