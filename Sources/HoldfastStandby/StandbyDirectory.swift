internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The directory of a standby:
///
///     standby.json   the repository and the source
///     lock           held by the one standby that works here
///     a, b           the two copies
///     a.json, b.json their records, each only while its copy is whole
///     current        a symbolic link to the copy that serves
///     promotion.json the promotion of this host, once a failover has one: the standby follows no more
///
/// Every change is durable before the next one begins, so a crash leaves one of the states that `StandbyPass` goes on
/// from.
final class StandbyDirectory {
  private static let lockName = Path("lock")
  private static let identityName = "standby.json"
  private static let link = Path("current")
  private static let newLink = Path("current.unfinished")
  /// Others may pass through it: who reads a copy may be another user.
  private static let passable: UInt32 = 0o711

  /// Absolute and without symbolic links.
  let path: Path
  private let files: FileSystem
  private let own: OwnDirectory
  /// Kept open, because the lock goes with it; `nil` for one that only looks.
  private let lock: OpenFile?

  /// True if this process works in it, so that nobody else does.
  var isLocked: Bool { lock != nil }

  /// Opens the directory for work, and makes it if needed.
  /// - Throws: with exit status 11 while another standby works in it; when it holds anything else than a standby.
  init(working path: Path, files: FileSystem) throws {
    (self.path, self.files) = (path, files)
    if try files.statusIfPresent(of: path) == nil { try files.makeDirectories(path, permissions: Self.passable) }
    own = try OwnDirectory(making: path, groupMayWrite: false, files: files)
    try Self.checkContent(own.directory, path, files)
    let lock = try files.openBeneath(Self.lockName, in: own.directory, .openOrCreate)
    guard try lock.lockUnlessTaken() else {
      throw EngineError(
        .transient, "another standby is at work in \(path)", hint: "Leave it to that, or stop it first.",
        exitStatus: .locked)
    }
    self.lock = lock
  }

  /// Opens the directory only to look at it.
  /// - Returns: `nil` if there is none yet.
  init?(lookingAt path: Path, files: FileSystem) throws {
    (self.path, self.files, lock) = (path, files, nil)
    guard try files.statusIfPresent(of: path) != nil,
      let own = try OwnDirectory(path, groupMayWrite: false, files: files)
    else { return nil }
    self.own = own
    try Self.checkContent(own.directory, path, files)
  }

  /// Refuses a directory that was not empty when the standby began.
  private static func checkContent(_ directory: OpenFile, _ path: Path, _ files: FileSystem) throws {
    guard try files.statusIfPresent(of: Path(identityName), in: directory) == nil else { return }
    let usual = [lockName.bytes, Array("lost+found".utf8), Array((identityName + ".unfinished").utf8)]
    let listing = try directory.listing()
    let foreign = (0..<listing.count).map { Array(listing[$0]) }.filter { !usual.contains($0) }
    guard let first = foreign.first else { return }
    throw EngineError(
      .usage, "\(path) is not empty and no directory of a standby: it holds \(Path(bytes: first))",
      hint: "Name a directory with --in that is empty or does not exist.", exitStatus: .usage)
  }

  /// Makes sure that the directory belongs to a source; one without an owner belongs to it from now on.
  func claim(_ identity: StandbyIdentity) throws {
    if let bytes = try own.contents(of: Self.identityName, max: CopyRecord.bytesMax) {
      guard let known = StandbyIdentity(parsing: bytes) else {
        throw refusal("\(path.appending(Self.identityName)) cannot be read as that of a standby")
      }
      guard known != identity else { return }
      throw refusal(
        known.repository == identity.repository
          ? "\(path) is the standby of the source \(Path(known.source)), not of \(identity.source)"
          : "\(path) is the standby of \(Path(known.source)) in another repository, \(known.repository.short)")
    }
    if lock != nil { try own.replace(Self.identityName, by: identity.serialized()) }
  }

  private func refusal(_ message: String) -> EngineError {
    EngineError(.usage, message, hint: "Name another directory with --in.", exitStatus: .usage)
  }

  /// Refuses to go on when another directory has the path by now, such as one that was mounted late: the lock is that
  /// of the directory that was opened.
  func checkIsInPlace() throws {
    let now = try files.statusIfPresent(of: path)
    guard try now?.isSameFile(as: own.directory.status()) != true else { return }
    throw EngineError(
      .machine, "\(path) is not the directory any more in which the standby began to work",
      hint: "Start the standby again: it works in what is there now.")
  }

  // MARK: Copies

  func path(of copy: CopyName) -> Path { path.appending(copy.path.bytes) }

  /// Opens a copy; `nil` if it does not exist.
  func open(_ copy: CopyName) throws -> OpenFile? {
    guard try files.statusIfPresent(of: copy.path, in: own.directory) != nil else { return nil }
    return try files.openBeneath(copy.path, in: own.directory, .directory)
  }

  /// Opens a copy, and makes it if it does not exist.
  func openOrMake(_ copy: CopyName) throws -> OpenFile {
    if let opened = try open(copy) { return opened }
    try files.makeDirectory(copy.path, in: own.directory, permissions: 0o700)
    return try files.openBeneath(copy.path, in: own.directory, .directory)
  }

  /// Returns the record of a copy; `nil` if the copy is not whole or not there, or somebody else may have written the
  /// record.
  func record(of copy: CopyName) throws -> CopyRecord? {
    guard try open(copy) != nil else { return nil }
    guard let file = try own.file(copy.recordName, .read) else { return nil }
    return CopyRecord(parsing: try file.contents(max: CopyRecord.bytesMax))
  }

  /// Stores, durably, that a copy is whole.
  func mark(_ copy: CopyName, _ record: CopyRecord) throws {
    try own.replace(copy.recordName, by: record.serialized())
  }

  /// Notes, durably, that a copy is about to be written to.
  func unmark(_ copy: CopyName) throws {
    if try own.remove(copy.recordName) { try own.directory.synchronizeDirectory() }
  }

  /// Moves a directory to the place of a copy, which has no record. Nothing is copied.
  /// - Returns: false if there is such a copy, or the directory is on another file system.
  func adopt(_ data: Path, as copy: CopyName) throws -> Bool {
    guard let parent = data.parent, try open(copy) == nil else { return false }
    let above = try files.open(parent, .directory)
    do {
      try files.rename(
        Path(bytes: Array(data.lastComponent)), in: above, to: copy.path, in: own.directory, replacing: false)
    } catch {
      return false
    }
    try own.directory.synchronizeDirectory()
    try above.synchronizeDirectory()
    return true
  }

  /// Removes a copy that is not whole.
  func discard(_ copy: CopyName) throws {
    guard try record(of: copy) == nil, let opened = try open(copy) else { return }
    try TreeRemoval.removeContents(of: opened, files: files)
    try files.removeDirectory(copy.path, in: own.directory)
  }

  /// Removes a copy that was made and got no content.
  func discardIfEmpty(_ copy: CopyName) { try? files.removeDirectory(copy.path, in: own.directory) }

  // MARK: The promotion of this host

  /// Returns the promotion of this host; `nil` if it stands by.
  func promotion() throws -> Promotion? {
    guard let file = try own.file(Promotion.name, .read) else { return nil }
    guard let known = Promotion(parsing: try file.contents(max: CopyRecord.bytesMax)) else {
      throw refusal("\(path.appending(Promotion.name)) cannot be read as the promotion of this host")
    }
    return known
  }

  /// Stores the promotion of this host, durably; `nil`: it stands by again.
  func note(_ promotion: Promotion?) throws {
    if let promotion { return try own.replace(Promotion.name, by: promotion.serialized()) }
    if try own.remove(Promotion.name) { try own.directory.synchronizeDirectory() }
  }

  /// The bytes that can still be stored; `nil` if that is not known.
  func availableBytes() throws -> UInt64? { try own.directory.availableBytes() }

  // MARK: The copy that serves

  /// Returns the copy to which `current` leads; `nil` if there is no link yet.
  func serving() throws -> CopyName? {
    guard let status = try files.statusIfPresent(of: Self.link, in: own.directory) else { return nil }
    guard status.kind == .symbolicLink,
      let copy = CopyName(
        rawValue: String(decoding: try files.readSymbolicLink(Self.link, in: own.directory), as: UTF8.self))
    else {
      throw EngineError(
        .usage, "\(path.appending(Self.link.bytes)) is not the link of a standby, which leads to a or b",
        hint: "Find out who has replaced it, move it away, and start the standby again.")
    }
    return copy
  }

  /// Lets `current` lead to another copy, in one step and durably.
  func serve(_ copy: CopyName) throws {
    if try files.statusIfPresent(of: Self.newLink, in: own.directory) != nil {
      try files.removeFile(Self.newLink, in: own.directory)
    }
    try files.makeSymbolicLink(Self.newLink, in: own.directory, target: copy.path.bytes)
    try files.rename(Self.newLink, in: own.directory, to: Self.link, in: own.directory, replacing: true)
    try own.directory.synchronizeDirectory()
  }
}
