internal import CLinux
internal import Glibc
package import HoldfastModel

/// Renames without replacing anything, in the best way that the kernel and the file system support:
///
/// 1. `renameat2` with RENAME_NOREPLACE. NFS, 9p, older ZFS and many FUSE file systems lack it.
/// 2. A hard link with the new name, then removal of the old name. If the process is killed in between, the file has
/// both names. If names can only be added, neither can be removed, and the file keeps both.
/// 3. `renameat` if the new name is free: for directories, and for file systems without hard links. This is as atomic
/// and as durable as the others. A lock on the directory keeps others from taking the name in between, but only those
/// that use the same way and see the same lock: no program on another machine.
struct ExclusiveRename {
  /// The most tries for the lock of the directory, 50 ms apart. Its holders need it for two system calls only.
  private static let triesMax = 60
  private let files: FileSystem
  private let path: Path
  private let directory: OpenFile?
  private let newPath: Path
  private let newDirectory: OpenFile?
  private let isShared: Bool

  /// - Parameter isShared: true if others rename into the new directory at the same time, in the same way.
  init(
    _ files: FileSystem, _ path: Path, in directory: OpenFile?, to newPath: Path, in newDirectory: OpenFile?,
    isShared: Bool
  ) {
    self.files = files
    self.path = path
    self.directory = directory
    self.newPath = newPath
    self.newDirectory = newDirectory
    self.isShared = isShared
  }

  /// Renames without replacing.
  /// - Throws: EEXIST if the new name is taken.
  func run() throws(SystemError) {
    do throws(SystemError) {
      try files.rename(path, in: directory, to: newPath, in: newDirectory, by: holdfast_rename_exclusive)
    } catch {
      guard error.isUnsupported else { throw error }
      guard try !renameByLink() else { return }
      let lock = isShared ? try lockDirectory() : nil
      try withExtendedLifetime(lock) { () throws(SystemError) in try renameWhereFree() }
    }
  }

  /// - Returns: false if the file cannot have a hard link.
  private func renameByLink() throws(SystemError) -> Bool {
    do throws(SystemError) {
      try files.makeHardLink(newPath, in: newDirectory, to: path, in: directory)
    } catch {
      if error.isLinkRefused { return false }
      // If its answer was lost, a server is asked again, and then finds the link that it made.
      guard error.isExisting, try isLinked() else { throw renaming(error) }
    }
    do throws(SystemError) {
      try files.removeFile(path, in: directory)
    } catch {
      // The old name could not be removed. If the new one can be, the file keeps only the old one.
      guard isNewNameThereToStay(), error.isForbidden else { throw error }
    }
    return true
  }

  /// Removes the new name again.
  /// - Returns: true if that is forbidden.
  private func isNewNameThereToStay() -> Bool {
    do throws(SystemError) {
      try files.removeFile(newPath, in: newDirectory)
      return false
    } catch {
      return error.isForbidden
    }
  }

  private func isLinked() throws(SystemError) -> Bool {
    try files.status(of: path, in: directory).isSameFile(as: try files.status(of: newPath, in: newDirectory))
  }

  /// - Returns: an open file that holds the lock until it is closed.
  private func lockDirectory() throws(SystemError) -> OpenFile {
    var parent = newPath.parent ?? .root
    if parent.isEmpty, newPath.isAbsolute { parent = Path("/") }
    // The directory is opened again, because two threads with one descriptor would share one lock.
    let folder = try files.open(parent, in: newDirectory, .directoryFollowingLinks)
    var tries = 1
    while try !folder.lock(exclusively: true, wait: false) {
      // Anybody who may read the directory can hold its lock, so the wait is limited.
      guard tries < Self.triesMax else { throw SystemError("lock", folder.fullPath, code: EWOULDBLOCK) }
      tries += 1
      Pause.briefly()
    }
    return folder
  }

  private func renameWhereFree() throws(SystemError) {
    guard try files.statusIfPresent(of: newPath, in: newDirectory) == nil else {
      throw renaming(SystemError("rename", path, code: EEXIST))
    }
    try files.rename(path, in: directory, to: newPath, in: newDirectory, by: renameat)
  }

  /// Returns the error as one of the rename, not of the system call that was used instead.
  private func renaming(_ error: SystemError) -> SystemError {
    SystemError("rename", directory?.fullPath(of: path) ?? path, code: error.code)
  }
}

extension FileSystem {
  /// Returns true if this file system can give a name without replacing another, whatever others do at the same time:
  /// in the first or the second way of `ExclusiveRename`.
  /// - Parameter trial: a file that was made for this test. It keeps its name.
  package func takesNamesExclusively(_ trial: Path, in directory: OpenFile) throws(SystemError) -> Bool {
    let other = Path(bytes: trial.bytes + Array("-renamed".utf8))
    do throws(SystemError) {
      try rename(trial, in: directory, to: other, in: directory, by: holdfast_rename_exclusive)
      try rename(other, in: directory, to: trial, in: directory, replacing: true)
      return true
    } catch {
      guard error.isUnsupported else { throw error }
    }
    do throws(SystemError) {
      try makeHardLink(other, in: directory, to: trial, in: directory)
    } catch {
      guard error.isLinkRefused else { throw error }
      return false
    }
    try removeFile(other, in: directory)
    return true
  }
}
