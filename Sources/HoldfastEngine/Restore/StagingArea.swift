internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// The staging directories of a restore: one in the target, and one in each file system that is mounted below it. As
/// long as the first exists, the target is unfinished, and no server finds a half-restored database under its name.
final class StagingArea: Sendable {
  static let name = Stage.name
  private static let openFilesMax = 256
  private static let recordName = Path("restore")
  private static let newRecordName = Path("new-restore")
  private static let recordBytesMax = 16 << 20

  let target: OpenFile
  let attributes: AttributeSetter
  private let base: Stage
  /// The mount points below the target in which something is restored.
  private let mounts: [Path]
  private let mounted = Mutex<[Path: Stage]>([:])
  /// The directories of the target that are temporarily writable, with their original status.
  private let opened = Mutex<[Path: FileStatus]>([:])
  private let mountsAreRemoved = Atomic(false)
  private let files: FileSystem
  private let openFiles = Atomic(0)
  private let isDelta: Bool
  private let completed = Atomic<UInt64>(0)
  /// For a delta: the files that this run has completed and that do not have their names yet.
  private let unpublished = Mutex<Set<Path>>([])
  private let stagedBytes = Atomic<UInt64>(0)

  /// Makes the staging directory, or takes over the one that an interrupted restore left.
  /// - Parameters:
  ///   - mounts: mount points in the target in which something is restored.
  ///   - isDelta: true if files get their names one by one, in an existing target.
  init(in target: OpenFile, mounts: [Path] = [], files: FileSystem, setsOwner: Bool, isDelta: Bool) throws {
    self.target = target
    self.isDelta = isDelta
    self.files = files
    self.mounts = mounts
    base = try Stage(in: target, at: target.fullPath, files: files)
    attributes = AttributeSetter(setsOwner: setsOwner)
    do {
      for place in mounts {
        let root = try files.openBeneath(place, in: target, .directory)
        guard try files.statusIfPresent(of: Self.name, in: root) != nil else { continue }
        let stage = try Stage(in: root, at: target.fullPath.appending(place.bytes), files: files)
        mounted.withLock { $0[place] = stage }
      }
    } catch {
      if base.isMade { try? base.remove() }
      throw error
    }
  }

  /// Returns the record in a staging directory; `nil` if there is none.
  static func recordBytes(in stage: OpenFile, _ files: FileSystem) throws -> [UInt8]? {
    do throws(SystemError) {
      return try files.openBeneath(name.appending(recordName.bytes), in: stage, .read).contents(max: recordBytesMax)
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }

  /// Writes the record, whole or not at all. Files of the target are staged only after it is durable.
  func write(_ record: RestoreRecord) throws {
    let bytes = record.bytes
    if try Self.recordBytes(in: base.directory, files) != bytes {
      let file = try AtomicFile(
        Self.recordName, in: base.workroom, as: .alone(Self.newRecordName),
        durability: record.takesFilesOfTarget ? .contents : .none, files: files)
      try file.append(bytes)
      try file.commit()
    } else if record.takesFilesOfTarget {
      try files.open(Self.recordName, in: base.workroom, .read).synchronize()
    }
    guard record.takesFilesOfTarget else { return }
    for directory in [base.workroom, base.directory, target] { try directory.synchronizeDirectory() }
  }

  /// The staging directory on the target's own file system.
  var directory: OpenFile { base.directory }

  /// True if the target's file system stores the owners and modes that files are given.
  var keepsAttributes: Bool { base.keepsAttributes }

  /// True if an interrupted restore left files.
  var hasLeftovers: Bool { base.hasLeftovers || mounted.withLock { $0.values.contains { $0.hasLeftovers } } }

  /// The files that an interrupted restore left on the target's own file system; `nil` if there are none.
  var leftovers: StagedLeftovers? { base.hasLeftovers ? StagedLeftovers(in: base.directory, files: files) : nil }

  /// Returns true if no staging directory contains staged files.
  func isUnused() throws -> Bool {
    try base.isUnused() && mounted.withLock { try $0.values.allSatisfy { try $0.isUnused() } }
  }

  // MARK: Stages

  /// Returns the stage for a path of the target, and the path in it. Makes the stage if it does not exist yet.
  private func stage(of path: Path) throws -> (Stage, Path) {
    guard let place = mount(of: path) else { return (base, path) }
    let stage = try mounted.withLock { mounted in
      if let known = mounted[place] { return known }
      let root = try files.openBeneath(place, in: target, .directory)
      let stage = try Stage(in: root, at: target.fullPath.appending(place.bytes), files: files)
      mounted[place] = stage
      return stage
    }
    return (stage, path.relative(to: place))
  }

  /// Returns the stage for a path of the target, and the path in it; `nil` if that file system has no stage yet.
  private func stageIfPresent(of path: Path) -> (Stage, Path)? {
    guard let place = mount(of: path) else { return (base, path) }
    return mounted.withLock { $0[place] }.map { ($0, path.relative(to: place)) }
  }

  /// Returns the innermost mount point that contains a path; `nil` if it lies on the target's own file system.
  private func mount(of path: Path) -> Path? {
    if mounts.isEmpty { return nil }
    return mounts.filter { $0.contains(path) && $0 != path }.max { $0.bytes.count < $1.bytes.count }
  }

  // MARK: Files

  func create(_ path: Path) throws -> OpenFile {
    let (stage, path) = try stage(of: path)
    return try stage.create(path)
  }

  /// Moves a file of the target into its stage.
  /// - Parameter known: its status when it was opened and compared.
  func moveIn(_ path: Path, knownAs known: FileStatus) throws -> OpenFile {
    let (stage, path) = try stage(of: path)
    return try stage.moveIn(path, knownAs: known)
  }

  /// Opens a file that is already staged.
  func reopen(_ path: Path) throws -> OpenFile {
    let (stage, path) = try stage(of: path)
    return try stage.openOwn(path)
  }

  func status(of path: Path) throws -> FileStatus? {
    guard let (stage, path) = stageIfPresent(of: path) else { return nil }
    return try stage.status(of: path)
  }

  func discard(_ path: Path) throws {
    guard let (stage, path) = stageIfPresent(of: path) else { return }
    try stage.discard(path)
  }

  /// Returns the file that an interrupted restore left for this entry, if it can be used; otherwise removes it and
  /// returns `nil`.
  func takeOver(_ entry: Entry) throws -> OpenFile? {
    guard hasLeftovers, let left = try status(of: entry.path) else { return nil }
    if left.kind == .file, entry.mayKeep(left, setsOwner: attributes.setsOwner) { return try reopen(entry.path) }
    try discard(entry.path)
    return nil
  }

  func makeDirectory(_ path: Path) throws {
    let (stage, path) = try stage(of: path)
    try stage.makeDirectory(path)
  }

  /// Makes a directory of the target writable if its owner may not read, write or enter it, so that files can be moved
  /// in and out.
  /// - Parameters:
  ///   - known: its status when it was found.
  ///   - isForNow: true if the directory gets its old mode again in the end, rather than that of the snapshot.
  func makeWritable(_ path: Path, knownAs known: FileStatus, isForNow: Bool = false) throws {
    guard known.mode & 0o700 != 0o700, let directory = try? files.openBeneath(path, in: target, .directory),
      try directory.status().isSameFile(as: known)
    else { return }
    do {
      try directory.setMode(known.mode | 0o700)
      if isForNow { opened.withLock { $0[path] = known } }
    } catch {
      // No error yet: a member of the group, for example, may write there without owning it. Otherwise moving a file
      // fails.
    }
  }

  /// Restores the modes of directories that were temporarily writable.
  func closeAgain() {
    let changed = opened.withLock { $0 }
    opened.withLock { $0 = [:] }
    for (path, known) in changed {
      do throws(SystemError) {
        let directory = try files.openBeneath(path, in: target, .directory)
        guard try directory.status().isSameFile(as: known) else { continue }
        try directory.setMode(known.mode)
      } catch {
        attributes.note(path, error)
      }
    }
  }

  /// Returns true if one more file may stay open between two extents.
  func mayKeepOpen() -> Bool {
    openFiles.add(1, ordering: .relaxed).newValue <= Self.openFilesMax
  }

  func closed() { openFiles.subtract(1, ordering: .relaxed) }

  /// Records that a file has all its contents and attributes.
  func complete(_ path: Path) {
    completed.add(1, ordering: .relaxed)
    if isDelta { unpublished.withLock { _ = $0.insert(path) } }
  }

  /// Returns true if this run has completed the staged file of a delta. Other staged files were verified by nobody.
  func isComplete(_ path: Path) -> Bool { unpublished.withLock { $0.contains(path) } }

  /// Returns the number of files that were completed since the last call.
  func takeCompleted() -> UInt64 { completed.exchange(0, ordering: .relaxed) }

  /// The number of verified bytes that are staged, or existed already.
  var provedBytes: UInt64 { stagedBytes.load(ordering: .relaxed) }

  func verified(bytes: UInt64) { stagedBytes.add(bytes, ordering: .relaxed) }

  // MARK: Names

  /// Makes an object where nobody can exchange it, completes it with `finish`, and only then gives it its name in the
  /// target.
  func make(
    _ path: Path, replacing: Bool, _ make: (OpenFile, Path) throws -> Void, finish: (OpenFile, Path) throws -> Void
  ) throws {
    let (stage, path) = try stage(of: path)
    try stage.make(path, replacing: replacing, make, finish: finish)
  }

  /// Gives everything in the staging directory its name in the target, and removes the directory.
  func publishAll() throws { try base.publishAll() }

  /// Gives one staged file its name in the target.
  func publish(_ path: Path) throws {
    let (stage, pathThere) = try stage(of: path)
    try stage.publish(pathThere)
    unpublished.withLock { _ = $0.remove(path) }
  }

  /// Writes everything on all file systems of the target to stable storage.
  func synchronize() throws {
    try files.synchronizeTree(target)
    for stage in mounted.withLock({ Array($0.values) }) { try files.synchronizeTree(stage.root) }
  }

  /// Removes the staging directories in mounted file systems, before the directories that contain them get their times.
  func removeMounted() throws {
    guard !mountsAreRemoved.exchange(true, ordering: .relaxed) else { return }
    for stage in mounted.withLock({ Array($0.values) }) { try stage.remove() }
  }

  /// Removes the staging directories, that of the target last: as long as it exists, the target is unfinished.
  func remove() throws {
    try removeMounted()
    try base.remove()
  }
}
