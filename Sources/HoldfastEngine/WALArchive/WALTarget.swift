internal import HoldfastModel
internal import HoldfastSystem

/// The file that a server asks for. It appears whole or not at all.
struct WALTarget {
  /// The names under which PostgreSQL asks for files during recovery. It synchronizes what it keeps of them itself, and
  /// after a crash it asks again: they need not be durable.
  private static let temporaryNames = ["RECOVERYXLOG", "RECOVERYHISTORY"]
  let path: Path
  private let files: FileSystem

  init(_ path: Path, files: FileSystem) { (self.path, self.files) = (path, files) }

  /// Whether a server in recovery asks for it, and will ask for what follows.
  static func isRecovery(_ path: Path) -> Bool { temporaryNames.contains { path.lastComponent.elementsEqual($0.utf8) } }

  /// Begins the file.
  /// - Throws: `EngineError` when another fetch is writing it.
  func begin() throws -> AtomicFile {
    guard let folderPath = path.parent else { throw SystemError.notAFile(path) }
    let folder = try files.open(folderPath, .directoryFollowingLinks)
    let name = Path(bytes: Array(path.lastComponent))
    do throws(SystemError) {
      // What a killed fetch left is overwritten; what a running one writes is not touched.
      return try AtomicFile(
        name, in: folder, as: .locked(Path(bytes: name.bytes + Array(".holdfast-unfinished".utf8))),
        durability: Self.isRecovery(path) ? .none : .name, files: files)
    } catch {
      guard error.isHeld else { throw error }
      throw EngineError("another fetch to \(path) is running", hint: "Wait for it.", exitStatus: .locked)
    }
  }
}
