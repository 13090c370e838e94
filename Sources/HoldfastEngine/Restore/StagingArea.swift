internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// Where the files of a restore are made whole before they get their names: one directory in the target, and one in each file system that is mounted below it. As long as the first
/// exists, the target is unfinished, and no server finds a half-restored database under its name.
final class StagingArea: Sendable {
  static let name = Stage.name
  private static let openFilesMax = 256
  private static let recordName = Path("restore")
  private static let newRecordName = Path("new-restore")
  private static let recordBytesMax = 16 << 20

  let target: OpenFile
  let attributes: AttributeSetter
  private let base: Stage
  /// Where something is mounted below the target and written to.
  private let mounts: [Path]
  private let mounted = Mutex<[Path: Stage]>([:])
  /// Directories of the target that are writable for now, as they were.
  private let opened = Mutex<[Path: FileStatus]>([:])
  private let mountsAreRemoved = Atomic(false)
  private let files: FileSystem
  private let openFiles = Atomic(0)
  private let isDelta: Bool
  private let completed = Atomic<UInt64>(0)
  /// Of a delta: what this run has completed, and what has not got its name yet.
  private let unpublished = Mutex<Set<Path>>([])
  private let stagedBytes = Atomic<UInt64>(0)

  /// Makes the staging directory, or takes over the one that an interrupted restore left.
  /// - Parameters:
  ///   - mounts: places in the target at which other file systems are mounted that are restored as well.
  ///   - isDelta: whether files get their names one by one, in a target that is restored over.
  init(in target: OpenFile, mounts: [Path] = [], files: FileSystem, setsOwner: Bool, isDelta: Bool) throws {
    self.target = target
    self.isDelta = isDelta
    self.files = files
    self.mounts = mounts
    base = try Stage(in: target, at: target.place, files: files)
    attributes = AttributeSetter(setsOwner: setsOwner)
    do {
      for place in mounts {
        let root = try files.openBeneath(place, in: target, .directory)
        guard try files.statusIfPresent(of: Self.name, in: root) != nil else { continue }
        let stage = try Stage(in: root, at: target.place.appending(place.bytes), files: files)
        mounted.withLock { $0[place] = stage }
      }
    } catch {
      if base.isMade { try? base.remove() }
      throw error
    }
  }

  /// What is written down in a staging directory; `nil` where nothing is.
  static func recordBytes(in stage: OpenFile, _ files: FileSystem) throws -> [UInt8]? {
    do throws(SystemError) {
      return try files.openBeneath(name.appending(recordName.bytes), in: stage, .read).contents(max: recordBytesMax)
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }

  /// Writes down what is restored, whole or not at all. Files of the target are moved here only after that is known for good.
  func write(_ record: RestoreRecord) throws {
    let bytes = record.bytes
    let isKnown = try Self.recordBytes(in: base.directory, files) == bytes
    let name = isKnown ? Self.recordName : Self.newRecordName
    let file = try files.open(name, in: base.workroom, isKnown ? .read : .openOrCreate)
    if !isKnown {
      try file.truncate(to: 0)
      try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    }
    if record.takesFilesOfTarget { try file.synchronize() }
    if !isKnown {
      try files.rename(name, in: base.workroom, to: Self.recordName, in: base.workroom, replacing: true)
    }
    guard record.takesFilesOfTarget else { return }
    for directory in [base.workroom, base.directory, target] { try directory.synchronizeDirectory() }
  }

  /// The directory of the target's own file system.
  var directory: OpenFile { base.directory }

  /// Whether the target's file system keeps the owners and modes that files are given.
  var keepsAttributes: Bool { base.keepsAttributes }

  /// Whether an interrupted restore left something.
  var hasLeftovers: Bool { base.hasLeftovers || mounted.withLock { $0.values.contains { $0.hasLeftovers } } }

  /// What an interrupted restore left on the target's own file system; `nil` for nothing.
  var leftovers: StagedLeftovers? { base.hasLeftovers ? StagedLeftovers(in: base.directory, files: files) : nil }

  /// Whether nothing waits in it.
  func isUnused() throws -> Bool {
    try base.isUnused() && mounted.withLock { try $0.values.allSatisfy { try $0.isUnused() } }
  }

  // MARK: Stages

  /// Where a path of the target is staged, and its path there.
  private func stage(of path: Path) throws -> (Stage, Path) {
    guard let place = mount(of: path) else { return (base, path) }
    let stage = try mounted.withLock { mounted in
      if let known = mounted[place] { return known }
      let root = try files.openBeneath(place, in: target, .directory)
      let stage = try Stage(in: root, at: target.place.appending(place.bytes), files: files)
      mounted[place] = stage
      return stage
    }
    return (stage, path.relative(to: place))
  }

  /// The same; `nil` where nothing is staged on that file system yet.
  private func stageIfPresent(of path: Path) -> (Stage, Path)? {
    guard let place = mount(of: path) else { return (base, path) }
    return mounted.withLock { $0[place] }.map { ($0, path.relative(to: place)) }
  }

  /// The innermost mount that holds a path.
  private func mount(of path: Path) -> Path? {
    if mounts.isEmpty { return nil }
    return mounts.filter { $0.contains(path) && $0 != path }.max { $0.bytes.count < $1.bytes.count }
  }

  // MARK: Files

  func create(_ path: Path) throws -> OpenFile {
    let (stage, path) = try stage(of: path)
    return try stage.create(path)
  }

  /// Takes a file of the target away from under its name.
  /// - Parameter known: what it was when it was opened and compared.
  func moveIn(_ path: Path, knownAs known: FileStatus) throws -> OpenFile {
    let (stage, path) = try stage(of: path)
    return try stage.moveIn(path, knownAs: known)
  }

  /// Opens a file that is staged already.
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

  /// The file that an interrupted restore left for this entry, where it is of use; else what it left there is removed.
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

  /// Makes it possible to move files out of a directory of the target, or into it, whose owner may not write in it.
  /// - Parameters:
  ///   - known: what it was when it was found.
  ///   - isForNow: whether it gets that mode again in the end, and not the one of the snapshot.
  func makeWritable(_ path: Path, knownAs known: FileStatus, isForNow: Bool = false) throws {
    guard known.mode & 0o700 != 0o700, let directory = try? files.openBeneath(path, in: target, .directory),
      try directory.status().isSameFile(as: known)
    else { return }
    do {
      try directory.setMode(known.mode | 0o700)
      if isForNow { opened.withLock { $0[path] = known } }
    } catch {
      // Who may not do that, and need not, such as another one's group, finds out when a file is moved.
    }
  }

  /// Gives directories that were made writable for now the modes that they had.
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

  /// Whether one more file may stay open between two runs.
  func mayKeepOpen() -> Bool {
    openFiles.add(1, ordering: .relaxed).newValue <= Self.openFilesMax
  }

  func closed() { openFiles.subtract(1, ordering: .relaxed) }

  /// A file has all its contents and attributes.
  func complete(_ path: Path) {
    completed.add(1, ordering: .relaxed)
    if isDelta { unpublished.withLock { _ = $0.insert(path) } }
  }

  /// Whether a file of a delta waits here that this run has completed. What else lies here nobody has proved.
  func isComplete(_ path: Path) -> Bool { unpublished.withLock { $0.contains(path) } }

  /// How many files were completed since this was asked last.
  func takeCompleted() -> UInt64 { completed.exchange(0, ordering: .relaxed) }

  /// Bytes that are staged, or were there already, each of them proved.
  var provedBytes: UInt64 { stagedBytes.load(ordering: .relaxed) }

  func proved(bytes: UInt64) { stagedBytes.add(bytes, ordering: .relaxed) }

  // MARK: Names

  /// Makes something where nobody can exchange it, has it finished, and only then gives it its name in the target.
  func make(
    _ path: Path, replacing: Bool, _ make: (OpenFile, Path) throws -> Void, finish: (OpenFile, Path) throws -> Void
  ) throws {
    let (stage, path) = try stage(of: path)
    try stage.make(path, replacing: replacing, make, finish: finish)
  }

  /// Gives everything in the staging directory its name in the target, and removes it.
  func publishAll() throws { try base.publishAll() }

  /// Gives one staged file its name in the target.
  func publish(_ path: Path) throws {
    let (stage, pathThere) = try stage(of: path)
    try stage.publish(pathThere)
    unpublished.withLock { _ = $0.remove(path) }
  }

  /// Returns when everything on all file systems of the target is on stable storage.
  func synchronize() throws {
    try files.synchronizeTree(target)
    for stage in mounted.withLock({ Array($0.values) }) { try files.synchronizeTree(stage.root) }
  }

  /// Removes what lies in file systems that are mounted below the target: before their directories get their times.
  func removeMounted() throws {
    guard !mountsAreRemoved.exchange(true, ordering: .relaxed) else { return }
    for stage in mounted.withLock({ Array($0.values) }) { try stage.remove() }
  }

  /// The target's own last: as long as it is there, the target is unfinished.
  func remove() throws {
    try removeMounted()
    try base.remove()
  }
}
