internal import HoldfastModel
internal import HoldfastSystem

/// How what is made in a repository may be used. Everything is its maker's alone, unless the directory of the
/// repository is shared: the group may write to it, and it has the set-group-ID bit. Then whatever is made below
/// belongs to that group, which reads objects and makes and removes names, whatever umask a run has.
struct Sharing: Sendable, Equatable {
  private static let setGroupID: UInt32 = 0o2000
  private static let sticky: UInt32 = 0o1000
  private static let groupWrite: UInt32 = 0o020

  let groupID: UInt32
  /// Whether only the owner of a file removes it.
  private let isSticky: Bool

  /// As a directory says; `nil` where it is not shared.
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

  /// Objects are never changed, so nobody needs to write to one.
  static func objectMode(_ sharing: Sharing?) -> UInt32 { sharing == nil ? 0o600 : 0o640 }
  static func lockMode(_ sharing: Sharing?) -> UInt32 { sharing == nil ? 0o644 : 0o660 }
  static func folderMode(_ sharing: Sharing?) -> UInt32 {
    guard let sharing else { return 0o700 }
    return setGroupID | 0o770 | (sharing.isSticky ? sticky : 0)
  }

  /// Gives what was just made the group and the mode that it should have: a umask may have taken some of it, or a
  /// directory that has lost the bit.
  func apply(to file: OpenFile, mode: UInt32) throws(SystemError) {
    let status = try file.status()
    if status.groupID != groupID { try file.setOwner(userID: status.userID, groupID: groupID) }
    if status.mode != mode || status.groupID != groupID { try file.setMode(mode) }
  }

  /// The same for what is there already, where it is this user's own: the run that made it may have been killed before
  /// it could give it away. What cannot be repaired is used as it is: where names can only be added, nothing has its
  /// mode changed.
  func repair(_ file: OpenFile, mode: UInt32) {
    guard let status = try? file.status(), status.userID == FileSystem.userID,
      // A lock is empty. Anything else got there by a link or a new name, and is not given away.
      status.kind == .directory || (status.linkCount == 1 && status.size == 0)
    else { return }
    try? apply(to: file, mode: mode)
  }
}
