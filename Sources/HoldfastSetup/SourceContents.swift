package import HoldfastModel
internal import HoldfastSource
package import HoldfastSystem

/// The contents of a directory that is to be backed up.
package struct SourceContents: Sendable {
  /// A data directory of a PostgreSQL server.
  package struct Cluster: Sendable {
    /// Relative to the directory.
    package let path: Path
    /// The major version.
    package let version: Int
    /// True if a server runs on it, or may run on it.
    package let isInUse: Bool
    /// A connection string for its server, as its `postmaster.pid` suggests it; `nil` if that says nothing usable.
    package let connection: String?
  }

  /// The most paths of databases that are kept; others are only counted.
  private static let pathsMax = 20
  /// The directory, without symbolic links.
  package let path: Path
  package private(set) var files: UInt64 = 0
  package private(set) var bytes: UInt64 = 0
  /// The paths of SQLite databases, relative to the directory: the first of them.
  package private(set) var sqlite: [Path] = []
  package private(set) var sqliteCount: UInt64 = 0
  package private(set) var clusters: [Cluster] = []
  /// Databases of other kinds, one of each: its kind with an article, and its path.
  package private(set) var others: [(name: String, path: Path)] = []

  /// Walks the directory. Nothing is changed, and no database is opened through a library.
  /// - Throws: `EngineError` when it is no directory, or is empty.
  package init(of directory: Path, on host: Host) throws {
    let files = host.files
    let root: OpenFile
    do throws(SystemError) {
      path = try files.resolve(directory)
      root = try files.open(path, .directory)
    } catch {
      guard error.isNotFound else { throw error }
      let status = try? files.status(of: directory, followLink: true)
      throw EngineError(
        .usage, status == nil ? "the source \(directory) does not exist" : "the source \(directory) is not a directory",
        hint: "Name the directory that holds the order database.", exitStatus: .usage)
    }
    guard try root.listing().count > 0 else {
      throw EngineError(
        .usage, "the source \(path) is empty", hint: "Is its disk mounted? Nothing was made.", exitStatus: .usage)
    }
    try walk(root, host)
  }

  private mutating func walk(_ root: OpenFile, _ host: Host) throws {
    let scanner = Scanner(files: host.files, root: root, exclusions: [])
    var clusters: [PostgresCluster] = []
    while let finding = try scanner.next() {
      try host.cancellation.check()
      guard case .item(let item) = finding, item.status.kind == .file else { continue }
      files += 1
      bytes = bytes.saturatingAdding(item.status.size)
      // A cluster that cannot be understood is refused by the backup, which says why.
      if let cluster = try? PostgresCluster(holding: item.path, in: root, files: host.files) {
        clusters.append(cluster)
      }
      noticeOther(item, root, host.files)
      guard !clusters.contains(where: { $0.root.contains(item.path) }),
        SQLiteCandidate.look(at: item.path, status: item.status, in: root, files: host.files) != nil
      else { continue }
      sqliteCount += 1
      if sqlite.count < Self.pathsMax { sqlite.append(item.path) }
    }
    guard !clusters.isEmpty else { return }
    let servers = RunningServers(files: host.files)
    self.clusters = clusters.map { Cluster($0.seen(by: servers)) }
  }

  private mutating func noticeOther(_ item: ScannedItem, _ root: OpenFile, _ files: FileSystem) {
    guard let suspect = OtherDatabase.Suspect(item.path),
      let database = OtherDatabase(suspect, in: root, files: files),
      !others.contains(where: { $0.name == database.kind.name })
    else { return }
    others.append((database.kind.name, database.path))
  }

  /// The cluster whose server must be asked for a backup; `nil` if there is none.
  package var clusterInUse: Cluster? { clusters.first(where: \.isInUse) }

  /// The contents in words.
  package var summary: String {
    var parts: [String] = []
    if sqliteCount > 0 {
      let named = sqlite.prefix(3).map(\.description).joined(separator: ", ") + (sqliteCount > 3 ? ", …" : "")
      parts.append("\(Amount.count(sqliteCount, "SQLite database")) (\(named))")
    }
    for cluster in clusters {
      let place = cluster.path.isEmpty ? "" : " in \(cluster.path)"
      parts.append("a cluster of PostgreSQL \(cluster.version)\(place)" + (cluster.isInUse ? ", in use" : ""))
    }
    for other in others { parts.append("\(other.name) (\(other.path))") }
    if parts.isEmpty { parts.append("no database that holdfast knows") }
    return parts.joined(separator: "; ") + "; \(Amount.count(files, "file")), \(Amount.bytes(bytes)) in all"
  }
}

extension SourceContents.Cluster {
  init(_ cluster: PostgresCluster) {
    path = cluster.root
    version = cluster.version
    isInUse = cluster.server != nil
    connection = cluster.postmaster.flatMap { file in
      // The owner of the cluster wrote it: it must not become more than one value.
      guard let directory = file.socketDirectory, let port = file.port,
        directory.unicodeScalars.allSatisfy({ Path.isPrintable($0) && !" '\\".unicodeScalars.contains($0) })
      else { return nil }
      return "host=\(directory) port=\(port) user=postgres dbname=postgres"
    }
  }
}
