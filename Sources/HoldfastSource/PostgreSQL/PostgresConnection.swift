internal import CPostgres
internal import Glibc
internal import HoldfastModel
package import HoldfastSystem

/// A session with a PostgreSQL server, through libpq. Only one thread at a time may use it.
package final class PostgresConnection: @unchecked Sendable {
  // Sendable because its owner, `PostgresBackup`, keeps it in a mutex.
  private let libpq: holdfast_libpq
  private let session: OpaquePointer
  private let cancellation: Cancellation

  /// - Parameter info: a connection string or URI. The PG* variables of the environment complete it.
  package init(_ info: String, cancellation: Cancellation) throws(PostgresFailure) {
    guard let libpq = holdfast_libpq_load()?.pointee else {
      throw PostgresFailure(
        "PostgreSQL's client library libpq.so.5 is not installed",
        hint: "Install it (Debian: apt-get install libpq5), then run the same command again.")
    }
    // Later settings win, so the operator's settings override ours. A server that cannot be reached any more is given
    // up after a minute or two.
    let settings = [
      ("connect_timeout", "10"), ("fallback_application_name", "holdfast"), ("keepalives_idle", "30"),
      ("keepalives_interval", "10"), ("keepalives_count", "6"), ("tcp_user_timeout", "90000"), ("dbname", info),
    ]
    let opened = Self.withCStrings(settings.map(\.0)) { keywords in
      Self.withCStrings(settings.map(\.1)) { values in libpq.connect(keywords, values, 1) }
    }
    guard let opened else { throw PostgresFailure("there is no memory for a connection to PostgreSQL", hint: nil) }
    guard libpq.status(opened) == holdfast_connection_ok else {
      defer { libpq.finish(opened) }
      // A message of libpq may quote a part of the string, and so a password. It is shown to the operator, but not
      // written to journals and notifications.
      throw PostgresFailure(
        "cannot connect to PostgreSQL",
        hint:
          "Give --postgres what psql needs, such as 'host=/var/run/postgresql user=postgres'. PostgreSQL says: \(Self.line(libpq.error_message(opened)))"
      )
    }
    self.libpq = libpq
    session = opened
    self.cancellation = cancellation
  }

  deinit { libpq.finish(session) }

  /// Runs one statement.
  /// - Returns: its rows; a NULL is `nil`.
  package func query(_ statement: String, _ parameters: [String] = []) throws -> [[[UInt8]?]] {
    let sent = Self.withCStrings(parameters) {
      libpq.send(session, statement, Int32(parameters.count), nil, $0, nil, nil, 0)
    }
    guard sent == 1 else { throw failure(Self.line(libpq.error_message(session))) }
    try awaitAnswer()
    var rows: [[[UInt8]?]] = []
    var refusal: PostgresFailure?
    while let result = libpq.result(session) {
      defer { libpq.clear(result) }
      switch Int(libpq.result_status(result)) {
      case holdfast_result_tuples: rows = self.rows(of: result)
      case holdfast_result_command: break
      // A session that the server ends has one more result, which says only that.
      case _ where refusal != nil: break
      default:
        let said = Self.line(libpq.result_error(result, Int32(holdfast_field_message)))
        let hint = Self.line(libpq.result_error(result, Int32(holdfast_field_hint)))
        refusal = failure(said.isEmpty ? Self.line(libpq.error_message(session)) : said, hint: hint)
        refusal?.state = Self.line(libpq.result_error(result, Int32(holdfast_field_state)))
      }
    }
    if let refusal { throw refusal }
    return rows
  }

  /// Returns the single value of the first row, as text.
  package func value(_ statement: String, _ parameters: [String] = []) throws -> String {
    String(decoding: try bytes(statement, parameters), as: UTF8.self)
  }

  /// Returns the single value of the first row, as the server sends it, because a file may be in any encoding.
  func bytes(_ statement: String, _ parameters: [String] = []) throws -> [UInt8] {
    guard let bytes = try query(statement, parameters).first?.first ?? nil else {
      throw failure("it answered nothing to: \(statement)")
    }
    return bytes
  }

  private func failure(_ reason: String, hint: String = "") -> PostgresFailure {
    PostgresFailure("PostgreSQL says: \(reason)", hint: hint.isEmpty ? nil : "PostgreSQL says: \(hint)")
  }

  /// Waits for the answer. If the run is cancelled meanwhile, the statement is cancelled too.
  private func awaitAnswer() throws {
    while libpq.is_busy(session) != 0 {
      do {
        try cancellation.awaitInput(libpq.socket(session))
      } catch {
        cancel()
        throw error
      }
      guard libpq.consume(session) == 1 else { throw failure(Self.line(libpq.error_message(session))) }
    }
  }

  private func cancel() {
    guard let handle = libpq.get_cancel(session) else { return }
    defer { libpq.free_cancel(handle) }
    var message = [CChar](repeating: 0, count: 256)
    _ = libpq.cancel(handle, &message, Int32(message.count))
  }

  private func rows(of result: OpaquePointer) -> [[[UInt8]?]] {
    (0..<libpq.row_count(result)).map { row in
      (0..<libpq.column_count(result)).map { column in
        guard libpq.is_null(result, row, column) == 0, let start = libpq.value(result, row, column) else {
          return nil
        }
        let count = Int(libpq.length(result, row, column))
        return Array(UnsafeRawBufferPointer(start: start, count: count))
      }
    }
  }

  /// Returns a message of libpq on one line.
  private static func line(_ text: UnsafeMutablePointer<CChar>?) -> String {
    guard let text else { return "" }
    return String(cString: text).split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  private static func withCStrings<Result>(
    _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
  ) -> Result {
    let copies = texts.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    var pointers = copies.map { UnsafePointer<CChar>($0) }
    pointers.append(nil)
    return pointers.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { preconditionFailure("a terminated list is never empty") }
      return body(start)
    }
  }
}
