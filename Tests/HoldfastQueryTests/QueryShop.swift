import CSQLite
import HoldfastEngine
import HoldfastModel
import HoldfastQuery
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport

/// A shop whose order database is asked in its snapshots.
struct QueryShop {
  static let name = Path("orders.db")
  /// The store of a repository that is not far.
  let store: MemoryStore
  let shop: TestShop

  /// - Parameter far: the store of the repository; `nil` for one in memory, without latency.
  init(isSealed: Bool = false, far: DistantStore? = nil) throws {
    store = MemoryStore()
    // To this clock, everything that a test has just written is settled.
    shop = try TestShop(store: far ?? store, clock: TestHost.clock(ahead: 10), isSealed: isSealed)
  }

  var place: Path { shop.source.appending("orders.db") }

  func database(
    _ snapshot: String = "latest", _ path: Path = name, in other: Repository? = nil
  ) throws
    -> SnapshotDatabase
  {
    let repository = try other ?? shop.open(as: .owner)
    return try SnapshotDatabase(
      path, in: SnapshotFiles(of: shop.snapshot(snapshot, in: repository), in: repository), of: repository)
  }

  /// Asks a snapshot, and returns all rows.
  func ask(_ sql: String, _ snapshot: String = "latest", _ path: Path = name) throws -> [[QueryValue]] {
    try database(snapshot, path).rows(sql)
  }

  /// Returns the error of a query; `nil` if there is none.
  func refusal(_ sql: String, _ path: Path = name) throws -> QueryError? {
    let database = try database("latest", path)
    do {
      _ = try database.rows(sql)
      return nil
    } catch let error as QueryError {
      return error
    }
  }
}

extension SnapshotDatabase {
  func rows(_ sql: String, timeout: TimeSpan? = nil) throws -> [[QueryValue]] {
    var rows: [[QueryValue]] = []
    try run(sql, timeout: timeout) { row in
      rows.append(row)
      return true
    }
    return rows
  }
}

/// SQLite itself, on a file.
enum PlainSQLite {
  struct Failure: Error {
    let reason: String
  }

  static func rows(_ sql: String, in file: Path) throws -> [[QueryValue]] {
    var (connection, statement): (OpaquePointer?, OpaquePointer?)
    defer {
      sqlite3_finalize(statement)
      sqlite3_close(connection)
    }
    guard file.withCString({ sqlite3_open_v2($0, &connection, SQLITE_OPEN_READWRITE, nil) }) == SQLITE_OK,
      sqlite3_prepare_v2(connection, sql, -1, &statement, nil) == SQLITE_OK
    else { throw Failure(reason: String(cString: sqlite3_errmsg(connection))) }
    var rows: [[QueryValue]] = []
    while sqlite3_step(statement) == SQLITE_ROW {
      rows.append((0..<sqlite3_column_count(statement)).map { value(statement, $0) })
    }
    return rows
  }

  private static func value(_ statement: OpaquePointer?, _ column: Int32) -> QueryValue {
    func bytes(_ start: UnsafeRawPointer?) -> [UInt8] {
      Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column))))
    }
    switch sqlite3_column_type(statement, column) {
    case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, column))
    case SQLITE_FLOAT:
      let number = sqlite3_column_double(statement, column)
      return .real(number, text: String(decoding: bytes(sqlite3_column_text(statement, column)), as: UTF8.self))
    case SQLITE_TEXT: return .text(bytes(sqlite3_column_text(statement, column)))
    case SQLITE_BLOB: return .blob(bytes(sqlite3_column_blob(statement, column)))
    default: return .null
    }
  }
}
