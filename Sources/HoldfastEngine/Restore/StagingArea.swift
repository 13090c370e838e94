internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem
internal import Synchronization

/// The directory within a restore's target where files are made whole before they get their names. As long as it exists, the target is unfinished, and
/// no server finds a half-restored database under its name.
final class StagingArea: Sendable {
  static let name = Scanner.unfinishedRestore
  private static let openFilesMax = 256

  let target: OpenFile
  let directory: OpenFile
  let attributes: AttributeSetter
  private let files: FileSystem
  private let openFiles = Atomic(0)

  /// Makes the staging directory, or takes over the one that an interrupted restore left.
  /// - Parameters:
  ///   - isDelta: whether what was left is of use; else it is removed.
  ///   - isPartial: whether only some paths are restored; then what was left must not be there, because it may be of other
  ///     paths.
  init(in target: OpenFile, files: FileSystem, setsOwner: Bool, isDelta: Bool, isPartial: Bool) throws {
    self.target = target
    self.files = files
    if try files.statusIfPresent(of: Self.name, in: target) == nil { try files.makeDirectory(Self.name, in: target) }
    directory = try files.open(target.path.appending(Self.name.bytes), .directory)
    attributes = AttributeSetter(files: files, setsOwner: setsOwner)
    guard try directory.lock(exclusively: true, wait: false) else {
      throw EngineError(
        "another restore into \(target.path) is running", hint: "Wait for it, or name another --target.",
        exitStatus: .locked)
    }
    if !isDelta { try TreeRemoval.removeContents(of: directory, files: files) }
    if isPartial, try directory.listing().count > 0 {
      throw EngineError(
        "an earlier restore into \(target.path) did not end, and files of the target wait in \(Self.name)",
        hint: "Run that restore again without --path first.")
    }
  }

  // MARK: Files

  /// What an interrupted restore left is in the way and goes.
  func create(_ path: Path) throws -> OpenFile {
    do throws(SystemError) {
      return try files.openBeneath(path, in: directory, .create)
    } catch {
      guard error.isNotFound || error.isExisting else { throw error }
      if error.isExisting { try TreeRemoval.remove(path, in: directory, files: files) }
      try makeDirectories(to: path)
      return try files.openBeneath(path, in: directory, .create)
    }
  }

  func reopen(_ path: Path) throws -> OpenFile { try files.openBeneath(path, in: directory, .readWrite) }

  /// Takes a file of the target away from under its name.
  func moveIn(_ path: Path) throws -> OpenFile {
    try makeDirectories(to: path)
    let (from, name) = try files.locate(path, beneath: target)
    let (to, _) = try files.locate(path, beneath: directory)
    try files.rename(name, in: from, to: name, in: to, replacing: false)
    try files.setMode(name, in: to, mode: 0o600)
    return try reopen(path)
  }

  func status(of path: Path) throws -> FileStatus? { try files.statusIfPresent(of: path, beneath: directory) }

  /// The file that an interrupted restore left for this path, where it is of use; else what it left there is removed.
  func takeOver(_ path: Path) throws -> FileStatus? {
    guard let left = try status(of: path) else { return nil }
    if left.kind == .file, left.linkCount == 1 { return left }
    try TreeRemoval.remove(path, in: directory, files: files)
    return nil
  }

  /// A directory that is there already is no error; something else in its place goes.
  func makeDirectory(_ path: Path) throws {
    let (parent, name) = try files.locate(path, beneath: directory)
    do throws(SystemError) {
      try files.makeDirectory(name, in: parent)
    } catch {
      guard error.isExisting else { throw error }
      guard try files.status(of: name, in: parent).kind != .directory else { return }
      try files.removeFile(name, in: parent)
      try files.makeDirectory(name, in: parent)
    }
  }

  /// Makes it possible to move files out of a directory of the target whose owner may not write in it; its mode is set again in the end.
  func makeWritable(_ path: Path, _ status: FileStatus) throws {
    guard status.mode & 0o700 != 0o700 else { return }
    let (parent, name) = try files.locate(path, beneath: target)
    // Who may not do that, and need not, such as another one's group, finds out when a file is moved.
    try? files.setMode(name, in: parent, mode: status.mode | 0o700)
  }

  private func makeDirectories(to path: Path) throws {
    guard let parent = path.parent, !parent.isEmpty else { return }
    try makeDirectories(to: parent)
    try makeDirectory(parent)
  }

  /// Whether one more file may stay open between two runs.
  func mayKeepOpen() -> Bool {
    openFiles.add(1, ordering: .relaxed).newValue <= Self.openFilesMax
  }

  func closed() { openFiles.subtract(1, ordering: .relaxed) }

  // MARK: End

  /// Gives everything in the staging directory its name in the target, and removes the staging directory. In descending order, so
  /// that `x-wal` comes before `x`, and PG_VERSION after all that a server would look for behind it.
  func publishAll() throws {
    let listing = try directory.listing()
    for index in (0..<listing.count).reversed() {
      let name = Path(bytes: Array(listing[index]))
      try files.rename(name, in: directory, to: name, in: target, replacing: false)
    }
    try remove()
  }

  /// Gives one staged file its name in the target.
  func publish(_ path: Path) throws {
    let (from, name) = try files.locate(path, beneath: directory)
    let (to, _) = try files.locate(path, beneath: target)
    try files.rename(name, in: from, to: name, in: to, replacing: true)
  }

  func remove() throws {
    try TreeRemoval.removeContents(of: directory, files: files)
    try files.removeDirectory(Self.name, in: target)
  }
}

/// Removes trees without following links.
enum TreeRemoval {
  static func removeContents(of directory: OpenFile, files: FileSystem) throws {
    let listing = try directory.listing()
    for index in 0..<listing.count { try remove(Path(bytes: Array(listing[index])), in: directory, files: files) }
  }

  /// - Parameter path: relative to `directory`.
  static func remove(_ path: Path, in directory: OpenFile, files: FileSystem) throws {
    guard let status = try files.statusIfPresent(of: path, beneath: directory) else { return }
    let (parent, name) = try files.locate(path, beneath: directory)
    guard status.kind == .directory else { return try files.removeFile(name, in: parent) }
    try removeContents(of: try files.openBeneath(name, in: parent, .directory), files: files)
    try files.removeDirectory(name, in: parent)
  }
}
