internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

extension OtherDatabases {
  /// Marks the files of open databases as torn. Refuses a source that is itself the directory of a running MariaDB or
  /// MySQL server.
  func check(_ record: ChangeRecord, root: OpenFile, files: FileSystem) throws {
    for database in inUse() {
      if isOfSource(database, root, files) {
        let holder = database.holder.map { "\($0)" } ?? ""
        throw Self.refusal("\(database.path) belongs to \(database.kind.name) that runs (\(holder))")
      }
      for file in database.files { record.torn.add(file, .otherDatabaseInUse(database.kind, database.holder)) }
    }
  }

  /// Finds databases that were at rest when the capture began and were opened before it ended.
  func checkAgain(_ record: ChangeRecord, root: OpenFile, files: FileSystem) throws {
    for database in openedMeanwhile() {
      if isOfSource(database, root, files) {
        throw Self.refusal("\(database.kind.name) wrote to \(database.path) during the backup")
      }
      record.add(
        Problem(
          path: database.path,
          reason: "\(database.kind.name) was opened during the backup: its files may be of different moments"))
    }
  }

  /// Returns true if the database makes the source the data directory of a server. One in a directory below the source,
  /// or of another user, is no reason to refuse the rest.
  private func isOfSource(_ database: InUse, _ root: OpenFile, _ files: FileSystem) -> Bool {
    guard database.kind == .mySQL, database.path.parent?.isEmpty ?? true,
      let file = try? files.status(of: database.path, in: root), let directory = try? root.status()
    else { return false }
    return file.userID == directory.userID
  }

  private static func refusal(_ message: String) -> EngineError {
    EngineError(
      .usage, message + "; nothing was committed",
      hint:
        "Say --from-command 'mariadb-backup --backup --stream=xbstream' --name NAME, or back up a file system snapshot that --before makes, or stop the server."
    )
  }
}
