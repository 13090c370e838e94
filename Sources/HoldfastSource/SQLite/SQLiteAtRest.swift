package import HoldfastModel
package import HoldfastSystem

/// A database in WAL mode that nobody had open when the source was surveyed, captured as the plain file that it is: SQLite cannot open it without making a WAL
/// beside it. By itself the file is whole as long as nobody opens it; afterwards it is so up to the first checkpoint.
package struct SQLiteAtRest: Sendable {
  /// The database and, of its survey, the metadata of its file: taken before it was seen that nothing lay beside it.
  package let path: Path
  fileprivate let surveyed: FileStatus
  fileprivate let root: OpenFile
  fileprivate let files: FileSystem

  /// - Returns: `nil` for what is captured in another way.
  package init?(_ candidate: SQLiteCandidate, root: OpenFile, files: FileSystem) {
    guard candidate.header.isWAL, !candidate.hasCompanion else { return nil }
    (path, surveyed, self.root, self.files) = (candidate.path, candidate.status, root, files)
  }

  /// The database's file as bytes to capture.
  package func bytes(of handle: OpenFile, before: FileStatus, attempt: Int) -> any CapturedBytes {
    Bytes(PlainBytes(handle, before: before, attempt: attempt), database: self, before: before)
  }

  private var hasCompanion: Bool { SQLiteCandidate.hasCompanion(path, in: root, files: files) }

  private final class Bytes: CapturedBytes {
    private let plain: PlainBytes
    private let database: SQLiteAtRest
    /// Whether everything that was ever committed was in the file when the attempt began.
    private let wasWhole: Bool

    init(_ plain: PlainBytes, database: SQLiteAtRest, before: FileStatus) {
      self.plain = plain
      self.database = database
      wasWhole = before.isUntouched(since: database.surveyed) || !database.hasCompanion
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
      try plain.read(into: buffer, at: offset)
    }

    func nextData(from offset: UInt64, size: UInt64) throws(SystemError) -> Range<UInt64>? {
      try plain.nextData(from: offset, size: size)
    }

    func verdict() throws(SystemError) -> CaptureVerdict { wasWhole ? try plain.verdict() : .changed }

    func extendedAttributes() throws(SystemError) -> [ExtendedAttribute] { try plain.extendedAttributes() }
  }
}
