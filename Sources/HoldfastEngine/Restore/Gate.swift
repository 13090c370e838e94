internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Files without which a database server does not start on a directory: an SQLite database whose log lies beside it, and a
/// PostgreSQL cluster's version file. A restore over existing content takes them away first and brings them back last.
enum Gate {
  private static let postgreSQL = Array("PG_VERSION".utf8)
  private static let sqliteLogs = ["-wal", "-journal"]

  /// - Parameter target: where the file is.
  static func isGate(_ path: Path, files: FileSystem, beneath target: OpenFile) throws -> Bool {
    if path.lastComponent.elementsEqual(postgreSQL) { return true }
    return try sqliteLogs.contains { suffix in
      try files.statusIfPresent(of: Path(bytes: path.bytes + Array(suffix.utf8)), beneath: target) != nil
    }
  }

  /// Refuses to restore over anything of a PostgreSQL cluster whose server runs, whatever the snapshot has there: what it does not have would be removed.
  static func checkStopped(_ selection: Selection, files: FileSystem, in target: OpenFile) throws {
    var above = target.path.parent
    while let directory = above {
      let place = directory.isEmpty ? Path("/") : directory
      if let opened = try? files.open(place, .directoryFollowingLinks) { try checkStopped(opened, files: files) }
      above = directory.parent
    }
    let scanner = Scanner(files: files, root: target, exclusions: [Glob("/\(StagingArea.name)")])
    while let finding = try scanner.next() {
      guard case .item(let item) = finding, let directory = item.directory, selection.touches(item.path) else {
        continue
      }
      try checkStopped(directory, files: files)
    }
  }

  private static func checkStopped(_ cluster: OpenFile, files: FileSystem) throws {
    // Beside anything else it is no server's file, but one that somebody left.
    guard try files.statusIfPresent(of: Path(bytes: postgreSQL), in: cluster) != nil,
      let server = try PostmasterFile.ofRunningServer(below: .root, in: cluster, files: files)
    else { return }
    throw EngineError(
      "a PostgreSQL server, process \(server.process), runs on \(cluster.path)",
      hint: "Stop it before you restore over its data, or name another --target.")
  }
}
