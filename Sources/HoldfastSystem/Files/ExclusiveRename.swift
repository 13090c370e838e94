internal import CLinux
internal import Glibc
package import HoldfastModel

/// Gives something a new name and replaces nothing, by the best way that kernel and file system have:
///
/// 1. `renameat2` with RENAME_NOREPLACE. NFS, 9p, older ZFS and many a FUSE file system do not have it.
/// 2. A hard link under the new name, and the old name removed. Killed in between, it has both; and where names can only be added, so that neither can be removed
///    again, it keeps both.
/// 3. `renameat` when the new name is free: for directories, and where there are no hard links either. As atomic and as durable as the others. What keeps
///    others from taking the name in between is a lock of the directory, where several use it; that keeps out only those who go the same way and see the
///    same lock: no program of another machine.
struct ExclusiveRename {
  /// How often the lock of the directory is tried, 50 ms apart: everybody holds it for two system calls only.
  private static let triesMax = 60
  private let files: FileSystem
  private let path: Path
  private let directory: OpenFile?
  private let newPath: Path
  private let newDirectory: OpenFile?
  private let isShared: Bool

  /// - Parameter isShared: whether others take names in the new directory at the same time, by the same way.
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

  /// - Throws: EEXIST where the new name is taken.
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

  /// - Returns: false where no link can be made of it.
  private func renameByLink() throws(SystemError) -> Bool {
    do throws(SystemError) {
      try files.makeHardLink(newPath, in: newDirectory, to: path, in: directory)
    } catch {
      if error.isLinkRefused { return false }
      // A server whose answer was lost is asked again, and then finds the link that it made.
      guard error.isExisting, try isLinked() else { throw renaming(error) }
    }
    do throws(SystemError) {
      try files.removeFile(path, in: directory)
    } catch {
      // Who renames has it either under the old name or under the new one.
      guard isNewNameThereToStay(), error.isForbidden else { throw error }
    }
    return true
  }

  /// Takes the new name away again.
  /// - Returns: whether that is forbidden.
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

  /// - Returns: what holds the lock as long as it is open.
  private func lockDirectory() throws(SystemError) -> OpenFile {
    var parent = newPath.parent ?? .root
    if parent.isEmpty, newPath.isAbsolute { parent = Path("/") }
    // Opened anew: two threads with one descriptor would have one lock.
    let folder = try files.open(parent, in: newDirectory, .directoryFollowingLinks)
    var tries = 1
    while try !folder.lock(exclusively: true, wait: false) {
      // Whoever may read the directory can hold its lock: nobody waits for that for ever.
      guard tries < Self.triesMax else { throw SystemError("lock", folder.place, code: EWOULDBLOCK) }
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

  /// What was wanted names the error, not the call that stood in.
  private func renaming(_ error: SystemError) -> SystemError {
    SystemError("rename", directory?.place(of: path) ?? path, code: error.code)
  }
}

extension FileSystem {
  /// Whether names are taken without replacing where a file lies, whoever else takes them at the same time: by the first way or the second.
  /// - Parameter trial: a file that was made for this. It has its name afterwards.
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
