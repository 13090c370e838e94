internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The questions of a drill to the server of a restored cluster.
struct ClusterChecks {
  let server: DrillServer

  /// Opens every database of the cluster.
  /// - Returns: their names.
  func open() throws -> [String] {
    let session = try server.connect("template1")
    let rows = try session.query("SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1")
    let names = rows.compactMap { $0.first.flatMap { $0 }.map { String(decoding: $0, as: UTF8.self) } }
    for name in names {
      _ = try answer("SELECT count(*) FROM pg_catalog.pg_class", in: name)
    }
    return names
  }

  /// The database that is asked if the configuration names none: the only one of the site's own.
  static func usual(among names: [String]) -> String {
    let own = names.filter { $0 != "postgres" }
    return own.count == 1 ? own[0] : "postgres"
  }

  /// Returns the answer to a statement, as text.
  /// - Throws: `DrillFailure` if the server refuses it.
  func answer(_ sql: String, in database: String) throws -> [[String?]] {
    do {
      let session = try server.connect(database)
      for setting in ["timezone = 'UTC'", "datestyle = 'ISO'", "default_transaction_read_only = on"] {
        _ = try session.query("SET \(setting)")
      }
      return try session.query(sql).map { row in row.map { $0.map { String(decoding: $0, as: UTF8.self) } } }
    } catch let error as PostgresFailure {
      throw DrillFailure("database \(Path(database)): \(error.message)", hint: error.hint)
    }
  }
}
