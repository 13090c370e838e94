package import HoldfastModel
package import HoldfastSystem

/// The PostgreSQL servers on this machine, including those in containers, and the directories that they use.
/// Directories are identified by device and inode, whatever path leads there. A server's data directory is its working
/// directory, which only root and the server's user can see.
package struct RunningServers: Sendable {
  /// A directory that a server uses.
  package struct Use: Sendable, Equatable {
    package let process: Int32
    /// The data directory as the server names it.
    package let dataDirectory: Path
    /// True if it is the data directory itself. False for a part of it, and for a tablespace or a part of one.
    package let isDataDirectory: Bool
  }

  /// The knowledge about a server on a data directory.
  package enum Sighting: Sendable, Equatable {
    /// A server runs on it, or may run on it.
    case runs(process: Int32)
    /// The process in its `postmaster.pid` is a server on another directory, so this one is a copy.
    case elsewhere(process: Int32)
    case none
  }

  private let files: FileSystem
  private var uses: [FileSystem.FileKey: Use] = [:]
  /// The servers of other users, whose directories cannot be seen.
  package private(set) var unseen: [Int32] = []

  /// The levels of directories to examine. Database directories are at most this deep in a data directory or
  /// tablespace, and a server writes nothing deeper.
  private static let depth = 2

  /// Examines all processes.
  package init(files: FileSystem) {
    self.files = files
    for process in files.processes(named: Self.isServer) {
      guard let directory = process.workingDirectory else {
        unseen.append(process.number)
        continue
      }
      // A server refuses a directory of another user. A process that is not dumpable appears as one of root.
      guard uses[FileSystem.FileKey(directory)] == nil, [directory.userID, 0].contains(process.userID) else { continue }
      addDirectories(of: process)
    }
  }

  private static func isServer(_ name: String) -> Bool { name == "postmaster" || name.hasSuffix("postgres") }

  private mutating func addDirectories(of process: ProcessEntry) {
    guard let home = try? files.open(process.workingDirectoryPath, .directoryFollowingLinks),
      (try? files.statusIfPresent(of: ControlFile.path, in: home))?.kind == .file
    else { return }
    let entry = try? files.open(Path("/proc/\(process.number)"), .directory)
    let name = entry.flatMap { try? files.readSymbolicLink(Path("cwd"), in: $0) }
    let data = name.map { Path(bytes: $0) } ?? process.workingDirectoryPath
    if let status = try? home.status() {
      uses[FileSystem.FileKey(status)] = Use(process: process.number, dataDirectory: data, isDataDirectory: true)
    }
    let part = Use(process: process.number, dataDirectory: data, isDataDirectory: false)
    addDirectories(in: process.workingDirectoryPath, part, depth: Self.depth)
    var links = [Path("pg_wal")]
    let tablespaces = Path(PostgresCluster.tablespaceLinks)
    if let listing = try? files.open(tablespaces, in: home, .directory).listing() {
      links += (0..<listing.count).map { tablespaces.appending(listing[$0]) }
    }
    for link in links {
      guard let path = follow(link, in: home, of: process), let status = try? files.status(of: path, followLink: true)
      else { continue }
      uses[FileSystem.FileKey(status)] = part
      addDirectories(in: path, part, depth: Self.depth)
    }
  }

  /// Returns the target of a server's link in that server's mount namespace, which may not be ours.
  private func follow(_ link: Path, in home: OpenFile, of process: ProcessEntry) -> Path? {
    guard let text = try? files.readSymbolicLink(link, in: home) else { return nil }
    let there = Path(bytes: process.rootPath.bytes + text)
    if text.first == Path.separator, (try? files.status(of: there, followLink: true)) != nil { return there }
    return process.workingDirectoryPath.appending(link.bytes)
  }

  private mutating func addDirectories(in directory: Path, _ use: Use, depth: Int) {
    guard let listing = try? files.open(directory, .directoryFollowingLinks).listing() else { return }
    for index in 0..<listing.count {
      let path = directory.appending(listing[index])
      guard let status = try? files.status(of: path), status.kind == .directory else { continue }
      uses[FileSystem.FileKey(status)] = use
      if depth > 1 { addDirectories(in: path, use, depth: depth - 1) }
    }
  }

  // MARK: Questions

  /// Returns the use of a directory that a server uses, or of one inside a data directory or tablespace; `nil` for
  /// other directories, and for those deeper inside.
  package func use(of directory: FileStatus) -> Use? { uses[FileSystem.FileKey(directory)] }

  /// Returns what is known about a server on a data directory. The number in its `postmaster.pid` alone proves nothing:
  /// a killed server leaves it, and another process may get it; a copy contains it; and inside a container it is the
  /// number there.
  /// - Parameter file: the `postmaster.pid` in the directory; `nil` if there is none.
  /// - Parameter file: the `postmaster.pid` in the directory.
  package func sighting(on directory: FileStatus, _ file: PostmasterFile?) -> Sighting {
    if let use = use(of: directory), use.isDataDirectory { return .runs(process: use.process) }
    guard let file, file.process > 0, ProcessTable.isRunning(file.process) else { return .none }
    // A process that cannot be examined may be the server.
    guard let process = files.process(file.process) else { return .runs(process: file.process) }
    guard Self.isServer(process.name), !process.hasEnded else { return .none }
    guard let current = process.workingDirectory else { return .runs(process: process.number) }
    return current.isSameFile(as: directory) ? .runs(process: process.number) : .elsewhere(process: process.number)
  }
}
