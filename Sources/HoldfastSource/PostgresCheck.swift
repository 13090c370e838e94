package import HoldfastModel
package import HoldfastSystem

/// A session with a PostgreSQL server that tries what a backup needs of it.
package struct PostgresCheck {
  /// The state of the process that archives the write-ahead log of the server.
  package struct Archiver: Sendable, Equatable {
    /// The setting `archive_mode`.
    package let mode: String
    /// The number of failed attempts since the statistics were reset.
    package let failures: Int
    /// The file of the last failed attempt; `nil` if none has failed.
    package let lastFailure: String?
  }

  private let connection: PostgresConnection
  private let server: PostgresServer
  /// The role of the login.
  package let role: String
  /// The version as the server writes it: `17.2`.
  package let version: String
  /// The system identifier of the cluster.
  package let system: SystemIdentifier
  private var major: Int { server.version }

  /// Connects.
  /// - Parameter info: the connection string.
  package init(_ info: String, cancellation: Cancellation) throws {
    connection = try PostgresConnection(info, cancellation: cancellation)
    role = try connection.value("SELECT current_user")
    version = String(try connection.value("SELECT current_setting('server_version')").prefix { $0 != " " })
    server = try PostgresServer(connection)
    system = SystemIdentifier(server.system)
  }

  /// Returns the PostgreSQL data directories in a source, with what can be seen of their servers.
  /// - Parameter source: the directory of the source.
  package static func clusters(
    in source: Path, files: FileSystem, cancellation: Cancellation
  ) throws -> [PostgresCluster] {
    let root = try files.open(files.resolve(source), .directory)
    let scanner = Scanner(files: files, root: root, exclusions: [])
    var found: [PostgresCluster] = []
    // A data directory is rarely deep in a source: what comes after so many entries is not looked at.
    for _ in 0..<50_000 {
      try cancellation.check()
      guard let finding = try scanner.next() else { break }
      guard case .item(let item) = finding,
        let cluster = try PostgresCluster(holding: item.path, in: root, files: files)
      else { continue }
      found.append(cluster)
      if cluster.root.isEmpty { break }
    }
    guard !found.isEmpty else { return [] }
    let servers = RunningServers(files: files)
    return found.map { $0.seen(by: servers) }
  }

  /// Checks that the server is of a supported version, and runs on one of the data directories.
  /// - Throws: `PostgresFailure` when a backup would refuse the server.
  package func checkRuns(onOneOf clusters: [PostgresCluster], files: FileSystem) throws {
    _ = try server.cluster(among: clusters, files: files)
  }

  /// Returns the functions that a backup calls and that the role may not call.
  package func missingRights() throws -> [String] {
    let functions =
      major >= 15
      ? ["pg_backup_start(text, boolean)", "pg_backup_stop(boolean)"]
      : ["pg_start_backup(text, boolean, boolean)", "pg_stop_backup(boolean, boolean)"]
    return try functions.filter { try !mayCall($0) }
  }

  /// True if the role may make a replication slot, which keeps the log of a capture.
  package func mayMakeSlot() throws -> Bool {
    try connection.value("SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user") == "t"
  }

  /// True if the role may end a segment of the log.
  package func maySwitchSegments() throws -> Bool { try mayCall("pg_switch_wal()") }

  private func mayCall(_ function: String) throws -> Bool {
    try connection.value("SELECT has_function_privilege($1, 'EXECUTE')", ["pg_catalog." + function]) == "t"
  }

  /// Returns the state of the archiver. On a standby none runs: its primary archives.
  package func archiver() throws -> Archiver {
    if server.isStandby { return Archiver(mode: "off", failures: 0, lastFailure: nil) }
    let row = try connection.query(
      "SELECT current_setting('archive_mode'), failed_count, last_failed_wal FROM pg_stat_archiver")
    let texts = row.first?.map { $0.map { String(decoding: $0, as: UTF8.self) } } ?? []
    guard texts.count == 3, let mode = texts[0], let failures = texts[1].flatMap({ Int($0) }) else {
      throw PostgresFailure("PostgreSQL's answer about its archiver is not understood", hint: nil)
    }
    return Archiver(mode: mode, failures: failures, lastFailure: texts[2])
  }

  /// Writes a record of a few bytes into the log that changes no data, and ends the segment in which it is.
  /// - Returns: the name of that segment, which the server archives now.
  package func endSegment() throws -> WALFileName {
    let end = try PostgresServer.lsn(
      connection.value("SELECT pg_logical_emit_message(false, 'holdfast', 'holdfast check')"))
    // The end may be the first byte of the next segment.
    let within = LogSequenceNumber(end.value &- 1)
    let text = try connection.value("SELECT pg_walfile_name($1::pg_lsn)", [within.description])
    guard let name = WALFileName(text) else {
      throw PostgresFailure("PostgreSQL calls a segment of its log \"\(text)\"", hint: nil)
    }
    _ = try connection.query("SELECT pg_switch_wal()")
    return name
  }
}
