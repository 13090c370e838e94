internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem
internal import Synchronization

/// Gives restored things their owners, modes, attributes and times. What the system refuses is collected, not fatal: contents matter more.
final class AttributeSetter: Sendable {
  /// Only root can give files away.
  let setsOwner: Bool
  private let collected = Mutex<[Problem]>([])
  /// Whether the system does not tell which extended attributes there are.
  private let isBlind = Atomic(false)

  init(setsOwner: Bool) {
    self.setsOwner = setsOwner
  }

  var problems: [Problem] { collected.withLock { $0 } }

  /// The owner first, because the kernel then drops capabilities and set-user-ID; the time last. Each by itself: that one is refused is no reason to lose
  /// the others.
  /// - Parameter handle: the very thing that was made or examined, and never a name of it: whoever owns a directory can put something else there at any moment.
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

  /// - Returns: whether its access control list is there now, where it has one.
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

  /// What is there; nothing where that cannot be told, which is noted: only once where the system tells it of nothing.
  private func extendedAttributes(_ path: Path, of handle: some AttributeHolder) -> [ExtendedAttribute] {
    do throws(SystemError) {
      return try handle.extendedAttributes()
    } catch {
      if !error.isNotImplemented || !isBlind.exchange(true, ordering: .relaxed) { note(path, error) }
      return []
    }
  }

  /// The mode that an entry gets. Without its access control list the bits of the group are what that allowed the group itself, and not the most that
  /// it allowed anybody; and a file that could not be given to its owner does not run as somebody else.
  private func mode(of entry: Entry, hasACL: Bool, now: FileStatus) -> UInt32 {
    let attributes = entry.attributes
    var mode = attributes.mode
    if !hasACL, let list = attributes.extended.first(where: { $0.name.elementsEqual(AccessControlList.name) }) {
      mode = mode & ~0o070 | mode & (AccessControlList.groupBits(list.value) << 3)
    }
    switch entry.content {
    // A link where it had to be made as a copy.
    case .file, .hardLink: break
    default: return mode
    }
    if now.userID != attributes.userID { mode &= ~0o4000 }
    if now.groupID != attributes.groupID { mode &= ~0o2000 }
    return mode
  }

  /// Notes something that could not be brought back as it was.
  func note(_ path: Path, _ error: SystemError) {
    note(path, "\(error.action): \(error.reason)")
  }

  func note(_ path: Path, _ reason: String) {
    collected.withLock { $0.append(Problem(path: path, reason: reason)) }
  }

  /// Whether what is there has these attributes already.
  func matches(_ entry: Entry, _ status: FileStatus) -> Bool {
    let attributes = entry.attributes
    return status.mode == attributes.mode && status.modified == attributes.modified
      && (!setsOwner || (status.userID == attributes.userID && status.groupID == attributes.groupID))
  }

  /// - Returns: whether it was done.
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
  /// Whether what is there may become this entry as it is: it belongs to us or to its owner to be, has no other name, and is open to nobody to whom the entry is not. Anything else may be held
  /// open by somebody, who would go on reading or writing through his descriptor whatever owner and mode it gets.
  func mayKeep(_ status: FileStatus, setsOwner: Bool) -> Bool {
    guard status.linkCount == 1 else { return false }
    if case .symbolicLink = content { return true }
    let isOwned = status.userID == FileSystem.userID || (setsOwner && status.userID == attributes.userID)
    let isOfOthers = setsOwner && status.groupID != attributes.groupID && status.mode & 0o070 != 0
    return isOwned && !isOfOthers && status.mode & 0o077 & ~attributes.mode == 0
  }
}

/// What a POSIX access control list is as an extended attribute: a version, then entries of tag, permissions and ID (linux/posix_acl_xattr.h).
private enum AccessControlList {
  static let name = Array("system.posix_acl_access".utf8)
  private static let headerCount = 4
  private static let entryCount = 8
  private static let owningGroup: UInt8 = 4

  /// What it allows the owning group, as three bits; nothing where it does not say.
  static func groupBits(_ list: [UInt8]) -> UInt32 {
    for start in stride(from: headerCount, to: list.count - entryCount + 1, by: entryCount)
    where list[start] == owningGroup && list[start + 1] == 0 {
      return UInt32(list[start + 2] & 7)
    }
    return 0
  }
}
