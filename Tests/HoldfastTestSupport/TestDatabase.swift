internal import CSQLite
package import HoldfastModel

/// A connection to a real SQLite database, like that of a shop's program.
package final class TestDatabase: @unchecked Sendable {
  // Sendable because SQLite serializes all use of a connection (SQLITE_OPEN_FULLMUTEX).
  private let connection: OpaquePointer

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// - Parameter setup: statements to run first.
  package init(_ path: Path, _ setup: String = "") throws {
    var opened: OpaquePointer?
    let code = path.withCString {
      sqlite3_open_v2($0, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nil)
    }
    guard code == SQLITE_OK, let opened else { throw Failure(description: "\(path) cannot be opened") }
    connection = opened
    try run(setup)
  }

  deinit { sqlite3_close_v2(connection) }

  package func run(_ statements: String) throws {
    var message: UnsafeMutablePointer<CChar>?
    defer { sqlite3_free(message) }
    guard sqlite3_exec(connection, statements, nil, nil, &message) == SQLITE_OK else {
      throw Failure(description: message.map { String(cString: $0) } ?? statements)
    }
  }

  /// Returns the first column of the first row, as text.
  package func text(_ query: String) throws -> String {
    var statement: OpaquePointer?
    defer { sqlite3_finalize(statement) }
    guard sqlite3_prepare_v2(connection, query, -1, &statement, nil) == SQLITE_OK,
      sqlite3_step(statement) == SQLITE_ROW, let text = sqlite3_column_text(statement, 0)
    else { throw Failure(description: String(cString: sqlite3_errmsg(connection))) }
    return String(cString: text)
  }

  /// A table of orders whose notes fill several pages each.
  package static let orders = "CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER, note BLOB);"

  /// Commits `count` orders in one transaction.
  package func order(_ count: Int, noteBytes: Int = 3000) throws {
    try run(
      """
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(count))
      INSERT INTO orders (total, note) SELECT abs(random() % 10000), randomblob(\(noteBytes)) FROM n;
      """)
  }

  /// Returns the totals of the orders in one line, with the result of an integrity check.
  package func summary() throws -> String {
    let integrity = try text("PRAGMA integrity_check")
    return try text(
      "SELECT count(*) || ' ' || coalesce(sum(total), 0) || ' ' || coalesce(sum(length(note)), 0) FROM orders")
      + " " + integrity
  }
}
