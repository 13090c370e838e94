package import HoldfastModel
package import HoldfastSystem

/// The PostgreSQL servers that run on this machine, those in containers too, and the directories that they use. These are known by device and inode,
/// whatever path leads there. A server keeps its data directory as its working directory; only root and its own user can see that.
package struct RunningServers: Sendable {
  /// What a server uses a directory for.
  package struct Use: Sendable, Equatable {
    package let process: Int32
    /// Its data directory, as it calls it itself.
    package let dataDirectory: Path
    /// Whether it is the data directory itself, and not a part of it or of a tablespace.
    package let isDataDirectory: Bool
  }

  /// What is known of a server on a data directory.
  package enum Sighting: Sendable, Equatable {
    /// One runs there, or in doubt may.
    case runs(process: Int32)
    /// The process that is named there is a server, and runs on another directory: this one is a copy.
    case elsewhere(process: Int32)
    case none
  }

  private let files: FileSystem
  private var uses: [FileSystem.FileKey: Use] = [:]
  /// Servers of other users: where they run cannot be seen.
  package private(set) var unseen: [Int32] = []

  /// Databases lie in directories of the data directory's, or of a tablespace's, directories; nothing that a server writes lies deeper.
  private static let depth = 2

  /// Looks at all processes.
  package init(files: FileSystem) {
    self.files = files
    for process in files.processes(named: Self.isServer) {
      guard let directory = process.workingDirectory else {
        unseen.append(process.number)
        continue
      }
      // A server refuses the directory of another user. What root may not dump is shown as root's.
      guard uses[FileSystem.FileKey(directory)] == nil, [directory.userID, 0].contains(process.userID) else { continue }
      addDirectories(of: process)
    }
  }

  private static func isServer(_ name: String) -> Bool { name == "postmaster" || name.hasSuffix("postgres") }

  private mutating func addDirectories(of process: ProcessEntry) {
    guard let home = try? files.open(process.workingDirectoryPath, .directoryFollowingLinks),
      (try? files.statusIfPresent(of: ControlFile.path, in: home))?.kind == .file
    else { return }
    let place = try? files.open(Path("/proc/\(process.number)"), .directory)
    let name = place.flatMap { try? files.readSymbolicLink(Path("cwd"), in: $0) }
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
      guard let place = follow(link, in: home, of: process), let status = try? files.status(of: place, followLink: true)
      else { continue }
      uses[FileSystem.FileKey(status)] = part
      addDirectories(in: place, part, depth: Self.depth)
    }
  }

  /// Where a link of a server leads: in its mount namespace, which may be another one.
  private func follow(_ link: Path, in home: OpenFile, of process: ProcessEntry) -> Path? {
    guard let text = try? files.readSymbolicLink(link, in: home) else { return nil }
    let there = Path(bytes: process.rootPath.bytes + text)
    if text.first == Path.separator, (try? files.status(of: there, followLink: true)) != nil { return there }
    return process.workingDirectoryPath.appending(link.bytes)
  }

  private mutating func addDirectories(in place: Path, _ use: Use, depth: Int) {
    guard let listing = try? files.open(place, .directoryFollowingLinks).listing() else { return }
    for index in 0..<listing.count {
      let path = place.appending(listing[index])
      guard let status = try? files.status(of: path), status.kind == .directory else { continue }
      uses[FileSystem.FileKey(status)] = use
      if depth > 1 { addDirectories(in: path, use, depth: depth - 1) }
    }
  }

  // MARK: Asking

  /// Who uses a directory, or one that it lies in; of what lies in it nothing is said.
  package func use(of directory: FileStatus) -> Use? { uses[FileSystem.FileKey(directory)] }

  /// Whether a server runs on a data directory. The number in its `postmaster.pid` alone says nothing: a killed server leaves it, and another process gets it; a copy has it
  /// too; and in a container it is the number that the process has there.
  /// - Parameter file: what lies in the directory.
  package func sighting(on directory: FileStatus, _ file: PostmasterFile?) -> Sighting {
    if let use = use(of: directory), use.isDataDirectory { return .runs(process: use.process) }
    guard let file, file.process > 0, ProcessTable.isRunning(file.process) else { return .none }
    // One that may not be looked at may be the server.
    guard let process = files.process(file.process) else { return .runs(process: file.process) }
    guard Self.isServer(process.name), !process.hasEnded else { return .none }
    guard let place = process.workingDirectory else { return .runs(process: process.number) }
    return place.isSameFile(as: directory) ? .runs(process: process.number) : .elsewhere(process: process.number)
  }
}
