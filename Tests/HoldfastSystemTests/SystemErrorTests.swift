import Glibc
import HoldfastModel
import HoldfastSystem
import Testing

/// What the operator reads when the operating system refuses something.
@Suite struct SystemErrorTests {
  @Test(
    arguments: [
      (
        ENOSPC, "No space left on device",
        "Free space on the file system of /srv/shop, then run the same command again."
      ),
      (EDQUOT, "Disk quota exceeded", "Free space on the file system of /srv/shop, then run the same command again."),
      (EROFS, "Read-only file system", "The file system is mounted read-only: remount it, or name another directory."),
      (EACCES, "Permission denied", "Run as a user who may do that, or correct the permissions."),
      (EPERM, "Operation not permitted", "Run as a user who may do that, or correct the permissions."),
      (
        EIO, "Input/output error",
        "The device reports errors: look at the kernel's log (dmesg) before you trust it again."
      ),
      (EMFILE, "Too many open files", "Raise the limit of open files (ulimit -n)."),
      (ENOENT, "No such file or directory", nil), (ELOOP, "Too many levels of symbolic links", nil),
    ] as [(Int32, String, String?)])
  func messageAndHintSayWhatToDo(_ code: Int32, _ reason: String, _ hint: String?) {
    let error = SystemError("write", Path("/srv/shop"), code: code)
    #expect(error.message == "cannot write /srv/shop: \(reason)")
    #expect(error.hint == hint)
    #expect(error.exitStatus == .failed)
  }

  @Test func aHostileNameCannotReachTheTerminal() {
    let error = SystemError("open", Path(bytes: [0x1b] + Array("[2J\n".utf8)), code: ENOENT)
    #expect(error.message == #"cannot open \x1b[2J\x0a: No such file or directory"#)
  }

  @Test func whatIsMissingIsNamedByTheFailingCall() {
    let path = Path("/nowhere/at/all")
    #expect(throws: SystemError("open", path, code: ENOENT)) { try FileSystem().open(path, .read) }
    #expect(throws: SystemError("create", path, code: ENOENT)) { try FileSystem().open(path, .create) }
    #expect(throws: SystemError("examine", path, code: ENOENT)) { try FileSystem().status(of: path) }
    #expect(throws: SystemError("remove", path, code: ENOENT)) { try FileSystem().removeFile(path) }
    #expect(throws: SystemError("make directory", path, code: ENOENT)) { try FileSystem().makeDirectory(path) }
  }
}
