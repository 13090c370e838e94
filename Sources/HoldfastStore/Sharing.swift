internal import HoldfastModel
internal import HoldfastSystem

/// The group and the modes of what is made in a repository. Normally only the user of the repository can access it. If
/// its directory is shared (writable for the group, with the set-group-ID bit), everything made below belongs to that
/// group. Its members can read objects, and add and remove names, whatever umask a run has.
struct Sharing: Sendable, Equatable {
  private static let setGroupID: UInt32 = 0o2000
  private static let sticky: UInt32 = 0o1000
  private static let groupWrite: UInt32 = 0o020

  let groupID: UInt32
  /// True if only its owner can remove a file (sticky bit).
  private let isSticky: Bool

  /// Reads the sharing that a directory shows; `nil` if it is not shared.
  init?(_ status: FileStatus) {
    guard status.mode & Self.setGroupID != 0, status.mode & Self.groupWrite != 0 else { return nil }
    groupID = status.groupID
    isSticky = status.mode & Self.sticky != 0
  }

  /// Shares a directory with a group, durably.
  static func begin(_ directory: OpenFile, groupID: UInt32) throws(SystemError) -> Sharing? {
    try directory.setOwner(userID: directory.status().userID, groupID: groupID)
    try directory.setMode(setGroupID | 0o770)
    try directory.synchronizeDirectory()
    return Sharing(try directory.status())
  }

  /// Returns the mode of objects. The group cannot write them, because objects never change.
  static func objectMode(_ sharing: Sharing?) -> UInt32 { sharing == nil ? 0o600 : 0o640 }
  static func lockMode(_ sharing: Sharing?) -> UInt32 { sharing == nil ? 0o644 : 0o660 }
  static func folderMode(_ sharing: Sharing?) -> UInt32 {
    guard let sharing else { return 0o700 }
    return setGroupID | 0o770 | (sharing.isSticky ? sticky : 0)
  }

  /// Gives a new object its group and mode, which a umask or a directory without set-group-ID may have changed.
  func apply(to file: OpenFile, mode: UInt32) throws(SystemError) {
    let status = try file.status()
    if status.groupID != groupID { try file.setOwner(userID: status.userID, groupID: groupID) }
    if status.mode != mode || status.groupID != groupID { try file.setMode(mode) }
  }

  /// Does the same for an existing lock or folder of this user, because the run that made it may have been killed
  /// before it did. Errors are ignored: where names can only be added, modes cannot be changed.
  func repair(_ file: OpenFile, mode: UInt32) {
    guard let status = try? file.status(), status.userID == FileSystem.userID,
      // A lock is empty. A file with content, or with several names, was put there by somebody else, and must not be
      // given away.
      status.kind == .directory || (status.linkCount == 1 && status.size == 0)
    else { return }
    try? apply(to: file, mode: mode)
  }
}
