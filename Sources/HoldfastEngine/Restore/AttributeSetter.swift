internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem
internal import Synchronization

/// Gives restored things their owners, modes, attributes and times. What the system refuses is collected, not fatal: contents matter more.
final class AttributeSetter: Sendable {
  private let files: FileSystem
  /// Only root can give files away.
  private let setsOwner: Bool
  private let collected = Mutex<[Problem]>([])

  init(files: FileSystem, setsOwner: Bool) {
    self.files = files
    self.setsOwner = setsOwner
  }

  var problems: [Problem] { collected.withLock { $0 } }

  /// The owner first, because the kernel then drops capabilities and set-user-ID; the time last.
  func apply(_ entry: Entry, to handle: OpenFile) {
    let attributes = entry.attributes
    collect(entry.path) { () throws(SystemError) in
      if setsOwner { try handle.setOwner(userID: attributes.userID, groupID: attributes.groupID) }
    }
    collect(entry.path) { () throws(SystemError) in
      let present = try handle.extendedAttributes()
      for attribute in present where !attributes.extended.contains(where: { $0.name == attribute.name }) {
        try handle.removeExtendedAttribute(attribute.name)
      }
      for attribute in attributes.extended where !present.contains(attribute) {
        try handle.setExtendedAttribute(attribute)
      }
    }
    collect(entry.path) { () throws(SystemError) in try handle.setMode(attributes.mode) }
    collect(entry.path) { () throws(SystemError) in try handle.setModified(attributes.modified) }
  }

  /// The same for what cannot be opened: links, fifos, devices.
  /// - Parameter root: where the paths of entries begin.
  func apply(_ entry: Entry, in root: OpenFile) {
    let attributes = entry.attributes
    collect(entry.path) { () throws(SystemError) in
      let (parent, name) = try files.locate(entry.path, beneath: root)
      if setsOwner {
        try files.setOwner(name, in: parent, userID: attributes.userID, groupID: attributes.groupID)
      }
      for attribute in attributes.extended {
        try files.setExtendedAttribute(root.path.appending(entry.path.bytes), attribute)
      }
      if case .symbolicLink = entry.content {
      } else {
        try files.setMode(name, in: parent, mode: attributes.mode)
      }
      try files.setModified(name, in: parent, time: attributes.modified)
    }
  }

  /// Notes something that could not be brought back as it was.
  func note(_ path: Path, _ error: SystemError) {
    collected.withLock { $0.append(Problem(path: path, reason: "\(error.action): \(error.reason)")) }
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
      note(path, error)
    }
  }
}
