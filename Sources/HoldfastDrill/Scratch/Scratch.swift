internal import HoldfastModel
internal import HoldfastSystem

/// The scratch directory of a drill, which nobody else may enter, and the lock that keeps other drills of the source
/// out. Whatever a killed drill has left in it is removed when the next one begins.
final class Scratch {
  /// Others may pass through the directories above: the server of a restored cluster runs as another user.
  private static let passable: UInt32 = 0o711
  let place: ScratchPlace
  /// The files that a PostgreSQL server of the drill needs.
  var server: Path { place.scratch.appending("server") }
  private let files: FileSystem
  private let directory: OpenFile
  /// Kept open, because the lock goes with it.
  private let lock: OpenFile

  /// - Throws: with exit status 11 while another drill of the source is at work.
  init(at place: ScratchPlace, files: FileSystem) throws {
    (self.place, self.files) = (place, files)
    let isNew = try files.statusIfPresent(of: place.path) == nil
    if isNew { try files.makeDirectories(place.path, permissions: Self.passable) }
    guard let own = try OwnDirectory(place.path, files: files) else {
      throw SystemError.notAFile(place.path)
    }
    directory = own.directory
    lock = try files.openBeneath(Path("lock"), in: directory, .openOrCreate)
    guard try lock.lockUnlessTaken() else {
      throw EngineError(
        .transient, "another drill is at work in \(place.path)", hint: "Wait until it has ended.", exitStatus: .locked)
    }
    try remove()
    try files.makeDirectory(Path("scratch"), in: directory, permissions: 0o700)
  }

  /// Returns the scratch directory, opened.
  func open() throws -> OpenFile { try files.openBeneath(Path("scratch"), in: directory, .directory) }

  /// Gives the scratch directory to the user of a server, who could not pass through it otherwise.
  func give(to owner: FileStatus) throws {
    try open().setOwner(userID: owner.userID, groupID: owner.groupID)
  }

  /// Removes everything but the log.
  func remove() throws { try remove(Path("scratch"), in: directory) }

  /// Replaces the log.
  func write(log text: String) throws {
    let file = try AtomicFile(
      Path("log"), in: directory, mode: .exactly(0o600), durability: .contents, files: files)
    try file.append(Array(text.utf8))
    try file.commit()
  }

  /// Removes a tree beneath its open directory, without following a link.
  private func remove(_ name: Path, in parent: OpenFile) throws {
    guard let status = try files.statusIfPresent(of: name, in: parent) else { return }
    guard status.kind == .directory else { return try files.removeFile(name, in: parent) }
    guard try !files.isMountRoot(name, in: parent) else {
      throw EngineError(
        .machine, "something is mounted in the scratch directory of the drill, at \(place.scratch)",
        hint: "Unmount it, and drill again.")
    }
    let opened = try files.openBeneath(name, in: parent, .directory)
    // A directory of the source may be read-only even for its owner.
    if status.mode & 0o700 != 0o700 { try opened.setMode(0o700) }
    let listing = try opened.listing()
    for index in 0..<listing.count { try remove(Path(bytes: Array(listing[index])), in: opened) }
    try files.removeDirectory(name, in: parent)
  }
}
