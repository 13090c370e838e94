internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The directory in which files of one file system are completed before they get their names, because a file cannot be
/// renamed across file systems. Nobody else can enter it, so that it contains only what restores of this user put
/// there.
final class Stage: Sendable {
  static let name = Scanner.unfinishedRestore
  /// The name that an object has in `workroom` until it is complete.
  private static let unnamed = Path("new")

  /// The directory that contains this one: the target, or a mount point below it.
  let root: OpenFile
  let directory: OpenFile
  /// True if an interrupted restore left files in it.
  let hasLeftovers: Bool
  /// A directory inside for everything that is not a staged file. It has a name that no file of a snapshot can have.
  let workroom: OpenFile
  /// True if its file system stores the owners and modes that files are given.
  let keepsAttributes: Bool
  /// True if this run made it.
  let isMade: Bool
  private let files: FileSystem

  /// Makes the directory, or takes over the one that an interrupted restore left.
  /// - Throws: `EngineError` if another user made it or could have put something into it, or another restore uses
  ///   it.
  init(in root: OpenFile, at place: Path, files: FileSystem) throws {
    self.root = root
    self.files = files
    isMade = try files.statusIfPresent(of: Self.name, in: root) == nil
    if isMade { try files.makeDirectory(Self.name, in: root) }
    do {
      (directory, workroom, keepsAttributes, hasLeftovers) = try Self.enter(root, at: place, files)
    } catch {
      // Only empty directories are removed: if another user put something there, it is left alone.
      if isMade {
        try? files.removeDirectory(Self.name.appending(Self.name.bytes), in: root)
        try? files.removeDirectory(Self.name, in: root)
      }
      throw error
    }
  }

  private static func enter(
    _ root: OpenFile, at place: Path, _ files: FileSystem
  ) throws -> (directory: OpenFile, workroom: OpenFile, keepsAttributes: Bool, hasLeftovers: Bool) {
    let directory = try openOwn(in: root, at: place, files: files)
    guard try directory.lock(exclusively: true, wait: false) else {
      throw EngineError(
        .transient, "another restore into \(place) is running", hint: "Wait for it, or name another --target.",
        exitStatus: .locked)
    }
    let listing = try directory.listing()
    let hasLeftovers = (0..<listing.count).contains { !listing[$0].elementsEqual(name.bytes) }
    if !listing.contains(name.bytes) { try files.makeDirectory(name, in: directory) }
    let privacy = try Privacy(of: directory.status(), in: directory, files: files)
    return (directory, try files.open(name, in: directory, .directory), privacy.isKept, hasLeftovers)
  }

  /// Opens an existing staging directory.
  /// - Throws: `EngineError` if another user made it, or could have put something into it.
  static func openOwn(in root: OpenFile, at place: Path, files: FileSystem) throws -> OpenFile {
    func refusal(_ reason: String) -> EngineError {
      EngineError(
        .machine, "\(place.appending(name.bytes)) cannot be trusted: \(reason)",
        hint:
          "If another user's restore left it, run that again as that user; else look at what is in it, remove it, and run the same command again."
      )
    }
    guard try files.status(of: name, in: root).kind == .directory else { throw refusal("it is no directory") }
    let directory = try files.open(name, in: root, .directory)
    let status = try directory.status()
    let privacy = try Privacy(of: status, in: directory, files: files)
    guard !privacy.isOfOther else { throw refusal("it belongs to user \(status.userID)") }
    guard !privacy.isOpen else { throw refusal("others than its owner can enter it") }
    guard try !directory.isMountRoot() else { throw refusal("something is mounted at it") }
    return directory
  }

  /// Returns true if it contains no staged files.
  func isUnused() throws -> Bool { try directory.listing().count <= 1 }

  // MARK: Files

  /// Makes a file, and removes an object that an interrupted restore left at its path.
  func create(_ path: Path) throws -> OpenFile {
    do throws(SystemError) {
      return try files.openBeneath(path, in: directory, .create)
    } catch {
      guard error.isNotFound || error.isExisting else { throw error }
      if error.isExisting { try discard(path) }
      try makeDirectories(to: path)
      return try files.openBeneath(path, in: directory, .create)
    }
  }

  private func reopen(_ path: Path) throws(SystemError) -> OpenFile {
    try files.openBeneath(path, in: directory, .readWrite)
  }

  /// Moves a file of the target into this directory.
  /// - Parameter known: its status when it was opened and compared.
  func moveIn(_ path: Path, knownAs known: FileStatus) throws -> OpenFile {
    try makeDirectories(to: path)
    let (from, name) = try files.locate(path, beneath: root)
    let (to, _) = try files.locate(path, beneath: directory)
    try files.rename(name, in: from, to: name, in: to, replacing: false)
    let handle = try openOwn(path)
    let status = try handle.status()
    guard status.linkCount == 1, isSame(status, known, on: handle) else { throw EngineError.exchanged(path) }
    try handle.setMode(0o600)
    return handle
  }

  /// Opens a file that is already staged. If its mode does not permit that, changes the mode, which is set in the end
  /// anyway.
  func openOwn(_ path: Path) throws -> OpenFile {
    do throws(SystemError) {
      return try reopen(path)
    } catch {
      guard error.isForbidden else { throw error }
      try files.openReference(path, beneath: directory).setMode(0o600)
      return try reopen(path)
    }
  }

  /// Returns true if both are the same file. On an overlay, a file gets another identity when it is renamed for the
  /// first time, so that its attributes are compared.
  private func isSame(_ status: FileStatus, _ known: FileStatus, on handle: OpenFile) -> Bool {
    if status.isSameFile(as: known) { return true }
    return handle.isOnOverlay() && status.kind == known.kind && status.size == known.size
      && status.modified == known.modified && status.userID == known.userID && status.mode == known.mode
  }

  func status(of path: Path) throws -> FileStatus? { try files.statusIfPresent(of: path, beneath: directory) }

  func discard(_ path: Path) throws { try TreeRemoval.remove(path, in: directory, files: files) }

  /// Makes a directory, and removes another kind of object at its path. An existing directory is no error.
  func makeDirectory(_ path: Path) throws {
    let (parent, name) = try files.locate(path, beneath: directory)
    do throws(SystemError) {
      try files.makeDirectory(name, in: parent)
    } catch {
      guard error.isExisting else { throw error }
      let present = try files.status(of: name, in: parent)
      if present.kind == .directory {
        guard present.mode & 0o700 != 0o700 else { return }
        return try files.openReference(name, beneath: parent).setMode(0o700)
      }
      try files.removeFile(name, in: parent)
      try files.makeDirectory(name, in: parent)
    }
  }

  private func makeDirectories(to path: Path) throws {
    guard let parent = path.parent, !parent.isEmpty else { return }
    try makeDirectories(to: parent)
    try makeDirectory(parent)
  }

  // MARK: Names

  /// Makes an object where nobody can exchange it, completes it with `finish`, and only then gives it its name.
  func make(
    _ path: Path, replacing: Bool, _ make: (OpenFile, Path) throws -> Void, finish: (OpenFile, Path) throws -> Void
  ) throws {
    try TreeRemoval.remove(Self.unnamed, in: workroom, files: files)
    try make(workroom, Self.unnamed)
    try finish(workroom, Self.unnamed)
    let (to, name) = try files.locate(path, beneath: root)
    try files.rename(Self.unnamed, in: workroom, to: name, in: to, replacing: replacing)
  }

  /// Gives all staged files their names, and removes the directory. The order is descending, so that `x-wal` comes
  /// before `x`, and PG_VERSION after everything that a server would look for.
  func publishAll() throws {
    let listing = try directory.listing()
    for index in (0..<listing.count).reversed() where !listing[index].elementsEqual(Self.name.bytes) {
      let name = Path(bytes: Array(listing[index]))
      try files.rename(name, in: directory, to: name, in: root, replacing: false)
    }
    try remove()
  }

  /// Gives one file its name.
  func publish(_ path: Path) throws {
    let (from, name) = try files.locate(path, beneath: directory)
    let (to, _) = try files.locate(path, beneath: root)
    try files.rename(name, in: from, to: name, in: to, replacing: true)
  }

  func remove() throws {
    try TreeRemoval.removeContents(of: directory, files: files)
    try files.removeDirectory(Self.name, in: root)
  }
}
