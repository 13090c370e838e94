internal import HoldfastModel
internal import HoldfastSystem

/// The file of an object that is being written, in the directory of its final name, and the folders that must be
/// durable before the object exists.
struct SFTPUnfinished: Sendable {
  let key: String
  let handle: SFTPHandle
  /// The open folder, to make the object's name in it durable; `nil` if it has to be opened again for that.
  let folder: SFTPHandle?
  /// The parent of the folder, until the folder's own name in it is known to be durable.
  let parent: SFTPHandle?
  /// True if the file was opened again. Then the server may have lost bytes that it confirmed.
  let isReopened: Bool
  /// True if all bytes are durable.
  var isSynchronized = false

  /// Makes the file, and the folders on the way to it.
  static func create(_ key: String, in root: SFTPRoot) throws -> SFTPUnfinished {
    do {
      return try SFTPUnfinished(key, .creating, in: root)
    } catch StoreError.notFound {
      try root.makeFolder(SFTPRoot.folder(of: key))
      return try SFTPUnfinished(key, .creating, in: root)
    }
  }

  /// Opens the file again over a new connection.
  func reopened(in root: SFTPRoot) throws -> SFTPUnfinished {
    var again = try SFTPUnfinished(key, .writing, in: root)
    again.isSynchronized = isSynchronized
    return again
  }

  /// Opens the file and its folders in one round trip: the folder is made before it is known to be missing, and opened
  /// at the same time as the file.
  private init(_ key: String, _ opening: SFTPRequest.Opening, in root: SFTPRoot) throws {
    let folder = SFTPRoot.folder(of: key)
    let isUnknown = !root.isDurable(folder)
    do {
      self = try root.ask("write", key) { link in
        let synchronizes = link.features.has(.synchronize)
        // Usually the folder exists, and this fails. If it cannot be made, the file cannot either.
        let making =
          try isUnknown && opening == .creating ? link.send(.makeDirectory(root.path(of: folder))) : nil
        let file = try link.send(.open(root.path(of: key), opening))
        let below = try synchronizes ? link.send(.open(root.path(of: folder), .reading)) : nil
        let above = try synchronizes && isUnknown ? link.send(.open(root.parentPath(of: folder), .reading)) : nil
        // Every answer is awaited, so that every handle is closed again.
        let isNew = (try? making?.wait().done()) != nil
        let handle = Result { SFTPHandle(try file.wait().handle(), link) }
        let (its, parent) = (Self.directory(below, link), Self.directory(above, link))
        if isNew, synchronizes, parent == nil { try root.synchronizeParent(of: folder) }
        let opened = try handle.get()
        if !synchronizes { root.noteDurable(folder) }
        return SFTPUnfinished(
          key: key, handle: opened, folder: its, parent: parent, isReopened: opening == .writing)
      }
    } catch let error as SFTPError {
      guard case .failed = error, root.isFull(for: 0) else { throw error }
      throw SFTPError.full(location: root.location)
    }
  }

  private init(key: String, handle: SFTPHandle, folder: SFTPHandle?, parent: SFTPHandle?, isReopened: Bool) {
    (self.key, self.handle, self.folder, self.parent) = (key, handle, folder, parent)
    self.isReopened = isReopened
  }

  /// Returns the handle; `nil` if the server does not open the directory.
  private static func directory(_ reply: SFTPReply?, _ link: SFTPLink) -> SFTPHandle? {
    guard let bytes = try? reply?.wait().handle() else { return nil }
    return SFTPHandle(bytes, link)
  }
}
