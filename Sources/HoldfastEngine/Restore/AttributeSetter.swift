internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem
internal import Synchronization

/// Gives restored things their owners, modes, attributes and times. What the system refuses is collected, not fatal: contents matter more.
final class AttributeSetter: Sendable {
  private let files: FileSystem
  private let root: Path
  /// Only root can give files away.
  private let setsOwner: Bool
  private let collected = Mutex<[Problem]>([])

  /// - Parameter root: absolute; where paths of entries begin.
  init(files: FileSystem, root: Path, setsOwner: Bool) {
    self.files = files
    self.root = root
    self.setsOwner = setsOwner
  }

  var problems: [Problem] { collected.withLock { $0 } }

  /// The owner first, because the kernel then drops capabilities and set-user-ID; the time last.
  func apply(_ entry: Entry, to handle: OpenFile) throws {
    let attributes = entry.attributes
    if setsOwner {
      try handle.setOwner(userID: attributes.userID, groupID: attributes.groupID)
    }
    let present = try handle.extendedAttributes()
    for attribute in present where !attributes.extended.contains(where: { $0.name == attribute.name }) {
      collect(entry.path) { () throws(SystemError) in try handle.removeExtendedAttribute(attribute.name) }
    }
    for attribute in attributes.extended where !present.contains(attribute) {
      collect(entry.path) { () throws(SystemError) in try handle.setExtendedAttribute(attribute) }
    }
    try handle.setMode(attributes.mode)
    try handle.setModified(attributes.modified)
  }

  /// The same for what cannot be opened: links, fifos, devices.
  func apply(_ entry: Entry, in directory: OpenFile) throws {
    let attributes = entry.attributes
    if setsOwner {
      try files.setOwner(entry.path, in: directory, userID: attributes.userID, groupID: attributes.groupID)
    }
    for attribute in attributes.extended {
      collect(entry.path) { () throws(SystemError) in
        try files.setExtendedAttribute(directory.path.appending(entry.path.bytes), attribute)
      }
    }
    if case .symbolicLink = entry.content {
    } else {
      try files.setMode(entry.path, in: directory, mode: attributes.mode)
    }
    try files.setModified(entry.path, in: directory, time: attributes.modified)
  }

  /// Whether what is there has these attributes already.
  func matches(_ entry: Entry, _ status: FileStatus) -> Bool {
    let attributes = entry.attributes
    return status.mode == attributes.mode && status.modified == attributes.modified
      && (!setsOwner || (status.userID == attributes.userID && status.groupID == attributes.groupID))
  }

  private func collect(_ path: Path, _ body: () throws(SystemError) -> Void) {
    do throws(SystemError) {
      try body()
    } catch {
      collected.withLock { $0.append(Problem(path: path, reason: "\(error.action): \(error.reason)")) }
    }
  }
}
