package import HoldfastModel
package import HoldfastSystem

/// A database in WAL mode that no program had open when it was examined, captured as a plain file. The file alone is
/// whole as long as no program opens it, and after that until the first checkpoint.
package struct SQLiteAtRest: Sendable {
  package let path: Path
  /// The file's metadata, taken before its companions were looked for, at a moment when every later write must change
  /// it; `nil` if the file did not stay unchanged for so long.
  private let seen: FileStatus?
  private let owner: UInt32
  private let root: OpenFile
  private let files: FileSystem
  private let allowance: SQLiteAllowance

  /// Returns the databases of a source that are captured this way: in WAL mode, without companions beside any of their
  /// names.
  package static func among(
    _ candidates: [SQLiteCandidate], root: OpenFile, files: FileSystem, allowance: SQLiteAllowance
  ) -> [SQLiteAtRest] {
    let used = Set(candidates.filter(\.hasCompanion).map(\.key))
    return candidates.filter { $0.header.isWAL && !used.contains($0.key) }.map {
      SQLiteAtRest($0, root: root, files: files, allowance: allowance)
    }
  }

  private init(_ candidate: SQLiteCandidate, root: OpenFile, files: FileSystem, allowance: SQLiteAllowance) {
    (path, owner) = (candidate.path, candidate.status.userID)
    (self.root, self.files, self.allowance) = (root, files, allowance)
    seen = candidate.isSettled ? candidate.status : Self.look(candidate, root, files, allowance)
  }

  private static func look(
    _ candidate: SQLiteCandidate, _ root: OpenFile, _ files: FileSystem, _ allowance: SQLiteAllowance
  ) -> FileStatus? {
    guard let file = candidate.file ?? (try? files.openForCapture(candidate.path, in: root)),
      let status = allowance.settledStatus(of: file, candidate.status.userID),
      !SQLiteCandidate.hasCompanion(candidate.path, in: root, files: files)
    else { return nil }
    return status
  }

  /// Returns true if the file is unchanged since it was examined.
  package func isStill(_ status: FileStatus) -> Bool { seen.map { status.isUntouched(since: $0) } ?? false }

  /// Returns the database file as bytes to capture.
  package func bytes(of handle: OpenFile, before: FileStatus, attempt: Int) -> any CapturedBytes {
    Bytes(PlainBytes(handle, before: before, attempt: attempt), of: handle, database: self, before: before)
  }

  /// Returns true if the file contains everything that was ever committed, and every later write must change its
  /// metadata.
  private func isWhole(_ handle: OpenFile, before: FileStatus) -> Bool {
    if isStill(before) { return true }
    guard let status = allowance.settledStatus(of: handle, owner), status.isUntouched(since: before) else {
      return false
    }
    return !hasCompanion
  }

  private var hasCompanion: Bool { SQLiteCandidate.hasCompanion(path, in: root, files: files) }

  private final class Bytes: CapturedBytes {
    private let plain: PlainBytes
    /// True if the file was whole when the attempt began.
    private let wasWhole: Bool

    init(_ plain: PlainBytes, of handle: OpenFile, database: SQLiteAtRest, before: FileStatus) {
      self.plain = plain
      wasWhole = database.isWhole(handle, before: before)
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
