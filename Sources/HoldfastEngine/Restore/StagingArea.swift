internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// The directory within a restore's target where files are made whole before they get their names. As long as it exists, the target is unfinished, and
/// no server finds a half-restored database under its name.
final class StagingArea: Sendable {
  static let name = Path(".holdfast-restore")
  private static let openFilesMax = 256

  let target: OpenFile
  let directory: OpenFile
  let attributes: AttributeSetter
  private let files: FileSystem
  private let openFiles = Atomic(0)

  /// Makes the staging directory, or takes over the one that an interrupted restore left.
  /// - Parameter isDelta: whether what was left is of use; else it is removed.
  init(in target: OpenFile, files: FileSystem, setsOwner: Bool, isDelta: Bool) throws {
    self.target = target
    self.files = files
    if try files.statusIfPresent(of: Self.name, in: target) != nil {
      let left = try files.open(Self.name, in: target, .directory)
      try Self.lock(left, target: target.path)
      if !isDelta { try Self.empty(left, files: files) }
    } else {
      try files.makeDirectory(Self.name, in: target)
    }
    directory = try files.open(target.path.appending(Self.name.bytes), .directory)
    try Self.lock(directory, target: target.path)
    attributes = AttributeSetter(files: files, root: directory.path, setsOwner: setsOwner)
  }

  private static func lock(_ directory: OpenFile, target: Path) throws {
    guard try directory.lock(exclusively: true, wait: false) else {
      throw EngineError(
        "another restore into \(target) is running", hint: "Wait for it, or name another --target.", exitStatus: .locked
      )
    }
  }

  // MARK: Files

  func create(_ path: Path) throws -> OpenFile {
    do throws(SystemError) {
      return try files.openBeneath(path, in: directory, .create)
    } catch {
      guard error.isNotFound || error.isExisting else { throw error }
    }
    try clear(path)
    return try files.openBeneath(path, in: directory, .create)
  }

  /// Makes the directories above, and removes what an interrupted restore of another snapshot left in the way.
  private func clear(_ path: Path) throws {
    try makeDirectories(to: path)
    try TreeRemoval.remove(path, in: directory, files: files)
  }

  func reopen(_ path: Path) throws -> OpenFile { try files.openBeneath(path, in: directory, .readWrite) }

  /// Takes a file of the target away from under its name.
  func moveIn(_ path: Path) throws -> OpenFile {
    try clear(path)
    try files.rename(path, in: target, to: path, in: directory, replacing: false)
    try files.setMode(path, in: directory, mode: 0o600)
    return try reopen(path)
  }

  func status(of path: Path) throws -> FileStatus? { try files.statusIfPresent(of: path, in: directory) }

  /// A directory that is there already is no error; something else there was left by an interrupted restore of another snapshot. Called from
  /// several threads, so nothing but that is removed.
  func makeDirectory(_ path: Path) throws {
    if try tryMakingDirectory(path) || status(of: path)?.kind == .directory { return }
    do throws(SystemError) {
      try files.removeFile(path, in: directory)
    } catch {
      guard error.isNotFound || error.isUnsupported else { throw error }
    }
    _ = try tryMakingDirectory(path)
  }

  /// - Returns: `false` when something is there.
  private func tryMakingDirectory(_ path: Path) throws(SystemError) -> Bool {
    do throws(SystemError) {
      try files.makeDirectory(path, in: directory)
      return true
    } catch {
      if error.isExisting { return false }
      throw error
    }
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

  /// Gives everything in the staging directory its name in the target, and removes the staging directory.
  /// - Parameter late: directories that get their attributes when they are there.
  func publishAll(late: [Entry]) throws {
    let listing = try directory.listing()
    for index in 0..<listing.count {
      let name = Path(bytes: Array(listing[index]))
      try files.rename(name, in: directory, to: name, in: target, replacing: false)
    }
    for entry in late { try attributes.apply(entry, to: files.openBeneath(entry.path, in: target, .directory)) }
    try remove()
  }

  /// Gives one file its name in the target; `false` when it is not staged.
  func publish(_ path: Path) throws -> Bool {
    guard try status(of: path)?.kind == .file else { return false }
    try files.rename(path, in: directory, to: path, in: target, replacing: true)
    return true
  }

  func remove() throws {
    try Self.empty(directory, files: files)
    try files.removeDirectory(Self.name, in: target)
  }

  private static func empty(_ directory: OpenFile, files: FileSystem) throws {
    try TreeRemoval.removeContents(of: directory, files: files)
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
    guard let status = try files.statusIfPresent(of: path, in: directory) else { return }
    guard status.kind == .directory else { return try files.removeFile(path, in: directory) }
    try removeContents(of: try files.openBeneath(path, in: directory, .directory), files: files)
    try files.removeDirectory(path, in: directory)
  }
}
