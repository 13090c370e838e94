internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem
internal import Synchronization

/// Sets owners, modes, attributes and times of restored objects. A refusal of the system is collected and not fatal,
/// because contents matter more.
final class AttributeSetter: Sendable {
  /// Only root can change owners.
  let setsOwner: Bool
  private let collected = Mutex<[Problem]>([])
  /// True if the system reports no extended attributes at all.
  private let isBlind = Atomic(false)

  init(setsOwner: Bool) {
    self.setsOwner = setsOwner
  }

  var problems: [Problem] { collected.withLock { $0 } }

  /// Sets the owner first, because the kernel then drops capabilities and set-user-ID, and the time last. A refusal of
  /// one does not prevent the others.
  /// - Parameter handle: the open object that was made or examined, never its name: the owner of a directory can put
  ///   another object there at any moment.
  func apply(_ entry: Entry, to handle: some AttributeHolder) {
    let attributes = entry.attributes
    collect(entry.path) { () throws(SystemError) in
      if setsOwner { try handle.setOwner(userID: attributes.userID, groupID: attributes.groupID) }
    }
    let isListed = setExtended(entry, of: handle)
    if case .symbolicLink = entry.content {
    } else {
      collect(entry.path) { () throws(SystemError) in
        try handle.setMode(mode(of: entry, hasACL: isListed, now: try handle.status()))
      }
    }
    collect(entry.path) { () throws(SystemError) in try handle.setModified(attributes.modified) }
  }

  /// - Returns: true if the entry has no access control list, or it was set.
  private func setExtended(_ entry: Entry, of handle: some AttributeHolder) -> Bool {
    let wanted = entry.attributes.extended
    let found = extendedAttributes(entry.path, of: handle)
    for attribute in found where !wanted.contains(where: { $0.name == attribute.name }) {
      collect(entry.path) { () throws(SystemError) in try handle.removeExtendedAttribute(attribute.name) }
    }
    var isListed = true
    for attribute in wanted where !found.contains(attribute) {
      let isSet = collect(entry.path) { () throws(SystemError) in try handle.setExtendedAttribute(attribute) }
      if attribute.name.elementsEqual(AccessControlList.name), !isSet { isListed = false }
    }
    return isListed
  }

  /// Returns the current attributes. If they cannot be read, it returns none and reports that; if the system does not
  /// report attributes at all, only once.
  private func extendedAttributes(_ path: Path, of handle: some AttributeHolder) -> [ExtendedAttribute] {
    do throws(SystemError) {
      return try handle.extendedAttributes()
    } catch {
      if !error.isNotImplemented || !isBlind.exchange(true, ordering: .relaxed) { note(path, error) }
      return []
    }
  }

  /// Returns the mode for an entry. If its access control list could not be set, the group gets only the rights of the
  /// owning group, not the most that the list allowed to anybody. A file that could not be given to its owner loses
  /// set-user-ID, and one that could not be given to its group loses set-group-ID.
  private func mode(of entry: Entry, hasACL: Bool, now: FileStatus) -> UInt32 {
    let attributes = entry.attributes
    var mode = attributes.mode
    if !hasACL, let list = attributes.extended.first(where: { $0.name.elementsEqual(AccessControlList.name) }) {
      mode = mode & ~0o070 | mode & (AccessControlList.groupBits(list.value) << 3)
    }
    switch entry.content {
    // A hard link is here only if it had to be made as a copy.
    case .file, .hardLink: break
    default: return mode
    }
    if now.userID != attributes.userID { mode &= ~0o4000 }
    if now.groupID != attributes.groupID { mode &= ~0o2000 }
    return mode
  }

  /// Records what could not be restored exactly.
  func note(_ path: Path, _ error: SystemError) {
    note(path, "\(error.action): \(error.reason)")
  }

  func note(_ path: Path, _ reason: String) {
    collected.withLock { $0.append(Problem(path: path, reason: reason)) }
  }

  /// Returns true if the object already has these attributes. It returns false if they cannot be read: setting them
  /// then reports the error.
  func matches(_ entry: Entry, _ status: FileStatus, of handle: some AttributeHolder) -> Bool {
    let attributes = entry.attributes
    return status.mode == attributes.mode && status.modified == attributes.modified
      && (!setsOwner || (status.userID == attributes.userID && status.groupID == attributes.groupID))
      && (try? handle.extendedAttributes()) == attributes.extended
  }

  /// Returns true if an access control list of the object may let in a user whom the entry does not.
  func mayLetInOthers(_ entry: Entry, _ handle: some AttributeHolder) -> Bool {
    let list = (try? handle.extendedAttributes())?.first { $0.name.elementsEqual(AccessControlList.name) }
    return list.map { !entry.attributes.extended.contains($0) } ?? false
  }

  /// - Returns: true if it succeeded.
  @discardableResult
  private func collect(_ path: Path, _ body: () throws(SystemError) -> Void) -> Bool {
    do throws(SystemError) {
      try body()
      return true
    } catch {
      note(path, error)
      return false
    }
  }
}

extension Entry {
  /// Returns true if the object may become this entry without being replaced: it belongs to this user or to its future
  /// owner, has no other name, and can be opened only by those who may open the entry. Anybody else may hold it open,
  /// and go on reading or writing it whatever owner and mode it gets.
  func mayKeep(_ status: FileStatus, setsOwner: Bool) -> Bool {
    guard status.linkCount == 1 else { return false }
    if case .symbolicLink = content { return true }
    let isOwned = status.userID == FileSystem.userID || (setsOwner && status.userID == attributes.userID)
    let isOfOthers = setsOwner && status.groupID != attributes.groupID && status.mode & 0o070 != 0
    return isOwned && !isOfOthers && status.mode & 0o077 & ~attributes.mode == 0
  }
}

/// A POSIX access control list as an extended attribute: a version, then entries with tag, permissions and ID
/// (linux/posix_acl_xattr.h).
private enum AccessControlList {
  static let name = Array("system.posix_acl_access".utf8)
  private static let headerCount = 4
  private static let entryCount = 8
  private static let owningGroup: UInt8 = 4

  /// Returns the rights of the owning group, as three bits; 0 if the list does not contain them.
  static func groupBits(_ list: [UInt8]) -> UInt32 {
    for start in stride(from: headerCount, to: list.count - entryCount + 1, by: entryCount)
    where list[start] == owningGroup && list[start + 1] == 0 {
      return UInt32(list[start + 2] & 7)
    }
    return 0
  }
}
