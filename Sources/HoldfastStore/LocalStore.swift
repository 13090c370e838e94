package import HoldfastModel
package import HoldfastSystem

/// A store in a directory. A key is a path below the directory.
///
/// A commit is: write, fsync, rename without replacing, fsync of the directory. New directories on the way are made
/// durable in their parents. The name of an unfinished object begins with a dot.
package struct LocalStore: Store {
  let files: FileSystem
  private let random: Randomness
  let root: LocalRoot
  package let places: [String]

  /// - Parameters:
  ///   - directory: absolute, as the operator wrote it.
  ///   - group: the ID of the group with which a new repository is shared.
  package init(directory: Path, host: Host, sharedWith group: UInt32? = nil) {
    let names = host.files.names(of: directory)
    places = names.map(\.description)
    root = LocalRoot(names.last ?? directory, files: host.files, group: group)
    files = host.files
    random = host.random
  }

  package var directory: Path? { root.path }

  package var location: String { root.path.description }

  package var capabilities: StoreCapabilities { StoreCapabilities() }

  package func availableBytes() throws -> UInt64? { try root.existing()?.directory.availableBytes() }

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    let path = try resolve(key)
    guard let root = try root.existing() else { throw StoreError.notFound(key: key, location: location) }
    let (file, status): (OpenFile, FileStatus)
    do throws(SystemError) {
      file = try files.openBeneath(path, in: root.directory, .read)
      status = try file.status()
    } catch {
      if error.isNotFound { throw StoreError.notFound(key: key, location: location) }
      throw error.isOfAnotherKind ? self.root.foreign(path) : error.ofObject(key)
    }
    guard status.kind == .file else { throw self.root.foreign(path) }
    guard status.size == length ?? status.size else {
      throw StoreError.otherLength(
        key: key, location: location, found: status.size, expected: length ?? status.size)
    }
    return LocalObject(file: file, name: key, length: status.size)
  }

  package func upload(_ key: String) throws -> any ObjectUpload { try upload(key, isDurable: true) }

  package func replacement(of key: String) throws -> (any ObjectUpload)? {
    try upload(key, isDurable: true, replaces: true)
  }

  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
    let writer = ObjectWriter(try upload(key, isDurable: false), connections: 1)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  private func upload(_ key: String, isDurable: Bool, replaces: Bool = false) throws -> LocalUpload {
    let path = try resolve(key)
    let root = try root.made()
    let folder = try self.root.makeFolder(path.parent ?? .root, in: root)
    let temporary = Path("\(Self.unfinished)\(random.identifier())")
    let mode = Sharing.objectMode(root.sharing)
    let file = try files.open(temporary, in: folder, .create, permissions: mode)
    let upload = LocalUpload(
      file: file, temporary: temporary, in: folder, key: key, location: location, files: files,
      isDurable: isDurable, replaces: replaces)
    try root.sharing?.apply(to: file, mode: mode)
    return upload
  }

  package func settle(below prefix: String) throws {
    var path: Path? = try resolve(prefix: prefix)
    while let next = path {
      try root.folder(next)?.synchronizeDirectory()
      path = next.parent
    }
  }

  package func remove(_ key: String) throws {
    try removeFile(key)?.synchronizeDirectory()
  }

  package func removeBriefly(_ keys: [String]) throws {
    for key in keys { _ = try removeFile(key) }
  }

  /// - Returns: the directory of the file; `nil` if the file did not exist.
  private func removeFile(_ key: String) throws -> OpenFile? {
    let path = try resolve(key)
    guard let folder = try root.folder(path.parent ?? .root) else { return nil }
    do throws(SystemError) {
      try files.removeFile(Path(bytes: Array(path.lastComponent)), in: folder)
    } catch {
      if error.isNotFound { return nil }
      throw refusal(path, error)
    }
    return folder
  }

  package func removeAll(below prefix: String) throws {
    let path = try resolve(prefix: prefix)
    guard !path.isEmpty else { throw StoreError.invalidKey(prefix) }
    guard let folder = try root.folder(path.parent ?? .root) else { return }
    do {
      try root.removeTree(Path(bytes: Array(path.lastComponent)), in: folder)
    } catch let error as SystemError {
      throw refusal(path, error)
    }
  }

  private func refusal(_ path: Path, _ error: SystemError) -> any Error {
    error.isForbidden
      ? StoreError.removalRefused(key: String(decoding: path.bytes, as: UTF8.self), location: location) : error
  }

  package func removeUnfinished(_ objects: [UnfinishedObject]) throws {
    for object in objects { _ = try removeFile(object.key) }
  }

  /// The beginning of the names of unfinished objects.
  static let unfinished = ".unfinished-"
  /// The number of tries for a lock that is not waited for. One is not enough: a child process that is being started
  /// holds a copy of each descriptor until it executes its program.
  private static let looksMin = 3
  /// The number of tries for a shared lock, 50 ms apart. The holder of an exclusive lock only lists a directory
  /// meanwhile.
  private static let sharedLooksMax = 60

  package func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? {
    try lock(name, exclusively: true, looks: wait ? .max : Self.looksMin, cancellation)
  }

  package func hold(_ name: String, exclusively: Bool, cancellation: Cancellation) throws -> (any StoreLock)? {
    try lock(name, exclusively: exclusively, looks: exclusively ? 1 : Self.sharedLooksMax, cancellation)
  }

  /// Locks a regular file, never a directory: over NFS, Linux sends only locks of files to the server, and only if they
  /// are open for writing. It polls, because a signal must end the wait.
  private func lock(
    _ name: String, exclusively: Bool, looks: Int, _ cancellation: Cancellation
  ) throws -> (any StoreLock)? {
    let file = try openLock(resolve("locks/\(name).lock"))
    var left = looks
    while try !file.lock(exclusively: exclusively, wait: false) {
      left -= 1
      guard left > 0 else { return nil }
      try cancellation.check()
      Pause.briefly()
    }
    return LocalLock(file: file)
  }

  /// Tests locks, removal, and creating a name only if it is absent. Missing locks are an error. For everything else
  /// the store relies on the file system.
  package func probe(_ random: Randomness) throws -> StoreProbe {
    let folder = try root.made().directory
    let trial = Path("\(Self.unfinished)\(random.identifier())")
    let file = try files.open(trial, in: folder, .create)
    var probe = StoreProbe(capabilities: capabilities)
    do {
      defer { probe.capabilities.removes = (try? files.removeFile(trial, in: folder)) != nil }
      _ = try file.lock(exclusively: true, wait: false)
      probe.capabilities.createsIfAbsent = try files.takesNamesExclusively(trial, in: folder)
    }
    if !probe.capabilities.createsIfAbsent {
      probe.weaknesses = [
        "the file system of \(location) can neither rename without replacing nor make hard links: of two machines that commit at the same moment one may replace what the other has just committed; let only one write there"
      ]
    }
    return probe
  }

  private func openLock(_ path: Path) throws -> OpenFile {
    let root = try root.made()
    let folder = try self.root.makeFolder(path.parent ?? .root, in: root)
    let name = Path(bytes: Array(path.lastComponent))
    while true {
      // Two steps, because in a sticky directory the kernel refuses O_CREAT for an existing file of another user
      // (fs.protected_regular), and an existing file keeps its mode.
      if let file = try existingLock(name, in: folder) {
        root.sharing?.repair(file, mode: Sharing.lockMode(root.sharing))
        return file
      }
      do throws(SystemError) {
        let mode = Sharing.lockMode(root.sharing)
        let file = try files.open(name, in: folder, .create, permissions: mode)
        try root.sharing?.apply(to: file, mode: mode)
        return file
      } catch {
        guard error.isExisting else { throw error }
      }
    }
  }

  private func existingLock(_ name: Path, in folder: OpenFile) throws -> OpenFile? {
    let (file, status): (OpenFile, FileStatus)
    do throws(SystemError) {
      file = try files.openBeneath(name, in: folder, .readWrite)
      status = try file.status()
    } catch {
      if error.isNotFound { return nil }
      throw root.foreign(Path("locks").appending(name.bytes), error)
    }
    guard status.kind == .file else { throw root.foreign(Path("locks").appending(name.bytes)) }
    return file
  }

  func resolve(_ key: String) throws -> Path {
    let path = Path(key)
    guard !path.isEmpty, path.isSoundEntryPath else { throw StoreError.invalidKey(key) }
    return path
  }

  /// - Parameter prefix: ends with `/`, or is empty for the whole store.
  func resolve(prefix: String) throws -> Path {
    prefix.isEmpty ? .root : try resolve(String(prefix.dropLast()))
  }
}

private final class LocalLock: StoreLock {
  private let file: OpenFile
  init(file: OpenFile) { self.file = file }
}
