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
      try failing(in: name) { _ = try server.connect(name).query("SELECT count(*) FROM pg_catalog.pg_class") }
    }
    return names
  }

  /// Returns the time of the last transaction that the server replayed; `nil` if it replayed none.
  func replayedUntil() throws -> Timestamp? {
    try failing(in: "template1") {
      let sql = "SELECT (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::bigint"
      let value = try server.connect("template1").query(sql).first?.first ?? nil
      return value.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }.map { Timestamp(microseconds: $0) }
    }
  }

  /// The database that is asked if the configuration names none: the only one of the site's own.
  static func usual(among names: [String]) -> String {
    let own = names.filter { $0 != "postgres" }
    return own.count == 1 ? own[0] : "postgres"
  }

  /// Returns the answer to a statement of the site, as text. It is asked as a role that may only read.
  /// - Throws: `DrillFailure` if the server refuses it because of what was restored.
  func answer(_ sql: String, in database: String) throws -> [[String?]] {
    try failing(in: database) {
      try server.connectToRead(database).query(sql)
        .map { row in row.map { $0.map { String(decoding: $0, as: UTF8.self) } } }
    }
  }

  private func failing<Answer>(in database: String, _ work: () throws -> Answer) throws -> Answer {
    do {
      return try work()
    } catch let error as PostgresFailure {
      throw server.error(error, in: database)
    }
  }
}
