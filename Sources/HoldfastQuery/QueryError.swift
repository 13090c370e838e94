internal import CQuery
package import HoldfastModel

/// Why a query has no answer, or only a part of one.
package enum QueryError: OperatorError, Equatable {
  /// libsqlite3 is not installed, or too old.
  case noLibrary
  /// The SQL is empty, or a comment.
  case noStatement
  case severalStatements
  /// The statement asks for more than reading the database.
  case refused(String)
  /// SQLite does not understand the statement, or knows no such table or column.
  case notUnderstood(String)
  /// SQLite stopped while it ran the statement.
  case stopped(String)
  /// The file is no database that SQLite reads.
  case notADatabase(Path)
  /// The pages are as they were captured, and make no sound database.
  case malformed(Path, String)
  /// A file beside the database has commits that are not in it.
  case unfinished(Path, beside: Path, snapshot: String)
  /// Sorting or grouping takes more memory than a query may have.
  case tooMuchMemory
  /// A value or a row is longer than a query may have.
  case tooLong
  case tookTooLong(TimeSpan)

  package var message: String {
    switch self {
    case .noLibrary: "there is no libsqlite3 of version 3.31 or newer to ask a database with"
    case .noStatement: "there is no SQL statement to run"
    case .severalStatements: "there is more than one SQL statement"
    case .refused(let what): "the statement wants \(what), and a snapshot can only be read"
    case .notUnderstood(let reason): "SQLite does not take the statement: \(reason)"
    case .stopped(let reason): "SQLite stopped: \(reason)"
    case .notADatabase(let path): "\(path) is no SQLite database that can be read"
    case .malformed(let path, let reason):
      "\(path) was a damaged database when the snapshot was taken: \(reason); its pages are as they were captured"
    case .unfinished(let path, let other, _):
      "the snapshot has \(other) beside \(path), with changes that are not in \(path) yet"
    case .tooMuchMemory:
      "the statement needs more than \(Amount.bytes(UInt64(Connection.heapBytesMax))) of memory, for sorting or grouping"
    case .tooLong:
      "a value or a row has more than \(Amount.bytes(UInt64(holdfast_value_bytes_max))), the most that a query may have"
    case .tookTooLong(let limit): "the statement took longer than \(limit), and was stopped"
    }
  }

  package var hint: String? {
    switch self {
    case .noLibrary: "Install Debian's libsqlite3-0."
    case .noStatement, .severalStatements: "Give one statement, such as \"SELECT count(*) FROM orders\"."
    case .refused: "Ask with SELECT, or restore the database and change the copy."
    case .notUnderstood:
      "Ask the snapshot for its tables: \"SELECT name, sql FROM sqlite_schema\"."
    case .stopped: nil
    case .notADatabase: "If it is encrypted, or of another kind, restore it with `holdfast restore --path`."
    case .malformed(let path, _):
      "Find the last sound one with `holdfast bisect \(path) --assert \"SELECT integrity_check = 'ok' FROM pragma_integrity_check\"`."
    case .unfinished(let path, let other, let snapshot):
      "Restore both, and ask the copy: `holdfast restore \(snapshot) --path \(path) --path \(other) --target DIR`."
    case .tooLong: "Restore the database and ask the copy."
    case .tooMuchMemory: "Ask for less at once, or restore the database and ask the copy."
    case .tookTooLong: "Ask for less at once, or give it more time with --timeout."
    }
  }

  package var exitStatus: ExitStatus {
    switch self {
    case .noStatement, .severalStatements, .refused, .notUnderstood: .usage
    case .noLibrary, .stopped, .notADatabase, .malformed, .unfinished, .tooMuchMemory, .tooLong, .tookTooLong: .failed
    }
  }

  package var scope: ErrorScope {
    switch self {
    case .noLibrary, .tooMuchMemory: .machine
    default: .usage
    }
  }
}
