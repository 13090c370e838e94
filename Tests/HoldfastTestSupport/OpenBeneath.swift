internal import CLinux
internal import Glibc
internal import HoldfastModel

/// The two ways to open a path beneath a directory.
package enum OpenBeneath: CaseIterable, Sendable {
  case atOnce, bySteps

  /// The result of opening: the inode, or the error.
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

  /// The number of descriptors that this process has open.
  package static var openDescriptors: Int { TestFiles.names(in: Path("/proc/self/fd")).count }
}
