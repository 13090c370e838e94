internal import HoldfastModel
internal import HoldfastSystem

/// The OIDs of a database and its tablespace, which determine its directory.
struct DatabaseLocator: Hashable, Sendable {
  let database: UInt32
  let tablespace: UInt32
}

/// The server's data about itself.
struct PostgresServer {
  private static let startTolerance = TimeSpan.minutes(1)
  /// The major version, such as 15.
  let version: Int
  let system: UInt64
  private let port: Int
  private let started: Timestamp
  /// True if it was in recovery when the session began.
  let isStandby: Bool
  /// The data directory that the server reports; `nil` if this role may not see it.
  private let dataDirectory: Path?
  let segmentBytes: UInt64

  init(_ connection: PostgresConnection) throws {
    for setting in [
      "search_path = pg_catalog", "statement_timeout = 0", "lock_timeout = 0", "client_encoding = SQL_ASCII",
    ] {
      _ = try connection.query("SET \(setting)")
    }
    let text = """
      SELECT current_setting('server_version_num'), (pg_control_system()).system_identifier::text,
        current_setting('port'), floor(extract(epoch FROM pg_postmaster_start_time()))::bigint, pg_is_in_recovery(),
        (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'),
        (SELECT setting FROM pg_settings WHERE name = 'data_directory')
      """
    let row = try connection.query(text).first?.map { String(decoding: $0 ?? [], as: UTF8.self) } ?? []
    guard row.count == 7, let number = Int(row[0]), let signed = Int64(row[1]), let port = Int(row[2]),
      let started = Int64(row[3]), let segmentBytes = UInt64(row[5]), segmentBytes.nonzeroBitCount == 1,
      (1 << 20...1 << 30).contains(segmentBytes)
    else { throw PostgresFailure("PostgreSQL's answers about itself are not understood", hint: nil) }
    version = number / 10_000
    system = UInt64(bitPattern: signed)
    self.port = port
    self.started = Timestamp(seconds: started, nanoseconds: 0)
    isStandby = row[4] == "t"
    dataDirectory = row[6].isEmpty ? nil : Path(row[6])
    self.segmentBytes = segmentBytes
    if version >= 14 { _ = try connection.query("SET idle_session_timeout = 0") }
  }

  var startStatement: String {
    version >= 15 ? "SELECT pg_backup_start($1, true)" : "SELECT pg_start_backup($1, true, false)"
  }

  static func stopStatement(version: Int) -> String {
    "SELECT lsn, labelfile, spcmapfile FROM "
      + (version >= 15 ? "pg_backup_stop(false)" : "pg_stop_backup(false, false)")
  }

  /// Returns all databases of the cluster.
  static func databases(_ connection: PostgresConnection) throws -> Set<DatabaseLocator> {
    Set(
      try connection.query("SELECT oid, dattablespace FROM pg_database").compactMap { row in
        let numbers = row.compactMap { $0.flatMap { UInt32(String(decoding: $0, as: UTF8.self)) } }
        return numbers.count == 2 ? DatabaseLocator(database: numbers[0], tablespace: numbers[1]) : nil
      })
  }

  /// Checks that the server is still what it was when the session began.
  func checkRole(_ connection: PostgresConnection) throws {
    guard try connection.value("SELECT pg_is_in_recovery()") == (isStandby ? "t" : "f") else { throw Self.wasPromoted }
  }

  static let wasPromoted = PostgresFailure(
    "the standby was promoted, or follows another timeline, since the backup began: what was captured is of no worth",
    hint: "Run the same command again.")

  /// Checks that a standby still replays the timeline of a backup.
  static func checkTimeline(_ timeline: UInt32, _ connection: PostgresConnection) throws {
    let now = try connection.value("SELECT min_recovery_end_timeline FROM pg_control_recovery()")
    guard now == String(timeline) else { throw wasPromoted }
  }

  /// Returns hints about how the server archives its WAL. A standby leaves that to its primary.
  func archivingNotes(_ connection: PostgresConnection) throws -> [String] {
    if isStandby { return [] }
    let isLate = try connection.value(
      "SELECT current_setting('archive_mode') <> 'off' AND current_setting('archive_timeout') = '0'")
    guard isLate == "t" else { return [] }
    return [
      "archive_timeout is 0: the server archives a segment when it is full, and what was committed since then is in no archive; archive_timeout = '60s' archives at least once a minute while something is written"
    ]
  }

  /// Returns the cluster that the server runs on.
  func cluster(among candidates: [PostgresCluster], files: FileSystem) throws(PostgresFailure) -> PostgresCluster {
    guard PostgresCluster.versions.contains(version) else {
      throw PostgresFailure(
        "the server is PostgreSQL \(version), and \(PostgresCluster.versions.lowerBound) to \(PostgresCluster.versions.upperBound) are supported",
        hint: "Stop it and back up the data directory cold, or back up a file system snapshot of it.")
    }
    guard let cluster = candidates.first(where: runs) else {
      throw PostgresFailure(
        "the server that --postgres names does not run on \(candidates.map(\.shownPath).joined(separator: ", nor on "))",
        hint: "Name the server of this data directory: compare its port and socket with the file postmaster.pid there.")
    }
    if isElsewhere(than: cluster, files) { throw Self.isCopy(cluster) }
    return cluster
  }

  /// Returns true if the server runs on this cluster. A copied cluster has the same system identifier, but its server
  /// has another port or start time.
  private func runs(on cluster: PostgresCluster) -> Bool {
    guard system == cluster.control.system, let file = cluster.postmaster, file.port == port,
      let fileStarted = file.started
    else { return false }
    return (-Self.startTolerance...Self.startTolerance).contains(fileStarted - started)
  }

  /// Returns true if the directory that the server names can be seen from here and is another one. For a server in a
  /// container, the path may mean something else here.
  private func isElsewhere(than cluster: PostgresCluster, _ files: FileSystem) -> Bool {
    guard let dataDirectory, let home = try? files.open(dataDirectory, .directoryFollowingLinks),
      let file = try? PostmasterFile(below: .root, in: home, files: files), file == cluster.postmaster,
      let status = try? home.status()
    else { return false }
    return !status.isSameFile(as: cluster.directory)
  }

  static func isCopy(_ cluster: PostgresCluster) -> PostgresFailure {
    PostgresFailure(
      "\(cluster.shownPath) is a copy of the data directory that the server of --postgres runs on: what the server tells of a backup does not hold for it",
      hint: "Name the directory that the server runs on, or leave out --postgres to capture the copy as it lies.")
  }

  static func lsn(_ text: String) throws(PostgresFailure) -> LogSequenceNumber {
    guard let lsn = LogSequenceNumber(text) else { throw PostgresFailure("\"\(text)\" is no LSN", hint: nil) }
    return lsn
  }
}
