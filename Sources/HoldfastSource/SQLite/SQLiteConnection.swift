internal import CSQLite
internal import Glibc
internal import HoldfastModel
internal import HoldfastSystem

/// What SQLite refuses.
package struct SQLiteFailure: Error, Equatable {
  /// SQLite's primary result code: https://www.sqlite.org/rescode.html.
  let code: Int32
  package let reason: String

  var isBusy: Bool { code == SQLITE_BUSY || code == SQLITE_LOCKED }

  /// Whether SQLite says that this is no database, or none that is sound: then no capture through it is to be had, and nobody writes to it either.
  var isNoDatabase: Bool { [SQLITE_NOTADB, SQLITE_CORRUPT, SQLITE_ERROR, SQLITE_FORMAT].contains(code) }

  static func unreadableLog(_ error: SystemError) -> SQLiteFailure {
    SQLiteFailure(code: SQLITE_IOERR, reason: "its WAL cannot be read: \(error.reason)")
  }

  static func changedMode() -> SQLiteFailure {
    SQLiteFailure(code: SQLITE_BUSY, reason: "its journal mode was changed while it was opened")
  }

  static func restlessLog() -> SQLiteFailure {
    SQLiteFailure(code: SQLITE_BUSY, reason: "its WAL does not fit to what SQLite reads from it")
  }
}

/// A connection to someone else's database, which is never checkpointed. Statements are for one thread at a time; the files behind it may be read by
/// several, because SQLite reads them with pread.
final class SQLiteConnection: @unchecked Sendable {
  // Sendable for that reason; the pointer is set once, and only who runs statements touches the others.
  private let database: OpaquePointer
  // Kept once prepared: a database in rollback mode is read in thousands of transactions.
  private var begin: OpaquePointer?
  private var look: OpaquePointer?
  private var rollback: OpaquePointer?

  /// Once for the process, before SQLite opens anything: a capture leaves the page cache to the servers.
  private static let readsSparingly: Void = holdfast_sqlite_read_through(PageCacheUse.sparingRead)

  /// - Parameter busyTimeoutMs: how long to wait for another one's lock.
  init(_ path: Path, readOnly: Bool, busyTimeoutMs: Int32) throws(SQLiteFailure) {
    Self.readsSparingly
    var opened: OpaquePointer?
    let flags = (readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_FULLMUTEX
    let code = path.withCString { sqlite3_open_v2($0, &opened, flags, nil) }
    guard let opened, code == SQLITE_OK else {
      let reason = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
      sqlite3_close_v2(opened)
      throw SQLiteFailure(code: code & 0xff, reason: reason)
    }
    database = opened
    holdfast_sqlite_leave_wal_alone(opened)
    sqlite3_busy_timeout(opened, busyTimeoutMs)
    try run("PRAGMA wal_autocheckpoint = 0")
    try run("PRAGMA mmap_size = 0")
  }

  deinit {
    for statement in [begin, look, rollback] { sqlite3_finalize(statement) }
    sqlite3_close_v2(database)
  }

  func run(_ statement: String) throws(SQLiteFailure) {
    let code = sqlite3_exec(database, statement, nil, nil, nil)
    guard code == SQLITE_OK else { throw failure(code) }
  }

  /// The integer in the first column of the first row.
  func integer(_ query: String) throws(SQLiteFailure) -> Int64 {
    var statement: OpaquePointer?
    defer { sqlite3_finalize(statement) }
    var code = sqlite3_prepare_v2(database, query, -1, &statement, nil)
    guard code == SQLITE_OK else { throw failure(code) }
    code = sqlite3_step(statement)
    guard code == SQLITE_ROW else { throw failure(code) }
    return sqlite3_column_int64(statement, 0)
  }

  /// Whether the database is in WAL mode, as its header says now.
  func isInWALMode() throws(SQLiteFailure) -> Bool {
    let head = Buffer(capacity: SQLiteHeader.byteCount)
    head.count = head.capacity
    guard case .success(true) = read(.main, into: head.bytes, at: 0), let header = SQLiteHeader(head.used) else {
      throw SQLiteFailure(code: SQLITE_IOERR, reason: "its header cannot be read")
    }
    return header.isWAL
  }

  /// Begins a transaction that sees one committed state until it ends. A plain BEGIN sees nothing yet: the first read does.
  func beginReading() throws(SQLiteFailure) {
    try step(&begin, "BEGIN")
    do {
      try step(&look, "SELECT count(*) FROM sqlite_schema")
    } catch {
      end()
      throw error
    }
  }

  func end() { try? step(&rollback, "ROLLBACK") }

  /// Runs a statement up to its first row.
  /// - Parameter kept: the statement, once it was prepared.
  private func step(_ kept: inout OpaquePointer?, _ text: String) throws(SQLiteFailure) {
    if kept == nil {
      let code = sqlite3_prepare_v3(database, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &kept, nil)
      guard code == SQLITE_OK else { throw failure(code) }
    }
    let code = sqlite3_step(kept)
    guard code == SQLITE_DONE || code == SQLITE_ROW else {
      let failure = failure(code)
      sqlite3_reset(kept)
      throw failure
    }
    sqlite3_reset(kept)
  }

  private func failure(_ code: Int32) -> SQLiteFailure {
    SQLiteFailure(code: code & 0xff, reason: String(cString: sqlite3_errmsg(database)))
  }

  // MARK: Files

  enum File { case main, wal }

  private func handle(_ file: File) -> UnsafeMutablePointer<sqlite3_file>? {
    file == .main ? holdfast_sqlite_main_file(database) : holdfast_sqlite_journal_file(database)
  }

  func size(of file: File) -> UInt64 {
    var size: sqlite3_int64 = 0
    guard let handle = handle(file), holdfast_sqlite_size(handle, &size) == SQLITE_OK else { return 0 }
    return UInt64(clamping: size)
  }

  /// Fills the buffer through SQLite's own descriptor; what lies beyond the end of the file is zero.
  /// - Returns: whether all of it lay within the file.
  @discardableResult
  func read(_ file: File, into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Result<Bool, SystemError> {
    guard let handle = handle(file), let count = Int32(exactly: buffer.count), let place = Int64(exactly: offset) else {
      return .failure(SystemError("read", Path("an SQLite database"), code: EBADF))
    }
    switch holdfast_sqlite_read(handle, buffer.baseAddress, count, place) {
    case SQLITE_OK: return .success(true)
    // SQLITE_IOERR_SHORT_READ: SQLite has filled the rest with zeros.
    case SQLITE_IOERR | (2 << 8): return .success(false)
    default: return .failure(SystemError("read", Path("an SQLite database"), code: EIO))
    }
  }
}
