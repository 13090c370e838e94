internal import Glibc
package import HoldfastModel

/// A refusal of the operating system: the action, its object, and errno.
package struct SystemError: OperatorError, Equatable {
  /// A verb such as `open`, `write`, `synchronize`.
  package let action: String
  package let path: Path
  /// The value of errno.
  package let code: Int32

  package init(_ action: String, _ path: Path, code: Int32) {
    self.action = action
    self.path = path
    self.code = code
  }

  /// Returns the error of the system call that has just failed on this thread.
  static func last(_ action: String, _ path: Path) -> SystemError {
    SystemError(action, path, code: errno)
  }

  /// Returns the error that the file has fewer bytes than expected.
  package static func endOfFile(_ name: String) -> SystemError { SystemError("read the end of", Path(name), code: EIO) }

  /// Returns the error that it is not a regular file.
  package static func notAFile(_ path: Path) -> SystemError { SystemError("read", path, code: EINVAL) }

  /// Returns the error for a file whose contents contradict each other.
  package static func unsound(_ path: Path) -> SystemError { SystemError("understand", path, code: EBADMSG) }

  package var reason: String { String(cString: strerror(code)) }
  package var message: String { "cannot \(action) \(path): \(reason)" }

  package var hint: String? {
    switch code {
    case _ where action == "lock" && (code == ENOLCK || isUnsupported):
      "A lock keeps two runs from writing at the same time, and this file system has none: on NFS start the lock service (rpc.statd), or mount it with local_lock=flock where only this machine uses it."
    case EWOULDBLOCK where action == "lock":
      "Another process holds it: end that, then run the same command again."
    case ENOSPC, EDQUOT: "Free space on the file system of \(path), then run the same command again."
    case EROFS: "The file system is mounted read-only: remount it, or name another directory."
    case EACCES, EPERM: "Run as a user who may do that, or correct the permissions."
    case EIO: "The device reports errors: look at the kernel's log (dmesg) before you trust it again."
    case EMFILE, ENFILE: "Raise the limit of open files (ulimit -n)."
    case _ where Self.transientCodes.contains(code):
      "A server or a mount does not answer for now: run the same command again when it can be reached."
    default: nil
    }
  }

  package var exitStatus: ExitStatus { .failed }

  /// A device that fails counts as a fault of this machine here. A store makes it damage of the repository if an object
  /// cannot be read.
  package var scope: ErrorScope { Self.transientCodes.contains(code) ? .transient : .machine }

  /// The errors of a mount or server that does not answer, or refuses for now.
  private static let transientCodes: Set<Int32> = [
    EAGAIN, EINTR, ETIMEDOUT, ESTALE, ECONNREFUSED, ECONNRESET, ECONNABORTED, ENOTCONN, EHOSTDOWN, EHOSTUNREACH,
    ENETDOWN, ENETUNREACH, ENETRESET,
  ]

  package var isNotFound: Bool { code == ENOENT || code == ENOTDIR }
  package var isNotADirectory: Bool { code == ENOTDIR }
  /// True if the system lacks the means, and may have them later; or does not offer this at all.
  package var isLackOfMeans: Bool { [ENOSPC, EMFILE, ENFILE, ENOMEM, ENOSYS].contains(code) }
  /// True if the file system has no room left, or this user's share of it is used up.
  package var isDiskFull: Bool { [ENOSPC, EDQUOT].contains(code) }
  package var isNameTooLong: Bool { code == ENAMETOOLONG }
  package var isForbidden: Bool { code == EACCES || code == EPERM }
  package var isExisting: Bool { code == EEXIST }
  /// True if the file cannot have another name: it has the most names that are possible, or the names are on two file
  /// systems.
  package var isLinkRefused: Bool { isRefused || code == EMLINK || code == EXDEV }
  package var isUnsupported: Bool { code == ENOTSUP || code == ENOSYS || code == EINVAL || code == EISDIR }
  /// True if the kernel does not have this call, or a filter such as seccomp forbids it.
  package var isNotImplemented: Bool { code == ENOSYS }
  /// True if this user must not do that, or this file system cannot.
  package var isRefused: Bool { code == EPERM || code == EACCES || isUnsupported }
  /// True if the device itself failed, as opposed to a limit of this machine.
  package var isDeviceFailure: Bool { code == EIO }
  /// True for a symbolic link where links are not followed, and for an object that cannot be opened as a file.
  package var isOfAnotherKind: Bool { code == ELOOP || code == ENXIO }
  package var isBusy: Bool { code == EBUSY }
  package var isOutOfDescriptors: Bool { code == EMFILE || code == ENFILE }
  package var isBrokenPipe: Bool { code == EPIPE }
}
