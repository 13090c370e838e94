package import HoldfastModel

/// Why nothing is mounted.
package enum MountError: OperatorError, Equatable {
  /// The kernel has no FUSE, or this container does not see it.
  case noDevice
  /// This user may not mount, and there is no fusermount3 that does it for him.
  case noHelper
  /// The kernel does not let this process mount, and fusermount3 could not either; with what that says.
  case refused(Path, String)
  case missing(Path)
  case notADirectory(Path)
  case notEmpty(Path)
  /// Something of an earlier mount is still there, whose process has ended.
  case abandoned(Path)
  case inRepository(Path, repository: Path)
  case inSource(Path, source: Path)
  case noThread
  /// The kernel speaks a protocol that is too old.
  case tooOld
  case stillMounted(Path)
  /// Something else is mounted over the snapshots.
  case covered(Path)

  package var message: String {
    switch self {
    case .noDevice: "there is no /dev/fuse, which a mount needs"
    case .noHelper: "this user may not mount, and there is no fusermount3 that does it for other users than root"
    case .refused(let path, let reason): "cannot mount on \(path)" + (reason.isEmpty ? "" : ": \(reason)")
    case .missing(let path): "there is no directory \(path)"
    case .notADirectory(let path): "\(path) is not a directory"
    case .notEmpty(let path): "the directory \(path) is not empty"
    case .abandoned(let path): "a mount is left on \(path), whose process has ended"
    case .inRepository(let path, let repository):
      "the directory \(path) and the repository \(repository) lie in one another"
    case .inSource(let path, let source):
      "the directory \(path) lies in the source \(source): the next backup would capture what is mounted there"
    case .noThread: "the system has no thread left to serve the mount"
    case .tooOld: "this kernel is too old for the mount: its FUSE is older than that of Linux 3.15"
    case .stillMounted(let path): "\(path) could not be unmounted"
    case .covered(let path):
      "something else is mounted on \(path) by now: the snapshots below it could not be unmounted"
    }
  }

  package var hint: String? {
    switch self {
    case .noDevice: "Run `modprobe fuse` as root; a container needs the device /dev/fuse."
    case .noHelper: "Install Debian's fuse3, or run as root."
    case .refused(_, let reason) where reason.contains("user_allow_other"):
      "As root, add the line user_allow_other to /etc/fuse.conf, or leave out --allow-other."
    case .refused:
      "Mount on a directory that this user owns; a container needs the right to mount (CAP_SYS_ADMIN)."
    case .missing(let path): "Make it first: mkdir \(path)"
    case .notADirectory, .notEmpty: "Name an empty directory."
    case .abandoned(let path), .stillMounted(let path): "Run `fusermount3 -u \(path)`, or as root `umount \(path)`."
    case .covered(let path): "As root, run `umount \(path)` for what is mounted over them, then once more for them."
    case .inRepository, .inSource: "Name a directory elsewhere."
    case .noThread: "Raise the limit of processes of this user (ulimit -u)."
    case .tooOld: "Use `holdfast restore` or `holdfast cat` on this machine."
    }
  }

  package var exitStatus: ExitStatus { .failed }

  package var scope: ErrorScope {
    switch self {
    case .missing, .notADirectory, .notEmpty, .inRepository, .inSource: .usage
    case .noDevice, .noHelper, .refused, .abandoned, .noThread, .tooOld, .stillMounted, .covered: .machine
    }
  }
}
