package import HoldfastModel
package import HoldfastSystem

/// A store in a directory: a key is a path below it.
///
/// Commit is write, fsync, close, rename without replacing, fsync of the directory; directories that are made on the way are
/// synchronized in theirs. An unfinished object has a name that begins with a dot.
package struct LocalStore: Store {
  private let files: FileSystem
  private let random: Randomness
  private let directory: Path

  /// - Parameter directory: absolute.
  package init(directory: Path, host: Host) {
    self.directory = directory
    self.files = host.files
    self.random = host.random
  }

  package var location: String { directory.description }

  package func names(below prefix: String) throws -> [String] {
    let path = prefix.isEmpty ? directory : try resolve(String(prefix.dropLast()))
    let listing: DirectoryListing
    let folder: OpenFile
    do throws(SystemError) {
      folder = try files.open(path, .directoryFollowingLinks)
      listing = try folder.listing()
    } catch {
      if error.isNotFound { return [] }
      throw error
    }
    var names: [String] = []
    for index in 0..<listing.count {
      let name = Path(bytes: Array(listing[index]))
      guard name.bytes.first != UInt8(ascii: "."), let text = String(validating: name.bytes, as: UTF8.self) else {
        continue
      }
      guard let status = try files.statusIfPresent(of: name, in: folder) else { continue }
      names.append(status.kind == .directory ? text + "/" : text)
    }
    return names.sorted()
  }

  package func open(_ key: String) throws -> any ReadableBytes {
    let path = try resolve(key)
    do throws(SystemError) {
      let file = try files.open(path, .read)
      return LocalObject(file: file, name: key, length: try file.status().size)
    } catch {
      if error.isNotFound { throw StoreError.notFound(key: key, location: location) }
      throw error
    }
  }

  package func create(_ key: String) throws -> any ObjectWriter {
    let path = try resolve(key)
    guard let parent = path.parent else { throw StoreError.invalidKey(key) }
    try makeDirectories(parent)
    let temporary = parent.appending(".unfinished-\(random.identifier())")
    return LocalObjectWriter(
      file: try files.open(temporary, .create), temporary: temporary, path: path, key: key, location: location,
      files: files)
  }

  package func settle(below prefix: String) throws {
    var folder = prefix.isEmpty ? directory : try resolve(String(prefix.dropLast()))
    while directory.contains(folder) {
      do throws(SystemError) {
        try files.open(folder, .directoryFollowingLinks).synchronizeDirectory()
      } catch {
        if !error.isNotFound { throw error }
      }
      guard let parent = folder.parent, !parent.isEmpty else { return }
      folder = parent
    }
  }

  package func remove(_ key: String) throws {
    let path = try resolve(key)
    guard let parent = path.parent else { throw StoreError.invalidKey(key) }
    do throws(SystemError) {
      try files.removeFile(path)
    } catch {
      if error.isNotFound { return }
      throw error
    }
    try files.open(parent, .directoryFollowingLinks).synchronizeDirectory()
  }

  package func removeAll(below prefix: String) throws {
    try removeTree(try resolve(String(prefix.dropLast())))
  }

  private static let looksMin = 3

  package func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? {
    let path = try resolve("locks/\(name).lock")
    if let parent = path.parent { try makeDirectories(parent) }
    let file = try files.open(path, .openOrCreate, permissions: 0o644)
    // Polling, not a blocking flock: a signal must end the wait. One more look in any case: a child that is just being started holds a copy of each
    // descriptor, until it becomes another program.
    var looks = 0
    while try !file.lock(exclusively: true, wait: false) {
      looks += 1
      guard wait || looks < Self.looksMin else { return nil }
      try cancellation.check()
      Pause.briefly()
    }
    return LocalLock(file: file)
  }

  private func resolve(_ key: String) throws -> Path {
    let path = Path(key)
    guard !path.isEmpty, path.isSoundEntryPath else { throw StoreError.invalidKey(key) }
    return directory.appending(path.bytes)
  }

  /// Makes what is missing, and makes it durable.
  private func makeDirectories(_ path: Path) throws {
    if try files.statusIfPresent(of: path) != nil { return }
    guard let parent = path.parent else { return }
    try makeDirectories(parent)
    do throws(SystemError) {
      try files.makeDirectory(path)
    } catch {
      if !error.isExisting { throw error }
    }
    try files.open(parent.bytes.isEmpty ? Path("/") : parent, .directoryFollowingLinks).synchronizeDirectory()
  }

  private func removeTree(_ path: Path) throws {
    guard let status = try files.statusIfPresent(of: path) else { return }
    guard status.kind == .directory else { return try files.removeFile(path) }
    let listing = try files.open(path, .directory).listing()
    for index in 0..<listing.count { try removeTree(path.appending(listing[index])) }
    try files.removeDirectory(path)
  }
}

/// An object that is read in place.
private struct LocalObject: ReadableBytes {
  let file: OpenFile
  let name: String
  let length: UInt64

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    guard try file.read(into: buffer, at: offset) == buffer.count else { throw SystemError.endOfFile(name) }
  }
}

private final class LocalObjectWriter: ObjectWriter {
  private static let keptBytesMax: UInt64 = 4 << 20
  private var file: OpenFile?
  private var offset: UInt64 = 0
  private let temporary: Path
  private let path: Path
  private let key: String
  private let location: String
  private let files: FileSystem

  init(file: OpenFile, temporary: Path, path: Path, key: String, location: String, files: FileSystem) {
    self.file = file
    self.temporary = temporary
    self.path = path
    self.key = key
    self.location = location
    self.files = files
  }

  deinit { abort() }

  func append(_ bytes: UnsafeRawBufferPointer) throws {
    try file?.write(bytes, at: offset)
    offset += UInt64(bytes.count)
  }

  func commit() throws {
    guard let file, let parent = path.parent else { preconditionFailure("an object is committed once") }
    try file.synchronize()
    // What is large is not read again soon, and would push what servers need out of the page cache.
    if offset > Self.keptBytesMax { file.dropFromPageCache() }
    do throws(SystemError) {
      try files.rename(temporary, to: path, replacing: false)
    } catch {
      if error.isExisting { throw StoreError.alreadyExists(key: key, location: location) }
      throw error
    }
    self.file = nil
    do {
      try files.open(parent, .directoryFollowingLinks).synchronizeDirectory()
    } catch {
      // The name may not survive a power cut: nobody may build on it. The fsync is not tried again.
      try? files.removeFile(path)
      throw error
    }
  }

  func abort() {
    guard file != nil else { return }
    file = nil
    // What cannot be removed now is removed by the next run: it has no name that counts.
    try? files.removeFile(temporary)
  }
}

private final class LocalLock: StoreLock {
  private let file: OpenFile
  init(file: OpenFile) { self.file = file }
}
