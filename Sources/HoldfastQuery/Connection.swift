internal import CQuery
internal import HoldfastModel
internal import HoldfastSystem

/// A connection of SQLite to the bytes of a snapshot. It can only read. Only one thread may use it.
final class Connection {
  /// The most memory that SQLite takes in this process. Temporary tables and sorting are in it, too, because nothing is
  /// written to this machine.
  static let heapBytesMax: Int64 = 128 << 20

  private let sqlite: holdfast_sqlite
  private let opened: OpaquePointer
  private let context: Context
  private let path: Path

  init(_ bytes: SnapshotBytes, at path: Path, cancellation: Cancellation) throws {
    sqlite = try QueryLibrary.load()
    self.path = path
    context = Context(bytes, cancellation)
    var database = holdfast_database(
      context: Unmanaged.passUnretained(context).toOpaque(), length: Int64(clamping: bytes.length),
      read: { context, buffer, count, offset in
        Context.of(context)?.read(UnsafeMutableRawBufferPointer(start: buffer, count: Int(count)), at: offset) ?? false
      },
      is_over: { Context.of($0)?.isOver ?? true },
      refuse: { context, what, name in
        Context.of(context)?.refusal = shown(what) + (name.map { " " + shown($0) } ?? "")
      })
    var connection: OpaquePointer?
    let code = holdfast_connect(&database, Self.heapBytesMax, &connection)
    guard code == holdfast_sqlite_ok.code, let connection else {
      throw code == holdfast_sqlite_no_memory.code
        ? QueryError.tooMuchMemory : QueryError.stopped("the connection fails with result code \(code)")
    }
    opened = connection
  }

  deinit { holdfast_disconnect(opened) }

  private var handle: OpaquePointer? { holdfast_connection_handle(opened) }

  /// Runs one statement.
  /// - Parameters:
  ///   - timeout: the most time that it may take; `nil` for no limit.
  ///   - onColumns: gets the names of the columns before the first row.
  ///   - onRow: gets each row, and returns false to stop.
  func run(
    _ sql: String, timeout: TimeSpan? = nil, onColumns: ([String]) throws -> Void,
    onRow: ([QueryValue]) throws -> Bool
  ) throws {
    context.begin(timeout)
    let statement = try prepare(sql)
    defer { _ = sqlite.finalize(statement) }
    guard sqlite.is_readonly(statement) != 0 else { throw QueryError.refused("to write") }
    let count = sqlite.column_count(statement)
    try onColumns((0..<count).map { sqlite.column_name(statement, $0).map { String(cString: $0) } ?? "" })
    while true {
      let code = sqlite.step(statement)
      if code == holdfast_sqlite_done.code { return }
      guard code == holdfast_sqlite_row.code else { throw failure(code, isRunning: true) }
      guard try onRow((0..<count).map { try value(statement, $0) }) else { return }
    }
  }

  private func prepare(_ sql: String) throws -> OpaquePointer {
    try sql.withCString { text in
      var (statement, rest): (OpaquePointer?, UnsafePointer<CChar>?) = (nil, text)
      let code = sqlite.prepare(handle, text, -1, &statement, &rest)
      guard code == holdfast_sqlite_ok.code else { throw failure(code, isRunning: false) }
      guard let statement else { throw QueryError.noStatement }
      var next: OpaquePointer?
      while let start = rest, start.pointee != 0 {
        let code = sqlite.prepare(handle, start, -1, &next, &rest)
        guard code == holdfast_sqlite_ok.code, next == nil, rest != start else {
          _ = sqlite.finalize(next)
          _ = sqlite.finalize(statement)
          throw QueryError.severalStatements
        }
      }
      return statement
    }
  }

  private func value(_ statement: OpaquePointer, _ column: Int32) throws -> QueryValue {
    switch sqlite.column_type(statement, column) {
    case holdfast_sqlite_integer.code: return .integer(sqlite.column_integer(statement, column))
    case holdfast_sqlite_float.code:
      let number = sqlite.column_real(statement, column)
      let text = sqlite.column_text(statement, column).map { String(cString: $0) }
      return .real(number, text: text ?? "\(number)")
    case holdfast_sqlite_text.code:
      // A text without bytes has an address; without memory for it there is none.
      guard let start = sqlite.column_text(statement, column) else { throw QueryError.tooMuchMemory }
      return .text(bytes(UnsafeRawPointer(start), statement, column))
    case holdfast_sqlite_blob.code: return .blob(bytes(sqlite.column_blob(statement, column), statement, column))
    default: return .null
    }
  }

  private func bytes(_ start: UnsafeRawPointer?, _ statement: OpaquePointer, _ column: Int32) -> [UInt8] {
    guard let start else { return [] }
    return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite.column_bytes(statement, column))))
  }

  /// Returns the reason why a statement failed: what the callbacks have met, or else what SQLite says.
  private func failure(_ code: Int32, isRunning: Bool) -> any Error {
    if let failure = context.failure { return failure }
    if let refusal = context.refusal, !isRunning || code & 0xff == holdfast_sqlite_denied.code {
      return QueryError.refused(refusal)
    }
    if let timeout = context.exceeded { return QueryError.tookTooLong(timeout) }
    // Names in a database may hold anything.
    let reason = shown(sqlite.error_message(handle))
    switch code & 0xff {
    case holdfast_sqlite_interrupt.code: return Interrupted()
    case holdfast_sqlite_too_big.code: return QueryError.tooLong
    case holdfast_sqlite_no_memory.code: return QueryError.tooMuchMemory
    case holdfast_sqlite_not_a_database.code: return QueryError.notADatabase(path)
    case holdfast_sqlite_corrupt.code: return QueryError.malformed(path, reason)
    default: return isRunning ? QueryError.stopped(reason) : QueryError.notUnderstood(reason)
    }
  }

  /// The state that the callbacks of SQLite share with a statement.
  private final class Context {
    private let bytes: SnapshotBytes
    private let cancellation: Cancellation
    private var deadline: TimeSpan?
    private var timeout: TimeSpan?
    /// The error of the last read that failed.
    private(set) var failure: (any Error)?
    /// The request of the statement that was refused.
    var refusal: String?

    init(_ bytes: SnapshotBytes, _ cancellation: Cancellation) {
      (self.bytes, self.cancellation) = (bytes, cancellation)
    }

    static func of(_ pointer: UnsafeMutableRawPointer?) -> Context? {
      pointer.map { Unmanaged<Context>.fromOpaque($0).takeUnretainedValue() }
    }

    func begin(_ timeout: TimeSpan?) {
      (failure, refusal, self.timeout) = (nil, nil, timeout)
      deadline = timeout.map { Clock.system.uptime() + $0 }
    }

    /// The time that the statement may take, if that has passed.
    var exceeded: TimeSpan? { deadline.map { Clock.system.uptime() >= $0 } == true ? timeout : nil }
    var isOver: Bool { cancellation.isRaised || exceeded != nil }

    func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Bool {
      do {
        try bytes.read(into: buffer, at: UInt64(offset))
        return true
      } catch {
        failure = error
        return false
      }
    }
  }
}

/// Returns a text of SQLite for people: nothing in it can move the cursor of a terminal.
private func shown(_ text: UnsafePointer<CChar>?) -> String {
  text.map { Path(String(cString: $0)).description } ?? ""
}

extension Int {
  /// A result code or a type, as the functions of SQLite return it.
  fileprivate var code: Int32 { Int32(truncatingIfNeeded: self) }
}
