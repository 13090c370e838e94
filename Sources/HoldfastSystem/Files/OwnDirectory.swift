internal import Glibc
package import HoldfastModel

/// A private directory of this user on this machine, in which runs keep data. It is opened once, and its contents are
/// reached through its descriptor, without following links. A directory that others could change is not used.
package struct OwnDirectory: Sendable {
  private static let writableByOthers: UInt32 = 0o002
  private static let writableByGroupOrOthers: UInt32 = 0o022
  package let directory: OpenFile
  private let files: FileSystem

  /// - Parameter groupMayWrite: false to refuse also a directory in which its group may write.
  /// - Returns: `nil` if there is no such directory.
  /// - Throws: `OwnDirectoryError` if others may write in it, or another user owns it.
  package init?(_ path: Path, groupMayWrite: Bool = true, files: FileSystem) throws {
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
    let refused = groupMayWrite ? Self.writableByOthers : Self.writableByGroupOrOthers
    guard status.mode & refused == 0 else {
      throw OwnDirectoryError(path: path, reason: .writableByOthers(status.mode))
    }
  }

  /// Opens the directory, and makes it with its missing parents if needed.
  package init(making path: Path, groupMayWrite: Bool = true, files: FileSystem) throws {
    try files.makeDirectories(path)
    guard let made = try OwnDirectory(path, groupMayWrite: groupMayWrite, files: files) else {
      throw SystemError("open", path, code: ENOENT)
    }
    self = made
  }

  /// Returns the contents of a file in it; `nil` if there is none. Throws an error if there are more than `max` bytes.
  package func contents(of name: String, max: Int) throws -> [UInt8]? {
    do throws(SystemError) {
      return try files.openBeneath(Path(name), in: directory, .read).contents(max: max)
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }

  /// Opens a file in it that nobody else can have written.
  /// - Returns: `nil` if there is none, or if what has the name is no file, belongs to another user, or can be written
  ///   by others.
  package func file(_ name: String, _ mode: FileSystem.Mode) throws(SystemError) -> OpenFile? {
    guard try files.statusIfPresent(of: Path(name), in: directory)?.kind == .file else { return nil }
    let file = try files.openBeneath(Path(name), in: directory, mode)
    let status = try file.status()
    let isOwn = status.userID == geteuid() || status.userID == 0
    return isOwn && status.kind == .file && status.mode & Self.writableByGroupOrOthers == 0 ? file : nil
  }

  /// Replaces a file, by default durably. The caller must hold a lock.
  package func replace(_ name: String, by bytes: [UInt8], durability: AtomicFile.Durability = .name) throws {
    let file = try AtomicFile(Path(name), in: directory, durability: durability, files: files)
    try file.append(bytes)
    try file.commit()
  }

  /// Returns the names of all files in it that begin with a text.
  package func names(beginningWith text: String) throws -> [String] {
    let listing = try directory.listing()
    return (0..<listing.count).compactMap { index in
      guard listing[index].starts(with: text.utf8) else { return nil }
      return String(validating: Array(listing[index]), as: UTF8.self)
    }
  }

  /// - Returns: true if there was such a file.
  @discardableResult
  package func remove(_ name: String) throws -> Bool {
    guard try files.statusIfPresent(of: Path(name), in: directory) != nil else { return false }
    try files.removeFile(Path(name), in: directory)
    return true
  }
}

/// The error that a directory must not be used, because another user owns it or others may write in it.
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
