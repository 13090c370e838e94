internal import CLinux
internal import Glibc
internal import HoldfastModel

/// Locks on ranges of bytes. Programs that share a database use them to keep out of each other's way.
///
/// The locks of other programs (F_SETLK, fcntl(2)) are lost when their process closes any descriptor of the file. Our
/// locks belong to the open file and last as long as it (F_OFD_SETLK). Each kind keeps the other out. Our locks are
/// shared ones only, for which read access to the file is enough.
extension OpenFile {
  /// Takes a shared lock, without waiting.
  /// - Returns: false if another process has an exclusive lock.
  package func lockShared(_ bytes: Range<UInt64>) throws(SystemError) -> Bool {
    do throws(SystemError) {
      _ = try perform(.lock, "lock") { Int(holdfast_lock_bytes($0, Int16(F_RDLCK), start(bytes), length(bytes))) }
      return true
    } catch {
      if error.code == EAGAIN || error.code == EACCES { return false }
      throw error
    }
  }

  package func unlock(_ bytes: Range<UInt64>) throws(SystemError) {
    _ = try perform(.lock, "unlock") { Int(holdfast_lock_bytes($0, Int16(F_UNLCK), start(bytes), length(bytes))) }
  }

  /// Returns true if another process has a lock on any of the bytes. This takes no lock.
  /// - Parameter exclusively: true to count only exclusive locks.
  package func isLocked(_ bytes: Range<UInt64>, exclusively: Bool) throws(SystemError) -> Bool {
    // A shared lock conflicts with exclusive ones only, an exclusive lock with all.
    let type = Int16(exclusively ? F_RDLCK : F_WRLCK)
    return try perform(.lock, "examine the locks of") {
      Int(holdfast_bytes_are_locked($0, type, start(bytes), length(bytes)))
    } == 1
  }

  private func start(_ bytes: Range<UInt64>) -> off_t { off_t(clamping: bytes.lowerBound) }
  private func length(_ bytes: Range<UInt64>) -> off_t { off_t(clamping: bytes.count) }
}

/// The number of files that this process may have open at once.
package enum OpenFileLimit {
  package static var current: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 256 }
    return Int(clamping: limit.rlim_cur)
  }
}
