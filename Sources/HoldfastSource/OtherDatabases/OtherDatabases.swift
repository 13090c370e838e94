package import HoldfastModel
package import HoldfastSystem

/// Databases that are captured as plain files. The capture is sound while no process has them open. Otherwise their
/// files may be of different moments.
package final class OtherDatabases {
  /// A database that is open, or was opened while it was captured.
  package struct InUse: Sendable, Equatable {
    package let kind: OtherDatabase.Kind
    /// Its directory, or its main file.
    package let path: Path
    /// A process that has it open; `nil` if none has it open any more.
    package let holder: FileHolder?
    /// The files that it writes repeatedly.
    package let files: [Path]
  }

  /// The most table files that are kept. There may be many, and a running server has other files open too.
  private static let tableFilesMax = 4096
  private let root: OpenFile
  private let files: FileSystem
  private var suspects: [OtherDatabase.Suspect] = []
  private var tableFiles = 0
  private var atRest: [OtherDatabase] = []

  package init(root: OpenFile, files: FileSystem) {
    self.root = root
    self.files = files
  }

  /// Examines the name of an item that the scan found. Nothing is opened yet.
  package func notice(_ item: ScannedItem) {
    guard item.status.kind == .file, let suspect = OtherDatabase.Suspect(item.path) else { return }
    if suspect.isTable {
      guard tableFiles < Self.tableFilesMax else { return }
      tableFiles += 1
    }
    suspects.append(suspect)
  }

  /// Opens the noticed files, decides which are databases, and returns those that processes have open. It must be
  /// called before any database is opened through a library: closing a descriptor in this process would release the
  /// library's locks.
  package func inUse() -> [InUse] {
    var found: [InUse] = []
    var unlocked: [OtherDatabase] = []
    for suspect in suspects {
      guard let database = OtherDatabase(suspect, in: root, files: files) else { continue }
      if let holder = database.lockHolder(in: root, files: files) {
        found.append(inUse(database, holder))
      } else {
        unlocked.append(database)
      }
    }
    suspects.removeAll()
    let holders = files.holders(of: Set(unlocked.flatMap(\.keys)))
    for database in unlocked {
      if let holder = database.keys.lazy.compactMap({ holders[$0] }).first {
        found.append(inUse(database, holder))
      } else {
        atRest.append(database)
      }
    }
    return found
  }

  /// A database that was taken for unused although that cannot be told, because processes cannot be seen here;
  /// otherwise `nil`.
  package var untold: Path? { FileSystem.seesProcesses ? nil : atRest.first?.path }

  /// Returns the databases that were unused at first and were opened since.
  package func openedMeanwhile() -> [InUse] {
    atRest.compactMap { database in
      let holder = database.lockHolder(in: root, files: files)
      guard holder != nil || database.hasChanged(in: root, files: files) else { return nil }
      return inUse(database, holder)
    }
  }

  private func inUse(_ database: OtherDatabase, _ holder: FileHolder?) -> InUse {
    InUse(
      kind: database.kind, path: database.path, holder: holder,
      files: database.writtenFiles(in: root, files: files))
  }
}
