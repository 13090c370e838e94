internal import HoldfastModel
internal import HoldfastSystem

/// The file that a server asks for. It appears whole or not at all.
struct WALTarget {
  /// The names under which PostgreSQL asks for files during recovery. It synchronizes the files that it keeps, and asks
  /// again after a crash: these files need not be durable.
  private static let temporaryNames = ["RECOVERYXLOG", "RECOVERYHISTORY"]
  let path: Path
  private let files: FileSystem

  init(_ path: Path, files: FileSystem) { (self.path, self.files) = (path, files) }

  /// Returns true if a server in recovery asks for the file: then it will ask for the files that follow.
  static func isRecovery(_ path: Path) -> Bool { temporaryNames.contains { path.lastComponent.elementsEqual($0.utf8) } }

  /// Begins the file.
  /// - Throws: `EngineError` if another fetch is writing it.
  func begin() throws -> AtomicFile {
    guard let folderPath = path.parent else { throw SystemError.notAFile(path) }
    let folder = try files.open(folderPath, .directoryFollowingLinks)
    let name = Path(bytes: Array(path.lastComponent))
    do throws(SystemError) {
      // The leftover of a killed fetch is overwritten; the file of a running fetch is locked.
      return try AtomicFile(
        name, in: folder, as: .locked(Path(bytes: name.bytes + Array(".holdfast-unfinished".utf8))),
        durability: Self.isRecovery(path) ? .none : .name, files: files)
    } catch {
      guard error.isHeld else { throw error }
      throw EngineError(.transient, "another fetch to \(path) is running", hint: "Wait for it.", exitStatus: .locked)
    }
  }
}
