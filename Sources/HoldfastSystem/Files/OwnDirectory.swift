internal import Glibc
package import HoldfastModel

/// A directory of this user's on this machine, in which a run keeps something: opened once, and whatever is in it is reached beneath its descriptor, without following links.
/// What others could change or exchange there is not believed, nor is anything removed there for it.
package struct OwnDirectory: Sendable {
  private static let writableByOthers: UInt32 = 0o002
  package let directory: OpenFile
  private let files: FileSystem

  /// - Returns: `nil` where there is no such directory.
  /// - Throws: `OwnDirectoryError` where others may write in it, or it is another user's.
  package init?(_ path: Path, files: FileSystem) throws {
    do throws(SystemError) {
      directory = try files.open(path, .directoryFollowingLinks)
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
    self.files = files
    let status = try directory.status()
    guard status.userID == geteuid() || status.userID == 0 else {
      throw OwnDirectoryError(path: path, reason: .otherOwner(status.userID))
    }
    guard status.mode & Self.writableByOthers == 0 else {
      throw OwnDirectoryError(path: path, reason: .writableByOthers(status.mode))
    }
  }

  /// The same, made with those above it as far as they are missing.
  package init(making path: Path, files: FileSystem) throws {
    try files.makeDirectories(path)
    guard let made = try OwnDirectory(path, files: files) else { throw SystemError("open", path, code: ENOENT) }
    self = made
  }

  /// At most `max` bytes of a file in it; `nil` where there is none.
  package func contents(of name: String, max: Int) throws -> [UInt8]? {
    do throws(SystemError) {
      return try files.openBeneath(Path(name), in: directory, .read).contents(max: max)
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }

  /// Puts a file into the place of another, durably. Under a lock.
  package func replace(_ name: String, by bytes: [UInt8]) throws {
    let temporary = Path(name + ".unfinished")
    try remove(name + ".unfinished")
    let file = try files.open(temporary, in: directory, .create)
    do {
      try bytes.withUnsafeBytes { try file.write($0, at: 0) }
      try file.synchronize()
      try files.rename(temporary, in: directory, to: Path(name), in: directory, replacing: true)
    } catch {
      try? files.removeFile(temporary, in: directory)
      throw error
    }
    try directory.synchronizeDirectory()
  }

  /// - Returns: whether there was such a file.
  @discardableResult
  package func remove(_ name: String) throws -> Bool {
    guard try files.statusIfPresent(of: Path(name), in: directory) != nil else { return false }
    try files.removeFile(Path(name), in: directory)
    return true
  }
}

/// A directory in which a run may keep nothing.
package struct OwnDirectoryError: OperatorError, Equatable {
  enum Reason: Equatable {
    case otherOwner(UInt32)
    case writableByOthers(UInt32)
  }

  let path: Path
  let reason: Reason

  package var message: String {
    switch reason {
    case .otherOwner(let userID): "\(path) belongs to another user (\(userID))"
    case .writableByOthers(let mode): "others may write in \(path) (mode 0\(String(mode, radix: 8)))"
    }
  }

  package var hint: String? { "Name a directory of your own, in which nobody else may write." }
  package var exitStatus: ExitStatus { .failed }
  package var scope: ErrorScope { .machine }
}
