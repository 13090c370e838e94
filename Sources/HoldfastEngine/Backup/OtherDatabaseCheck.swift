internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

extension OtherDatabases {
  /// Refuses a source with the files of a MariaDB or MySQL server that runs, and has the files of other open databases called torn.
  func check(_ record: ChangeRecord) throws {
    for database in inUse() {
      let holder = database.holder.map { "\($0)" } ?? ""
      guard database.kind != .mySQL else {
        throw Self.refusal("\(database.place) belongs to \(database.kind.name) that runs (\(holder))")
      }
      for file in database.files {
        record.tornReasons[file] =
          "it is part of \(database.kind.name) that \(holder) has open: a plain copy may be of different moments"
      }
    }
  }

  /// Finds what was at rest when the capture began and was opened before it ended.
  func checkAgain(_ record: ChangeRecord) throws {
    for database in openedMeanwhile() {
      guard database.kind != .mySQL else {
        throw Self.refusal("\(database.kind.name) wrote to \(database.place) during the backup")
      }
      record.add(
        Problem(
          path: database.place,
          reason: "\(database.kind.name) was opened during the backup: its files may be of different moments"))
    }
  }

  private static func refusal(_ message: String) -> EngineError {
    EngineError(
      message + "; nothing was committed",
      hint:
        "Say --from-command 'mariadb-backup --backup --stream=xbstream' --name NAME, or back up a file system snapshot that --before makes, or stop the server."
    )
  }
}
