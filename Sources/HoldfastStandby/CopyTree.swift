internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The names and the metadata of all files of a copy, as a digest. Contents are not read: whoever changes a file
/// changes its times.
struct CopyTree {
  /// An index that SQLite's programs share. It comes and goes when one opens a database, and does not count beside one.
  private static let sharedIndex = Array("-shm".utf8)
  /// SQLite's log of changes. One without content belongs to a program that only reads.
  private static let log = Array("-wal".utf8)

  private let files: FileSystem
  private let cancellation: Cancellation

  init(_ host: Host) { (files, cancellation) = (host.files, host.cancellation) }

  /// - Throws: when a part of the copy cannot be examined.
  func digest(of copy: OpenFile) throws -> Digest {
    var hasher = HoldfastCodec.Hasher()
    try walk(copy) { path, status in
      if try isOfReader(path, status, in: copy) { return }
      let (modified, changed) = (status.modified, status.changed)
      // The times of a directory change when a program that only reads makes its files there.
      let facts =
        status.kind == .directory
        ? "directory \(status.mode) \(status.userID) \(status.groupID)"
        : "\(status.kind) \(status.size) \(status.inode) \(modified.seconds).\(modified.nanoseconds) \(changed.seconds).\(changed.nanoseconds)"
      hasher.update(path.bytes + [0] + Array(facts.utf8) + [0])
    }
    return hasher.finish()
  }

  /// True for a file that SQLite makes for a program that only reads a database.
  private func isOfReader(_ path: Path, _ status: FileStatus, in copy: OpenFile) throws -> Bool {
    guard status.kind == .file else { return false }
    if path.bytes.suffix(Self.log.count).elementsEqual(Self.log) { return status.size == 0 }
    guard path.bytes.suffix(Self.sharedIndex.count).elementsEqual(Self.sharedIndex),
      let database = SQLiteCandidate.database(ofCompanion: path),
      let present = try files.statusIfPresent(of: database, beneath: copy)
    else { return false }
    return SQLiteCandidate.look(at: database, status: present, in: copy, files: files) != nil
  }

  private func walk(_ copy: OpenFile, _ visit: (Path, FileStatus) throws -> Void) throws {
    let scanner = Scanner(files: files, root: copy, exclusions: [])
    while let finding = try scanner.next() {
      try cancellation.check()
      switch finding {
      case .item(let item): try visit(item.path, item.status)
      case .problem(let problem, _):
        throw EngineError(
          .machine, "cannot examine \(copy.fullPath.appending(problem.path.bytes)): \(problem.reason)",
          hint: "Correct its permissions, or let the standby run as the user to whom the copies belong.")
      case .socket: continue
      }
    }
  }
}
