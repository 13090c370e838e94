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

  /// Refuses to restore over a PostgreSQL cluster whose server runs.
  static func checkStopped(_ path: Path, files: FileSystem, beneath target: OpenFile) throws {
    guard path.lastComponent.elementsEqual(postgreSQL), let cluster = path.parent,
      let server = try PostmasterFile.ofRunningServer(below: cluster, in: target, files: files)
    else { return }
    throw EngineError(
      "a PostgreSQL server, process \(server.process), runs on \(cluster.isEmpty ? target.path : target.path.appending(cluster.bytes))",
      hint: "Stop it before you restore over its data, or name another --target.")
  }
}
