internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// A file without which a database server does not start on a directory: an SQLite database with a WAL or journal
/// beside it, or the version file of a PostgreSQL cluster. A restore over existing content removes these files first
/// and brings them back last.
enum StartupFile {
  private static let postgreSQL = Array(PostgresCluster.versionFile.utf8)
  private static let sqliteLogs = ["-wal", "-journal"]

  /// - Parameter target: the directory that contains the file.
  /// - Returns: true if the file is a startup file.
  static func includes(_ path: Path, files: FileSystem, beneath target: OpenFile) throws -> Bool {
    if path.lastComponent.elementsEqual(postgreSQL) { return true }
    return try sqliteLogs.contains { suffix in
      try files.statusIfPresent(of: Path(bytes: path.bytes + Array(suffix.utf8)), beneath: target) != nil
    }
  }
}
