internal import CLinux
internal import Glibc
package import HoldfastModel

/// The only access to files. Paths are relative to `directory` if one is given.
package struct FileSystem: Sendable {
  let probe: (any OperationProbe)?

  /// - Parameter probe: observes operations in tests; `nil` in production.
  package init(probe: (any OperationProbe)? = nil) {
    self.probe = probe
  }

  /// Makes a system call, and repeats it after EINTR.
  /// - Parameters:
  ///   - directory: the directory that `path` is relative to. An error names both.
  ///   - newPath: the full destination of a rename or link.
  func perform(
    _ operation: Operation, _ action: String, _ path: Path, in directory: OpenFile? = nil,
    newPath: @autoclosure () -> Path? = nil, _ call: (UnsafePointer<CChar>) -> Int32
  ) throws(SystemError) -> Int32 {
    try probe?.willPerform(operation, path, in: directory?.fullPath ?? .root)
    let result = try path.withCString { (text) throws(SystemError) -> Int32 in
      while true {
        let result = call(text)
        if result >= 0 { return result }
        let code = errno
        guard code == EINTR else { throw SystemError(action, directory?.fullPath(of: path) ?? path, code: code) }
      }
    }
    probe?.didPerform(operation, path, newPath: newPath(), in: directory?.fullPath ?? .root)
    return result
  }

  // MARK: Opening

  package enum Mode: Sendable {
    /// An existing file, for reading. A symbolic link as the last component is refused (ELOOP), and opening a fifo does
    /// not wait.
    case read
    /// An existing file, for reading and writing; otherwise as `read`.
    case readWrite
    /// A new file, for reading and writing; EEXIST if the name exists.
    case create
    /// An existing file, or a new one.
    case openOrCreate
    /// An existing directory. A symbolic link as the last component is refused.
    case directory
    /// An existing directory. Symbolic links are followed.
    case directoryFollowingLinks
    /// A file without a name in the directory `path`. It is gone when it is closed. Not every file system can make one:
    /// see `openUnnamed`.
    case unnamed
    /// Any object, as a reference only. It can be neither read nor written.
    case reference

    var flags: Int32 {
      switch self {
      case .read: O_RDONLY | holdfast_o_nofollow | O_NONBLOCK | O_NOCTTY
      case .readWrite: O_RDWR | holdfast_o_nofollow | O_NONBLOCK | O_NOCTTY
      case .create: O_RDWR | O_CREAT | O_EXCL | holdfast_o_nofollow
      case .openOrCreate: O_RDWR | O_CREAT | holdfast_o_nofollow
      case .directory: O_RDONLY | holdfast_o_directory | holdfast_o_nofollow
      case .directoryFollowingLinks: O_RDONLY | holdfast_o_directory
      case .unnamed: O_RDWR | holdfast_o_tmpfile
      case .reference: holdfast_o_path | holdfast_o_nofollow
      }
    }
  }

  package func open(
    _ path: Path, in directory: OpenFile? = nil, _ mode: Mode, permissions: UInt32 = 0o600
  ) throws(SystemError) -> OpenFile {
    let operation: Operation = if case .create = mode { .create } else { .open }
    let action = operation == .create ? "create" : "open"
    let descriptor = try perform(operation, action, path, in: directory) {
      holdfast_openat(directory?.descriptor ?? AT_FDCWD, $0, mode.flags | O_CLOEXEC, permissions)
    }
    return OpenFile(descriptor: descriptor, path: path, in: directory, probe: probe)
  }

  /// Opens for reading beneath `directory`, without following symbolic links. If permitted, this changes neither the
  /// access time nor the page cache.
  package func openForCapture(
    _ path: Path, in directory: OpenFile, _ cacheUse: PageCacheUse = .sparing
  ) throws(SystemError) -> OpenFile {
    let flags = Mode.read.flags | O_CLOEXEC
    let descriptor = try perform(.open, "open", path, in: directory) {
      let quiet = holdfast_openat_beneath(directory.descriptor, $0, flags | holdfast_o_noatime, 0)
      return quiet < 0 && errno == EPERM ? holdfast_openat_beneath(directory.descriptor, $0, flags, 0) : quiet
    }
    return OpenFile(descriptor: descriptor, path: path, in: directory, cacheUse: cacheUse, probe: probe)
  }

  /// Opens like `open`, but refuses every symbolic link and every path out of `directory` (openat2(2),
  /// RESOLVE_BENEATH).
  package func openBeneath(
    _ path: Path, in directory: OpenFile, _ mode: Mode, permissions: UInt32 = 0o600
  ) throws(SystemError) -> OpenFile {
    let operation: Operation = if case .create = mode { .create } else { .open }
    let descriptor = try perform(operation, "open", path, in: directory) {
      holdfast_openat_beneath(directory.descriptor, $0, mode.flags | O_CLOEXEC, permissions)
    }
    return OpenFile(descriptor: descriptor, path: path, in: directory, probe: probe)
  }

  /// Opens a directory by its absolute path, without following any symbolic link.
  package func openResolved(_ path: Path) throws(SystemError) -> OpenFile {
    let below = Path(bytes: Array(path.bytes.drop { $0 == Path.separator }))
    if below.isEmpty { return try open(path, .directory) }
    let root = try open(Path("/"), .reference)
    let descriptor = try perform(.open, "open", path) { _ in
      below.withCString { holdfast_openat_beneath(root.descriptor, $0, Mode.directory.flags | O_CLOEXEC, 0) }
    }
    return OpenFile(descriptor: descriptor, path: path, probe: probe)
  }

  /// Opens the directory that contains `path`, beneath `directory` and without following a symbolic link; returns it
  /// with the last name of `path`. For system calls that cannot be confined themselves.
  package func locate(_ path: Path, beneath directory: OpenFile) throws(SystemError) -> (OpenFile, Path) {
    guard let parent = path.parent, !parent.isEmpty else { return (directory, path) }
    return (try openBeneath(parent, in: directory, .directory), Path(bytes: Array(path.lastComponent)))
  }

  /// Makes a file without a name in `directory`, for reading and writing. It is gone when it is closed. On a file
  /// system without O_TMPFILE (NFS, many FUSE), it has a name for a moment.
  package func openUnnamed(in directory: Path, _ random: Randomness) throws(SystemError) -> OpenFile {
    do throws(SystemError) {
      return try open(directory, .unnamed)
    } catch {
      guard error.isUnsupported else { throw error }
      let name = directory.appending(".holdfast-scratch-\(random.identifier())")
      let file = try open(name, .create)
      try removeFile(name)
      return file
    }
  }

  /// Wraps an open descriptor such as standard output. The wrapper owns a duplicate.
  package func duplicate(descriptor: Int32, name: String) throws(SystemError) -> OpenFile {
    let copy = dup(descriptor)
    guard copy >= 0 else { throw .last("open", Path(name)) }
    return OpenFile(descriptor: copy, path: Path(name), probe: probe)
  }

  // MARK: Names

  package func status(
    of path: Path, in directory: OpenFile? = nil, followLink: Bool = false
  ) throws(SystemError)
    -> FileStatus
  {
    var raw = stat()
    _ = try perform(.status, "examine", path, in: directory) {
      fstatat(directory?.descriptor ?? AT_FDCWD, $0, &raw, followLink ? 0 : AT_SYMLINK_NOFOLLOW)
    }
    return FileStatus(raw)
  }

  /// Returns the status; `nil` if nothing has this name.
  package func statusIfPresent(of path: Path, in directory: OpenFile? = nil) throws(SystemError) -> FileStatus? {
    do {
      return try status(of: path, in: directory)
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }

  /// Returns the status, without following a symbolic link on the way; `nil` if nothing has this name.
  package func statusIfPresent(of path: Path, beneath directory: OpenFile) throws(SystemError) -> FileStatus? {
    do throws(SystemError) {
      let (parent, name) = try locate(path, beneath: directory)
      return try statusIfPresent(of: name, in: parent)
    } catch {
      // A name that is too long for its file system does not exist there.
      if error.isNotFound || error.isNameTooLong { return nil }
      throw error
    }
  }

  package func makeDirectory(
    _ path: Path, in directory: OpenFile? = nil, permissions: UInt32 = 0o700
  )
    throws(SystemError)
  {
    _ = try perform(.makeDirectory, "make directory", path, in: directory) {
      mkdirat(directory?.descriptor ?? AT_FDCWD, $0, permissions)
    }
  }

  /// Makes a directory and its missing parents.
  package func makeDirectories(_ path: Path, permissions: UInt32 = 0o700) throws(SystemError) {
    var missing: [Path] = []
    var next: Path? = path
    while let candidate = next, !candidate.isEmpty, try statusIfPresent(of: candidate) == nil {
      missing.append(candidate)
      next = candidate.parent
    }
    for path in missing.reversed() { try makeDirectory(path, permissions: permissions) }
  }

  /// - Parameters:
  ///   - replacing: true if an existing object may be replaced; otherwise EEXIST (`ExclusiveRename`).
  ///   - isShared: true if other runs rename into the new directory at the same time.
  package func rename(
    _ path: Path, in directory: OpenFile? = nil, to newPath: Path, in newDirectory: OpenFile? = nil, replacing: Bool,
    isShared: Bool = false
  ) throws(SystemError) {
    guard replacing else {
      return try ExclusiveRename(self, path, in: directory, to: newPath, in: newDirectory, isShared: isShared).run()
    }
    try rename(path, in: directory, to: newPath, in: newDirectory, by: renameat)
  }

  /// - Parameter call: renameat(2), or a call with the same parameters.
  func rename(
    _ path: Path, in directory: OpenFile?, to newPath: Path, in newDirectory: OpenFile?,
    by call: (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>) -> Int32
  ) throws(SystemError) {
    let from = directory?.descriptor ?? AT_FDCWD
    let to = newDirectory?.descriptor ?? AT_FDCWD
    _ = try perform(
      .rename, "rename", path, in: directory, newPath: newDirectory?.fullPath(of: newPath) ?? newPath
    ) { old in
      newPath.withCString { new in call(from, old, to, new) }
    }
  }

  package func removeFile(_ path: Path, in directory: OpenFile? = nil) throws(SystemError) {
    _ = try perform(.remove, "remove", path, in: directory) { unlinkat(directory?.descriptor ?? AT_FDCWD, $0, 0) }
  }

  package func removeDirectory(_ path: Path, in directory: OpenFile? = nil) throws(SystemError) {
    _ = try perform(.remove, "remove", path, in: directory) {
      unlinkat(directory?.descriptor ?? AT_FDCWD, $0, AT_REMOVEDIR)
    }
  }

  /// Returns the absolute path without symbolic links, `.` or `..`.
  package func resolve(_ path: Path) throws(SystemError) -> Path {
    try probe?.willPerform(.status, path)
    return try path.withCString { (text) throws(SystemError) -> Path in
      guard let resolved = realpath(text, nil) else { throw .last("examine", path) }
      defer { free(resolved) }
      return Path(bytes: UnsafeBufferPointer(start: resolved, count: strlen(resolved)).map { UInt8(bitPattern: $0) })
    }
  }

  // MARK: Links and special files

  package func makeSymbolicLink(_ path: Path, in directory: OpenFile, target: [UInt8]) throws(SystemError) {
    let target = Path(bytes: target)
    _ = try perform(.link, "make symbolic link", path, in: directory) { name in
      target.withCString { symlinkat($0, directory.descriptor, name) }
    }
  }

  package func makeHardLink(
    _ path: Path, in directory: OpenFile?, to existing: Path, in existingDirectory: OpenFile?
  )
    throws(SystemError)
  {
    _ = try perform(.link, "make hard link", path, in: directory) { name in
      existing.withCString {
        linkat(existingDirectory?.descriptor ?? AT_FDCWD, $0, directory?.descriptor ?? AT_FDCWD, name, 0)
      }
    }
  }

  package func makeFifo(_ path: Path, in directory: OpenFile) throws(SystemError) {
    _ = try perform(.create, "make fifo", path, in: directory) { mkfifoat(directory.descriptor, $0, 0o600) }
  }

  package func makeDevice(
    _ path: Path, in directory: OpenFile, block: Bool, major: UInt32, minor: UInt32
  )
    throws(SystemError)
  {
    _ = try perform(.create, "make device", path, in: directory) {
      mknodat(directory.descriptor, $0, (block ? 0o060000 : 0o020000) | 0o600, holdfast_makedev(major, minor))
    }
  }

  /// - Parameter path: `nil` for the object that `directory` refers to.
  package func readSymbolicLink(_ path: Path?, in directory: OpenFile? = nil) throws(SystemError) -> [UInt8] {
    var target = [UInt8](repeating: 0, count: Limits.pathBytesMax + 1)
    let count = try perform(.read, "read", path ?? .root, in: directory) { given -> Int32 in
      // An empty name means the descriptor itself.
      let name = path == nil ? given + strlen(given) : given
      return target.withUnsafeMutableBytes { buffer in
        buffer.withMemoryRebound(to: CChar.self) { characters in
          guard let start = characters.baseAddress else { return -1 }
          return Int32(readlinkat(directory?.descriptor ?? AT_FDCWD, name, start, characters.count))
        }
      }
    }
    return Array(target.prefix(Int(count)))
  }

  static func times(modified: Timestamp) -> [timespec] {
    [
      timespec(tv_sec: 0, tv_nsec: Int(holdfast_utime_omit)),
      timespec(tv_sec: Int(modified.seconds), tv_nsec: Int(modified.nanoseconds)),
    ]
  }
}
