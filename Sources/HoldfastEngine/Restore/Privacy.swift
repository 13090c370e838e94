internal import HoldfastModel
internal import HoldfastSystem

/// Whether a directory belongs to this user and nobody else can enter it, as far as its file system can tell. vfat,
/// exFAT and CIFS show all files with the owner and mode of the mount, and NFS with root_squash shows root's files as
/// nobody's: there, owner and mode say nothing.
struct Privacy {
  private static let probe = Path(".holdfast-probe")
  /// Whether it belongs to somebody else, on a file system that stores owners.
  let isOfOther: Bool
  /// Whether others can enter it, on a file system that stores modes.
  let isOpen: Bool
  /// Whether the file system stores owners and modes, as far as that was examined.
  let isKept: Bool

  /// - Parameter status: the status of the directory.
  init(of status: FileStatus, in directory: OpenFile, files: FileSystem) throws {
    let isForeign = status.userID != FileSystem.userID
    let isEntered = status.mode & 0o077 != 0
    guard isForeign || isEntered else {
      (isOfOther, isOpen, isKept) = (false, false, true)
      return
    }
    // A file that we have just made and hold open is ours, however it is shown.
    let made = try? Self.statusOfNewFile(in: directory, files)
    let keepsOwner = made.map { $0.userID == FileSystem.userID || $0.userID != status.userID } ?? true
    let keepsMode = made.map { $0.mode & 0o077 == 0 } ?? true
    (isOfOther, isOpen) = (isForeign && keepsOwner, isEntered && keepsMode)
    isKept = keepsOwner && keepsMode
  }

  private static func statusOfNewFile(in directory: OpenFile, _ files: FileSystem) throws -> FileStatus {
    let file = try files.openBeneath(probe, in: directory, .create)
    defer { try? files.removeFile(probe, in: directory) }
    return try file.status()
  }
}
