internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// A copy of a database for the command of an operator: in a directory of its own that only this user may enter, and
/// that is removed when the command has ended.
enum ScratchDatabase {
  private static let name = "database"
  /// The ends of the names of what may lie beside a database and belongs to it.
  private static let suffixes = ["", "-wal", "-journal"]

  /// Returns the paths of a database and of what lies beside it in a snapshot.
  static func paths(of path: Path, in files: SnapshotFiles) throws -> [Path] {
    try suffixes.map { path.with(suffix: $0) }.filter { try files.fileIfPresent(at: $0) != nil }
  }

  /// Restores a database, with the WAL or journal that may lie beside it, and calls `body` with the path of the copy.
  static func with<Value>(
    _ path: Path, of files: SnapshotFiles, on host: Host, _ body: (String) throws -> Value
  ) throws -> Value {
    let directory = try makeDirectory(on: host)
    let value: Value
    do {
      for suffix in suffixes {
        guard let file = try files.fileIfPresent(at: path.with(suffix: suffix)) else { continue }
        try Cat.write(file, to: host.files.open(directory.appending(name + suffix), .create))
      }
      value = try body(String(decoding: directory.appending(name).bytes, as: UTF8.self))
    } catch {
      try? remove(directory, files: host.files)
      throw error
    }
    try remove(directory, files: host.files)
    return value
  }

  private static func makeDirectory(on host: Host) throws -> Path {
    var failure: SystemError?
    for parent in host.scratchDirectories {
      let path = parent.appending("holdfast-bisect-\(host.random.identifier())")
      do throws(SystemError) {
        try host.files.makeDirectory(path)
        return path
      } catch {
        failure = failure ?? error
      }
    }
    throw failure
      ?? EngineError(.machine, "there is no directory for a copy of the database", hint: "Set TMPDIR to one.")
  }

  private static func remove(_ directory: Path, files: FileSystem) throws {
    try TreeRemoval.removeContents(of: files.open(directory, .directory), files: files)
    try files.removeDirectory(directory)
  }
}
