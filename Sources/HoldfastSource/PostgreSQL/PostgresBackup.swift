package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// The backup of a live cluster that its server knows of, from its start to its stop in one session (PostgreSQL documentation, 26.3.4).
package final class PostgresBackup: Sendable {
  /// From where to where its WAL makes it whole.
  package struct LogSpan: Sendable {
    package let start: LogSequenceNumber
    package let stop: LogSequenceNumber
    package let timeline: UInt32
  }

  /// A file that is known when the server has ended the backup.
  package struct LateFile {
    package let item: ScannedItem
    package let source: any CapturedBytes
  }

  package let cluster: PostgresCluster
  /// What speaks against resting assured, for the operator.
  package let warnings: [String]
  private let session: Mutex<PostgresConnection>
  private let start: LogSequenceNumber
  private let timeline: UInt32
  private let segmentBytes: UInt64
  private let ended = Mutex<LogSpan?>(nil)

  /// Where its WAL lies; `nil` before it is stopped.
  package var span: LogSpan? { ended.withLock { $0 } }

  /// Connects, makes sure that it is this cluster's server, keeps the WAL from being removed, and begins.
  /// - Parameters:
  ///   - info: the connection string.
  ///   - label: what the server calls the backup.
  ///   - slot: a name for a replication slot that goes with the session.
  package init(
    of cluster: PostgresCluster, info: String, label: String, slot: String, cancellation: Cancellation
  ) throws {
    let connection = try PostgresConnection(info, cancellation: cancellation)
    let server = try PostgresServer(connection)
    try server.check(isOf: cluster)
    var warnings: [String] = []
    do {
      _ = try connection.query("SELECT pg_create_physical_replication_slot($1, true, true)", [slot])
    } catch let failure as PostgresFailure {
      warnings.append(
        "the WAL of the capture is not kept by a replication slot (\(failure.message)): if the server removes it meanwhile, the capture fails"
      )
    }
    let started = try connection.value(server.startStatement, [label])
    start = try PostgresServer.lsn(started)
    let name = try connection.value("SELECT pg_walfile_name($1::pg_lsn)", [started])
    guard name.utf8.count == 24, let timeline = UInt32(name.prefix(8), radix: 16) else {
      throw PostgresFailure("PostgreSQL says that its WAL begins with \(name)", hint: nil)
    }
    self.timeline = timeline
    self.cluster = cluster.live()
    self.warnings = warnings
    segmentBytes = server.segmentBytes
    session = Mutex(connection)
  }

  /// A file of the cluster.
  package func file(_ handle: OpenFile, at path: Path, before: FileStatus, attempt: Int) -> PostgresFile {
    PostgresFile(handle, at: path, in: cluster, before: before, attempt: attempt) { [self] lsn in isLogged(lsn) }
  }

  /// Whether the WAL from the start on, as far as it goes now, has a record that ends there.
  private func isLogged(_ lsn: LogSequenceNumber) -> Bool {
    guard lsn > start else { return false }
    return session.withLock { session in
      guard let now = try? PostgresServer.lsn(session.value("SELECT pg_current_wal_insert_lsn()")) else { return false }
      return lsn <= now
    }
  }

  /// Ends the backup. Without this succeeding, what was captured is worth nothing.
  /// - Parameter root: of the source.
  /// - Returns: in path order, what the server has told, and the WAL that makes the capture whole.
  package func stop(root: OpenFile, files: FileSystem) throws -> [LateFile] {
    let row = try session.withLock { session in
      try session.query(PostgresServer.stopStatement(version: cluster.version)).first ?? []
    }
    guard row.count == 3, let text = row[0], let label = row[1], !label.isEmpty else {
      throw PostgresFailure("PostgreSQL ended the backup without a label", hint: nil)
    }
    let stop = try PostgresServer.lsn(String(decoding: text, as: UTF8.self))
    ended.withLock { $0 = LogSpan(start: start, stop: stop, timeline: timeline) }
    try checkTablespaces(row[2] ?? [], home: root.path.appending(cluster.root.bytes), files: files)
    try checkNoTablespaceWasMade(root: root, files: files)
    var late = try [given("backup_label", label, root: root, files: files)]
    if let map = row[2], !map.isEmpty {
      late.append(try given(ClusterRules.keptTablespaceMap, map, root: root, files: files))
    }
    let place = cluster.root.appending("pg_wal")
    let directory = try files.open(place, in: root, .directoryFollowingLinks)
    late += try segments(to: stop).map { try segment($0, in: directory, at: place, files: files) }
    return late.sorted { $0.item.path < $1.item.path }
  }

  /// A tablespace that was made or dropped just before the backup began is not what was captured.
  /// - Parameters:
  ///   - map: lines of a name and a location.
  ///   - home: the data directory.
  private func checkTablespaces(_ map: [UInt8], home: Path, files: FileSystem) throws(PostgresFailure) {
    let lines = String(decoding: map, as: UTF8.self).split(separator: "\n")
    let names = Set(lines.compactMap { $0.split(separator: " ").first.map(String.init) })
    let captured = Set(cluster.tablespaces.map(\.name))
    guard captured.isSubset(of: names) else {
      throw PostgresFailure("a tablespace was dropped while the backup began", hint: "Run the same command again.")
    }
    let others = lines.filter { line in !captured.contains { line.hasPrefix($0 + " ") } }
    let locations = others.map { Path(String($0.drop { $0 != " " }.dropFirst())) }
    guard locations.allSatisfy({ !$0.isAbsolute || home.contains((try? files.resolve($0)) ?? $0) }) else {
      throw PostgresFailure("a tablespace was made while the backup began", hint: "Run the same command again.")
    }
  }

  /// A tablespace that was made during the backup is in no part of it, but its link may be, and the WAL makes it again: the restored server would write into the
  /// live one.
  private func checkNoTablespaceWasMade(root: OpenFile, files: FileSystem) throws {
    let links = try files.open(cluster.root.appending(PostgresCluster.tablespaceLinks), in: root, .directory)
    let listing = try links.listing()
    let known = Set((cluster.tablespaces + cluster.innerTablespaces).map(\.name))
    for index in 0..<listing.count where !known.contains(String(decoding: listing[index], as: UTF8.self)) {
      guard try files.status(of: Path(bytes: Array(listing[index])), in: links).kind == .symbolicLink else { continue }
      throw PostgresFailure("a tablespace was made during the backup", hint: "Run the same command again.")
    }
  }

  /// A file that the server does not write itself; it is to be like the others.
  private func given(_ name: String, _ bytes: [UInt8], root: OpenFile, files: FileSystem) throws -> LateFile {
    let model = try files.status(of: cluster.root.appending(PostgresCluster.versionFile), in: root)
    let item = ScannedItem(
      path: cluster.root.appending(name), status: model.with(size: UInt64(bytes.count)), directory: nil,
      isInPostgreSQL: true, root: root)
    return LateFile(item: item, source: GivenBytes(bytes))
  }

  private func segment(
    _ name: String, in directory: OpenFile, at place: Path, files: FileSystem
  ) throws -> LateFile {
    let handle: OpenFile
    do throws(SystemError) {
      handle = try files.openForCapture(Path(name), in: directory)
    } catch {
      guard error.isNotFound else { throw error }
      throw PostgresFailure(
        "the server has removed \(name), which the capture needs",
        hint:
          "Let the user of --postgres replicate (ALTER ROLE … REPLICATION), so that a slot keeps the WAL, or raise wal_keep_size."
      )
    }
    let status = try handle.status()
    let item = ScannedItem(
      place.appending(name), status, nil, true, ScannedItem.Origin(directory: directory, path: place))
    return LateFile(
      item: item, source: file(handle, at: item.path, before: status, attempt: 1))
  }

  /// From the segment of the start to that which holds the last byte before `end`.
  private func segments(to end: LogSequenceNumber) -> [String] {
    let perFile = (UInt64(1) << 32) / segmentBytes
    let numbers = start.value / segmentBytes...max(start.value, end.value &- 1) / segmentBytes
    let history = timeline > 1 ? [Self.digits(UInt64(timeline)) + ".history"] : []
    return history
      + numbers.map { Self.digits(UInt64(timeline)) + Self.digits($0 / perFile) + Self.digits($0 % perFile) }
  }

  private static func digits(_ number: UInt64) -> String {
    let digits = String(number, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }
}

/// What a server says of itself.
struct PostgresServer {
  private let version: Int
  private let system: UInt64
  private let port: Int
  private let started: Int64
  private let isStandby: Bool
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
        (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size')
      """
    let row = try connection.query(text).first?.map { String(decoding: $0 ?? [], as: UTF8.self) } ?? []
    guard row.count == 6, let number = Int(row[0]), let signed = Int64(row[1]), let port = Int(row[2]),
      let started = Int64(row[3]), let segmentBytes = UInt64(row[5]), segmentBytes.nonzeroBitCount == 1,
      (1 << 20...1 << 30).contains(segmentBytes)
    else { throw PostgresFailure("PostgreSQL's answers about itself are not understood", hint: nil) }
    version = number / 10_000
    system = UInt64(bitPattern: signed)
    self.port = port
    self.started = started
    isStandby = row[4] == "t"
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

  /// Several clusters have the same system identifier when one was copied from another; their servers differ in port or start.
  func check(isOf cluster: PostgresCluster) throws(PostgresFailure) {
    guard PostgresCluster.versions.contains(version) else {
      throw PostgresFailure(
        "the server is PostgreSQL \(version), and \(PostgresCluster.versions.lowerBound) to \(PostgresCluster.versions.upperBound) are supported",
        hint: "Stop it and back up the data directory cold, or back up a file system snapshot of it.")
    }
    let startTolerance: Int64 = 60
    let isSameStart = cluster.postmaster.map { abs($0.started - started) <= startTolerance && $0.port == port } ?? false
    guard system == cluster.control.system, isSameStart else {
      throw PostgresFailure(
        "the server that --postgres names does not run on \(cluster.place)",
        hint: "Name the server of this data directory: compare its port and socket with the file postmaster.pid there.")
    }
    guard !isStandby else {
      throw PostgresFailure(
        "the server is a standby: a live capture needs the primary",
        hint: "Back up where the primary runs, or stop the standby and back it up cold.")
    }
  }

  static func lsn(_ text: String) throws(PostgresFailure) -> LogSequenceNumber {
    guard let lsn = LogSequenceNumber(text) else { throw PostgresFailure("\"\(text)\" is no LSN", hint: nil) }
    return lsn
  }
}
