internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The names and the metadata of all files of a copy, as a digest. Contents are not read: whoever changes a file
/// changes its times.
struct CopyTree {
  /// An index that SQLite's programs share. It comes and goes when one opens a database.
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
      if status.kind == .file {
        if path.bytes.suffix(Self.sharedIndex.count).elementsEqual(Self.sharedIndex) { return }
        if status.size == 0, path.bytes.suffix(Self.log.count).elementsEqual(Self.log) { return }
      }
      let (modified, changed) = (status.modified, status.changed)
      // The times of a directory change when a program that only reads makes its files there.
      let facts =
        status.kind == .directory
        ? "directory"
        : "\(status.kind) \(status.size) \(status.inode) \(modified.seconds).\(modified.nanoseconds) \(changed.seconds).\(changed.nanoseconds)"
      hasher.update(path.bytes + [0] + Array(facts.utf8) + [0])
    }
    return hasher.finish()
  }

  private func walk(_ copy: OpenFile, _ visit: (Path, FileStatus) -> Void) throws {
    let scanner = Scanner(files: files, root: copy, exclusions: [])
    while let finding = try scanner.next() {
      try cancellation.check()
      switch finding {
      case .item(let item): visit(item.path, item.status)
      case .problem(let problem, _):
        throw EngineError(
          .machine, "cannot examine \(copy.fullPath.appending(problem.path.bytes)): \(problem.reason)",
          hint: "Correct its permissions, or let the standby run as the user to whom the copies belong.")
      case .socket: continue
      }
    }
  }
}
