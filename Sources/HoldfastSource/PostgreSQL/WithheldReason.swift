/// The reason why the data directory of a PostgreSQL server is left out of a snapshot.
package enum WithheldReason: Equatable, Sendable {
  /// A server that this backup does not capture runs on it.
  /// - Parameters:
  ///   - process: the process ID; `nil` if it is not known.
  ///   - refusal: the reason why the server that the connection reaches is not captured.
  case serverRuns(process: Int32?, refusal: PostgresFailure?)
  /// A server runs on it, and its files are not those of a sound cluster.
  case serverRunsOnUnsoundFiles(process: Int32)

  /// The text that reports print after the path.
  package var text: String {
    switch self {
    case .serverRuns(let process, let refusal):
      "a PostgreSQL server runs on it\(process.map { " (process \($0))" } ?? ""), and a plain copy would be worth nothing: it is left out"
        + (refusal.map { " (\($0.message))" } ?? "") + "; capture it with --postgres, as a source of its own"
    case .serverRunsOnUnsoundFiles(let process):
      "a PostgreSQL server runs on it (process \(process)): it is left out"
    }
  }
}
