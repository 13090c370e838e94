internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// The directory of a local store. It is opened once, and everything in it is reached beneath that descriptor without
/// following a symbolic link. So an attacker who can write there cannot make holdfast read, create or remove anything
/// outside.
///
/// Links on the way to the directory are followed, because they are the operator's. If the directory is renamed or
/// replaced during a run, the run continues in the directory that it opened.
final class LocalRoot: Sendable {
  /// The open directory, and how it is shared.
  struct Opened: Sendable {
    let directory: OpenFile
    let sharing: Sharing?
  }

  /// The most levels of directories; no repository has so many. Without this limit an attacker could nest directories
  /// so deeply that the run that removes them crashes.
  static let depthMax = 32

  let path: Path
  let files: FileSystem
  private let group: UInt32?
  private let opened = Mutex<Opened?>(nil)

  /// - Parameter group: the group with which a new repository is shared; `nil` to leave the directory as it is.
  init(_ path: Path, files: FileSystem, group: UInt32?) {
    self.path = path
    self.files = files
    self.group = group
  }

  // MARK: The directory itself

  /// Opens the directory, once; `nil` if it does not exist.
  func existing() throws -> Opened? {
    try opened.withLock { opened in
      if opened == nil { opened = try open() }
      return opened
    }
  }

  /// Opens the directory, once, and makes it if it does not exist.
  func made() throws -> Opened {
    try opened.withLock { opened in
      if opened == nil {
        try makeDurably(path)
        opened = try open()
      }
      guard let found = opened else { throw StoreError.notFound(key: "", location: path.description) }
      guard let group, found.sharing?.groupID != group else { return found }
      let shared = Opened(directory: found.directory, sharing: try Sharing.begin(found.directory, groupID: group))
      opened = shared
      return shared
    }
  }

  private func open() throws -> Opened? {
    do throws(SystemError) {
      let directory = try files.open(path, .directoryFollowingLinks)
      return Opened(directory: directory, sharing: Sharing(try directory.status()))
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }

  private func makeDurably(_ path: Path) throws {
    if try files.statusIfPresent(of: path) != nil { return }
    guard let parent = path.parent else { return }
    try makeDurably(parent)
    do throws(SystemError) {
      try files.makeDirectory(path)
    } catch {
      if !error.isExisting { throw error }
    }
    try files.open(parent.isEmpty ? Path("/") : parent, .directoryFollowingLinks).synchronizeDirectory()
  }

  // MARK: Beneath it

  /// Opens a directory beneath the root; `nil` if it does not exist.
  func folder(_ path: Path) throws -> OpenFile? {
    guard let root = try existing() else { return nil }
    return try folder(path, in: root)
  }

  private func folder(_ path: Path, in root: Opened) throws -> OpenFile? {
    guard !path.isEmpty else { return root.directory }
    do throws(SystemError) {
      return try files.openBeneath(path, in: root.directory, .directory)
    } catch {
      guard error.isNotFound else { throw foreign(path, error) }
      // Nothing can lie below an object. A link on the way is foreign.
      let isLink =
        try error.isNotADirectory
        && files.statusIfPresent(of: path, beneath: root.directory)?.kind == .symbolicLink
      if isLink { throw foreign(path) }
      return nil
    }
  }

  /// Opens a directory beneath the root. Missing directories are made, and made durable.
  func makeFolder(_ path: Path, in root: Opened) throws -> OpenFile {
    if let folder = try folder(path, in: root) {
      if !path.isEmpty { root.sharing?.repair(folder, mode: Sharing.folderMode(root.sharing)) }
      return folder
    }
    let parent = try makeFolder(path.parent ?? .root, in: root)
    let name = Path(bytes: Array(path.lastComponent))
    do throws(SystemError) {
      try files.makeDirectory(name, in: parent, permissions: Sharing.folderMode(root.sharing))
      try root.sharing?.apply(
        to: files.openBeneath(name, in: parent, .directory), mode: Sharing.folderMode(root.sharing))
    } catch {
      if !error.isExisting { throw error }
    }
    try parent.synchronizeDirectory()
    do throws(SystemError) {
      return try files.openBeneath(name, in: parent, .directory)
    } catch {
      throw foreign(path, error)
    }
  }

  /// Removes a name and everything below it.
  func removeTree(_ name: Path, in folder: OpenFile, depth: Int = 0) throws {
    guard let status = try files.statusIfPresent(of: name, in: folder) else { return }
    guard status.kind == .directory else { return try files.removeFile(name, in: folder) }
    guard depth < Self.depthMax else { throw foreign(name) }
    let inner: OpenFile
    do throws(SystemError) {
      inner = try files.openBeneath(name, in: folder, .directory)
    } catch {
      throw foreign(name, error)
    }
    let listing = try inner.listing()
    for index in 0..<listing.count {
      try removeTree(Path(bytes: Array(listing[index])), in: inner, depth: depth + 1)
    }
    try files.removeDirectory(name, in: folder)
  }

  /// Translates an error at a path beneath the root, which may mean that something foreign is there.
  func foreign(_ path: Path, _ error: SystemError) -> any Error {
    error.isOfAnotherKind ? foreign(path) : error
  }

  func foreign(_ path: Path) -> StoreError {
    .foreign(key: String(decoding: path.bytes, as: UTF8.self), location: self.path.description)
  }
}
