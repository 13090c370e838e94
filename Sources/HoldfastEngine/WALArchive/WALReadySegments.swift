internal import HoldfastModel
internal import HoldfastSystem

/// The segments that a server will ask to archive next. The server makes a `.ready` file for each in
/// `pg_wal/archive_status` when the segment is complete.
enum WALReadySegments {
  private static let status = "archive_status"
  private static let suffix = ".ready"

  /// Returns the names of the ready segments that follow a segment on its timeline, in ascending order; empty unless
  /// the server of this user is asking for that segment itself, so that a segment that an operator pushes by hand is
  /// pushed alone.
  /// - Parameter max: the most names.
  static func after(_ asked: WALFileName, at path: Path, max: Int, files: FileSystem) -> [WALFileName] {
    guard max > 0, asked.kind == .segment, let folder = path.parent,
      let own = (try? OwnDirectory(folder.appending(status), files: files)) ?? nil,
      let names = try? own.names(beginningWith: String(asked.text.prefix(8)))
    else { return [] }
    let ready = names.filter { $0.hasSuffix(suffix) }.compactMap { WALFileName($0.dropLast(suffix.count)) }
    guard ready.contains(asked) else { return [] }
    let following = ready.filter { $0.kind == .segment && $0.text > asked.text }
    return Array(following.sorted { $0.text < $1.text }.prefix(max))
  }
}
