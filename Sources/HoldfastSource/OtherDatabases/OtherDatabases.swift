package import HoldfastModel
package import HoldfastSystem

/// Databases that are captured as the files they are: sound while nobody has them open, and of different moments else.
package final class OtherDatabases {
  /// A database that is open, or was opened while it was captured.
  package struct InUse: Sendable, Equatable {
    package let kind: OtherDatabase.Kind
    /// Its directory, or its main file.
    package let place: Path
    /// `nil` where nobody has it open any more.
    package let holder: FileHolder?
    /// The files that it writes again and again.
    package let files: [Path]
  }

  /// Tables of their own are many; a server that runs also has open what is kept here in any case.
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

  /// Looks at the name of what the scan found; nothing is opened yet.
  package func notice(_ item: ScannedItem) {
    guard item.status.kind == .file, let suspect = OtherDatabase.Suspect(item.path) else { return }
    if suspect.isTable {
      guard tableFiles < Self.tableFilesMax else { return }
      tableFiles += 1
    }
    suspects.append(suspect)
  }

  /// Opens what was noticed, finds what is a database, and who has it open. Call it before any database is opened through a library of its own: a
  /// descriptor that this process closes would take its locks with it.
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

  /// One that was called at rest although nobody could tell, because no process can be seen.
  package var untold: Path? { FileSystem.seesProcesses ? nil : atRest.first?.place }

  /// Which of those that were at rest were opened since then.
  package func openedMeanwhile() -> [InUse] {
    atRest.compactMap { database in
      let holder = database.lockHolder(in: root, files: files)
      guard holder != nil || database.hasChanged(in: root, files: files) else { return nil }
      return inUse(database, holder)
    }
  }

  private func inUse(_ database: OtherDatabase, _ holder: FileHolder?) -> InUse {
    InUse(
      kind: database.kind, place: database.place, holder: holder,
      files: database.writtenFiles(in: root, files: files))
  }
}
