internal import HoldfastModel
internal import HoldfastSystem

/// The privacy of a directory: it belongs to this user, and nobody else can enter it, as far as its file system can
/// tell. vfat, exFAT and CIFS show all files with the owner and mode of the mount, and NFS with root_squash shows
/// root's files as nobody's: there, owner and mode say nothing.
struct Privacy {
  private static let probe = Path(".holdfast-probe")
  /// True if the directory belongs to another user, on a file system that stores owners.
  let isOfOther: Bool
  /// True if others can enter it, on a file system that stores modes.
  let isOpen: Bool
  /// False if the file system was found not to store owners or modes. It is examined only if the directory appears to
  /// belong to another user, or to be open to others.
  let isKept: Bool

  /// - Parameter status: the status of the directory.
  init(of status: FileStatus, in directory: OpenFile, files: FileSystem) throws {
    let isForeign = status.userID != FileSystem.userID
    let isEntered = status.mode & 0o077 != 0
    guard isForeign || isEntered else {
      (isOfOther, isOpen, isKept) = (false, false, true)
      return
    }
    // This new file, which is held open, belongs to this user, whatever owner is shown.
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
