internal import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// An SQLite database in a snapshot, which is asked where it lies: only the pages that a statement needs are fetched.
/// Only one thread may use it.
package final class SnapshotDatabase {
  /// Bytes and frames that the queries have fetched so far.
  package struct Figures: Sendable, Equatable {
    package let framesRead: UInt64
    /// Stored bytes of these frames.
    package let bytesFetched: UInt64
    /// Stored bytes of the bodies from which the snapshot's state was made.
    package let bodyBytes: UInt64
  }

  private let bytes: SnapshotBytes
  private let connection: Connection
  private let bodyBytes: UInt64
  package let consistency: ConsistencyClass

  /// - Throws: `EngineError` when the snapshot has no such file; `QueryError` when it cannot be asked.
  package init(_ path: Path, in files: SnapshotFiles, of repository: Repository) throws {
    let file = try files.file(at: path)
    try UnfinishedChanges.check(path, in: files, of: repository)
    bytes = try SnapshotBytes(file, in: repository)
    connection = try Connection(bytes, at: path, cancellation: repository.host.cancellation)
    (bodyBytes, consistency) = (files.bodyBytes, file.content.consistency)
  }

  /// Runs one statement that only reads.
  /// - Parameters:
  ///   - timeout: the most time that it may take; `nil` for no limit.
  ///   - onColumns: gets the names of the columns before the first row.
  ///   - onRow: gets each row, and returns false to stop.
  /// - Throws: `QueryError`; `DamageError` when a page is damaged or missing; `Interrupted`.
  package func run(
    _ sql: String, timeout: TimeSpan? = nil, onColumns: ([String]) throws -> Void = { _ in },
    onRow: ([QueryValue]) throws -> Bool
  ) throws {
    try connection.run(sql, timeout: timeout, onColumns: onColumns, onRow: onRow)
  }

  /// Runs one statement, and returns the first column of its first row; `nil` when there is none.
  package func firstValue(_ sql: String, timeout: TimeSpan? = nil) throws -> QueryValue? {
    var value: QueryValue?
    try run(sql, timeout: timeout) { row in
      value = row.first
      return false
    }
    return value
  }

  package var figures: Figures {
    Figures(framesRead: bytes.framesRead, bytesFetched: bytes.bytesFetched, bodyBytes: bodyBytes)
  }
}

/// Looks for changes that SQLite would still make to a database. A live database is captured with all that is committed
/// in its main file; these lie beside a copy, or a database that could not be captured live.
enum UnfinishedChanges {
  /// The beginning of a rollback journal that is not finished (sqlite.org/fileformat2.html, section 3).
  private static let journalMagic: [UInt8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]

  static func check(_ path: Path, in files: SnapshotFiles, of repository: Repository) throws {
    func fail(_ other: Path) -> QueryError {
      QueryError.unfinished(path, beside: other, snapshot: files.snapshot.id.short)
    }
    let log = path.with(suffix: "-wal")
    if let file = try files.fileIfPresent(at: log), file.content.size > 0 { throw fail(log) }
    let journal = path.with(suffix: "-journal")
    guard let file = try files.fileIfPresent(at: journal), file.content.size >= UInt64(journalMagic.count) else {
      return
    }
    var start = [UInt8](repeating: 0, count: journalMagic.count)
    let bytes = try SnapshotBytes(file, in: repository)
    try start.withUnsafeMutableBytes { try bytes.read(into: $0, at: 0) }
    if start == journalMagic { throw fail(journal) }
  }
}

extension Path {
  /// The path of a file beside this one, whose name is longer.
  func with(suffix: String) -> Path { Path(bytes: bytes + Array(suffix.utf8)) }
}
