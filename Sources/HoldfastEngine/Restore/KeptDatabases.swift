internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Refuses to mix the files of different states of a database. If anything in a target is kept, a cluster is restored
/// only where there is none, and an SQLite database never beside the WAL or journal of another state.
enum KeptDatabases {
  private static let clusterFile = Path("global/pg_control")

  /// - Parameters:
  ///   - entry: the entry to restore.
  ///   - isPresent: true if the target has something at its path.
  static func check(
    _ entry: Entry, isPresent: Bool, _ keeps: Restore.Keep, in target: OpenFile, files: FileSystem
  ) throws {
    guard entry.file != nil else { return }
    if let cluster = cluster(of: entry.path),
      try ["PG_VERSION", "global"].contains(where: {
        try files.statusIfPresent(of: cluster.appending($0), beneath: target) != nil
      })
    {
      throw EngineError(
        .usage,
        "there is a PostgreSQL cluster in \(target.fullPath.appending(cluster.bytes)) already, and files of two states of it make no sound one",
        hint: "Restore over it without --no-remove and --missing-only, or into an empty --target.")
    }
    guard keeps == .everything, !isPresent else { return }
    for suffix in ["-wal", "-journal"] {
      let log = Path(bytes: entry.path.bytes + Array(suffix.utf8))
      guard let status = try files.statusIfPresent(of: log, beneath: target), status.size > 0 else { continue }
      throw EngineError(
        .usage,
        "\(log) is in the target without \(entry.path): SQLite would write what is in it into the restored file",
        hint: "Move it away, and run the restore again.")
    }
  }

  /// Returns the data directory to which a control file belongs; `nil` if the path is not that of a control file.
  private static func cluster(of path: Path) -> Path? {
    guard path.bytes.suffix(clusterFile.bytes.count).elementsEqual(clusterFile.bytes) else { return nil }
    let rest = path.bytes.dropLast(clusterFile.bytes.count)
    guard let last = rest.last else { return .root }
    return last == Path.separator ? Path(bytes: Array(rest.dropLast())) : nil
  }
}
