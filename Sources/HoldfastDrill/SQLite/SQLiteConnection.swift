internal import CQuery
internal import HoldfastModel
internal import HoldfastSystem

/// A restored SQLite database, opened as its programs would open it. Only one thread may use it.
final class SQLiteConnection {
  // Result codes and flags of SQLite (sqlite.org/rescode.html, sqlite.org/c3ref/open.html).
  private enum Code {
    static let ok: Int32 = 0
    static let row: Int32 = 100
    static let done: Int32 = 101
    /// Those that tell of this machine or of a statement, and not of the database: no permission, no memory, read-only,
    /// interrupted, the disk, a full disk, no file, a locking protocol, no support for large files.
    static let ofMachine: Set<Int32> = [3, 7, 8, 9, 10, 13, 14, 15, 22]
  }
  private static let openReadWrite: Int32 = 0x2
  private static let openPrivate: Int32 = 0x0004_0000
  /// The limit of databases that are attached (SQLITE_LIMIT_ATTACHED): a statement must not reach another file.
  private static let attached: Int32 = 7
  private static let stepsBetweenLooks: Int32 = 10_000

  private let library: holdfast_sqlite
  private let name: Path
  private let connection: OpaquePointer
  private let cancellation: Cancellation

  /// - Parameters:
  ///   - path: the file. It is opened for writing, so that a journal beside it is replayed.
  ///   - name: its path below the source, for messages.
  init(_ path: Path, name: Path, _ cancellation: Cancellation) throws {
    guard let library = holdfast_sqlite_load()?.pointee else {
      throw EngineError(
        .machine, "there is no libsqlite3 of version 3.31 or newer, and \(name) cannot be opened",
        hint: "Install it (Debian: apt-get install libsqlite3-0), then run the same command again.")
    }
    var opened: OpaquePointer?
    let code = path.withCString { library.open($0, &opened, Self.openReadWrite | Self.openPrivate, nil) }
    guard code == Code.ok, let opened else {
      let reason = library.error_message(opened).map { String(cString: $0) } ?? "there is no memory"
      _ = library.close(opened)
      throw Self.error(code, "\(name) cannot be opened: \(reason)")
    }
    (self.library, self.name, self.cancellation, connection) = (library, name, cancellation, opened)
    _ = library.limit(opened, Self.attached, 0)
    // The cancellation lives as long as the connection, which refers to it.
    library.set_progress(
      opened, Self.stepsBetweenLooks,
      { context in
        guard let context else { return 0 }
        return Unmanaged<Cancellation>.fromOpaque(context).takeUnretainedValue().isRaised ? 1 : 0
      }, Unmanaged.passUnretained(cancellation).toOpaque())
    // Views and triggers of the database must not call functions with effects outside of it.
    _ = try rows("PRAGMA trusted_schema = off")
  }

  deinit { _ = library.close(connection) }

  /// Lets later statements only read.
  func makeReadOnly() throws { _ = try rows("PRAGMA query_only = on") }

  /// Runs one statement.
  /// - Parameter max: the most rows that are read.
  /// - Returns: the rows; a NULL is `nil`.
  /// - Throws: `DrillFailure` if the database refuses it.
  func rows(_ sql: String, max: Int = 100) throws -> [[String?]] {
    try cancellation.check()
    var statement: OpaquePointer?
    let prepared = sql.withCString { library.prepare(connection, $0, -1, &statement, nil) }
    defer { _ = library.finalize(statement) }
    guard prepared == Code.ok else { throw failure(prepared) }
    guard let statement else { return [] }
    var rows: [[String?]] = []
    while rows.count < max {
      let code = library.step(statement)
      if code == Code.done { break }
      guard code == Code.row else { throw failure(code) }
      rows.append(
        (0..<library.column_count(statement)).map { column in
          library.column_text(statement, column).map { String(cString: $0) }
        })
    }
    return rows
  }

  private func failure(_ code: Int32) -> any Error {
    if cancellation.isRaised { return Interrupted() }
    return Self.error(
      code, "\(name): " + (library.error_message(connection).map { String(cString: $0) } ?? "error \(code)"))
  }

  private static func error(_ code: Int32, _ message: String) -> any Error {
    // The low byte is the primary code.
    guard Code.ofMachine.contains(code & 0xff) else { return DrillFailure(message) }
    return EngineError(.machine, message, hint: nil)
  }
}
