package import HoldfastModel
package import HoldfastSystem

/// A database in WAL mode that nobody had open when the source was surveyed, captured as the plain file that it is: SQLite cannot open it without making a WAL
/// beside it. By itself the file is whole as long as nobody opens it; afterwards it is so up to the first checkpoint.
package struct SQLiteAtRest: Sendable {
  /// The database and, of its survey, the metadata of its file: taken before it was seen that nothing lay beside it.
  package let path: Path
  fileprivate let surveyed: FileStatus?
  fileprivate let root: OpenFile
  fileprivate let files: FileSystem

  /// Those of the databases of a source that are captured so: in WAL mode, with nothing beside any of their names.
  package static func among(_ candidates: [SQLiteCandidate], root: OpenFile, files: FileSystem) -> [SQLiteAtRest] {
    let used = Set(candidates.filter(\.hasCompanion).map(\.key))
    return candidates.filter { $0.header.isWAL && !used.contains($0.key) }.map {
      SQLiteAtRest(path: $0.path, surveyed: $0.isSettled ? $0.status : nil, root: root, files: files)
    }
  }

  /// A database, in whatever mode, that was as the parent has it when the source was surveyed, and was not looked into. It was written since, so nothing may lie
  /// beside it, from beginning to end.
  package init(unsurveyed path: Path, root: OpenFile, files: FileSystem) {
    self.init(path: path, surveyed: nil, root: root, files: files)
  }

  private init(path: Path, surveyed: FileStatus?, root: OpenFile, files: FileSystem) {
    (self.path, self.surveyed, self.root, self.files) = (path, surveyed, root, files)
  }

  /// The database's file as bytes to capture.
  package func bytes(of handle: OpenFile, before: FileStatus, attempt: Int) -> any CapturedBytes {
    Bytes(PlainBytes(handle, before: before, attempt: attempt), of: handle, database: self, before: before)
  }

  private var hasCompanion: Bool { SQLiteCandidate.hasCompanion(path, in: root, files: files) }

  /// Whether the file is still as it was `before`, and whatever is written from now on has to show in its status.
  fileprivate static func isStill(_ before: FileStatus, _ handle: OpenFile) -> Bool {
    guard let now = try? handle.settledStatus() else { return false }
    return now.isUntouched(since: before) && now.isSettled
  }

  private final class Bytes: CapturedBytes {
    private let plain: PlainBytes
    private let database: SQLiteAtRest
    /// Whether everything that was ever committed was in the file when the attempt began.
    private let wasWhole: Bool

    init(_ plain: PlainBytes, of handle: OpenFile, database: SQLiteAtRest, before: FileStatus) {
      self.plain = plain
      self.database = database
      let isAsSurveyed = database.surveyed.map { before.isUntouched(since: $0) } ?? false
      wasWhole = (isAsSurveyed || !database.hasCompanion) && SQLiteAtRest.isStill(before, handle)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
      try plain.read(into: buffer, at: offset)
    }

    func nextData(from offset: UInt64, size: UInt64) throws(SystemError) -> Range<UInt64>? {
      try plain.nextData(from: offset, size: size)
    }

    func verdict() throws(SystemError) -> CaptureVerdict {
      guard wasWhole, database.surveyed != nil || !database.hasCompanion else { return .changed }
      return try plain.verdict()
    }

    func extendedAttributes() throws(SystemError) -> [ExtendedAttribute] { try plain.extendedAttributes() }
  }
}
