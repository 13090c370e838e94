package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// A backup of a live cluster with the help of its server, from start to stop in one session (PostgreSQL documentation,
/// 26.3.4).
package final class PostgresBackup: Sendable {
  /// The part of the WAL that makes the capture consistent.
  package struct LogSpan: Sendable {
    package let start: LogSequenceNumber
    package let stop: LogSequenceNumber
    package let timeline: UInt32
  }

  /// A file whose content is known only after the server has ended the backup.
  package struct LateFile {
    package let item: ScannedItem
    package let source: any CapturedBytes
  }

  package let cluster: PostgresCluster
  /// True if the server is a standby. The end of the backup is then in its control file, not in its log.
  package let isOfStandby: Bool
  /// Warnings for the operator.
  package let warnings: [String]
  /// Hints for the operator that are no warnings.
  package let notes: [String]
  private let session: Mutex<PostgresConnection>
  /// The position from which a server replays the WAL on the snapshot. All changes before it are in the files.
  package let start: LogSequenceNumber
  /// The timeline at the start; `nil` of a standby, which does not say it.
  package let timeline: UInt32?
  let segmentBytes: UInt64
  /// The databases at the beginning of the backup.
  private let databases: Set<DatabaseLocator>
  private let configuration: ServerConfiguration
  private let ended = Mutex<LogSpan?>(nil)
  private let late = Mutex<(warnings: [String], segments: [ScannedItem])>(([], []))

  /// The WAL of the backup; `nil` before it is stopped.
  package var span: LogSpan? { ended.withLock { $0 } }

  /// The segments of the WAL from the start to the stop; empty before the backup is stopped.
  package var segments: [WALFileName] {
    span.map { segmentNames(of: $0).compactMap { WALFileName($0) } } ?? []
  }

  /// Warnings that came up when the backup ended.
  package var lateWarnings: [String] { late.withLock { $0.warnings } }

  /// Connects, finds the cluster that the server runs on, keeps its WAL from being removed, and begins the backup.
  /// - Parameters:
  ///   - candidates: clusters in the source, at least one.
  ///   - info: the connection string.
  ///   - label: the server's name for the backup.
  ///   - slot: the name of a replication slot that lasts as long as the session.
  ///   - root: the source.
  /// - Returns: `nil` if there is no candidate.
  package init?(
    ofOneOf candidates: [PostgresCluster], info: String, label: String, slot: String, root: OpenFile,
    files: FileSystem, cancellation: Cancellation
  ) throws {
    guard !candidates.isEmpty else { return nil }
    let connection = try PostgresConnection(info, cancellation: cancellation)
    let server = try PostgresServer(connection)
    let cluster = try server.cluster(among: candidates, files: files)
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
    try server.checkRole(connection)
    isOfStandby = server.isStandby
    timeline = server.isStandby ? nil : try Self.timeline(at: started, connection)
    try Self.checkIsWritten(cluster, since: start, in: root, files: files)
    databases = try PostgresServer.databases(connection)
    configuration = try ServerConfiguration(of: cluster, connection, in: root, files: files)
    self.cluster = cluster.live(
      giving: Set(configuration.files.keys).union(server.isStandby ? StandbyFiles.names : []))
    self.warnings = warnings + configuration.warnings
    notes = try configuration.notes + server.archivingNotes(connection)
    segmentBytes = server.segmentBytes
    session = Mutex(connection)
  }

  private static func timeline(at position: String, _ connection: PostgresConnection) throws -> UInt32 {
    let name = try connection.value("SELECT pg_walfile_name($1::pg_lsn)", [position])
    guard name.utf8.count == 24, let timeline = UInt32(name.prefix(8), radix: 16) else {
      throw PostgresFailure("PostgreSQL says that its WAL begins with \(name)", hint: nil)
    }
    return timeline
  }

  /// Checks that the backup's checkpoint is in the directory. A copy of the data directory always has an older one.
  private static func checkIsWritten(
    _ cluster: PostgresCluster, since start: LogSequenceNumber, in root: OpenFile, files: FileSystem
  ) throws {
    let buffer = Buffer(capacity: ControlFile.byteCount)
    let path = cluster.root.appending(ControlFile.path.bytes)
    let control = try ControlFile.read(files.openForCapture(path, in: root), into: buffer.bytes)
    guard let control, control.redo >= start else { throw PostgresServer.isCopy(cluster) }
  }

  /// Returns a file of the cluster.
  package func file(_ handle: OpenFile, at path: Path, before: FileStatus, attempt: Int) -> PostgresFile {
    PostgresFile(handle, at: path, in: cluster, before: before, attempt: attempt) { [self] lsn in isLogged(lsn) }
  }

  /// Returns true if the WAL from the start of the backup contains a record that ends at this position.
  private func isLogged(_ lsn: LogSequenceNumber) -> Bool {
    guard lsn > start else { return false }
    return session.withLock { session in
      let function = isOfStandby ? "pg_last_wal_replay_lsn" : "pg_current_wal_insert_lsn"
      guard let now = try? PostgresServer.lsn(session.value("SELECT \(function)()")) else { return false }
      return lsn <= now
    }
  }

  /// Ends the backup. If this fails, the capture is worthless.
  /// - Parameter root: the root of the source.
  /// - Returns: the files whose contents the server has told, and the WAL that makes the capture consistent, in path
  ///   order.
  package func stop(root: OpenFile, files: FileSystem) throws -> [LateFile] {
    // The control file is read behind everything else, and before the server says where the backup ends: the log up to
    // there leads beyond what the control file asks for.
    let own = try isOfStandby ? StandbyFiles(cluster: cluster).contents(in: root, files: files) : [:]
    let (row, databasesNow) = try session.withLock { session in
      (
        try session.query(PostgresServer.stopStatement(version: cluster.version)).first ?? [],
        try PostgresServer.databases(session)
      )
    }
    guard row.count == 3, let text = row[0], let label = row[1], let timeline = BackupLabel(label).timeline else {
      throw PostgresFailure("PostgreSQL ended the backup without a label that is understood", hint: nil)
    }
    if isOfStandby { try session.withLock { try PostgresServer.checkTimeline(timeline, $0) } }
    let stop = try PostgresServer.lsn(String(decoding: text, as: UTF8.self))
    let span = LogSpan(start: start, stop: stop, timeline: timeline)
    ended.withLock { $0 = span }
    try checkTablespaces(row[2] ?? [], home: root.path.appending(cluster.root.bytes), files: files)
    try checkNoTablespaceWasMade(root: root, files: files)
    var late = try [given(BackupLabel.name, label, root: root, files: files)]
    late += try own.map { try given($0.key, $0.value, root: root, files: files) }
    if let map = row[2], !map.isEmpty {
      late.append(try given(ClusterRules.keptTablespaceMap, map, root: root, files: files))
    }
    late += try configuration.files.map { try given($0.key, $0.value, root: root, files: files) }
    let log = try logDirectory(root: root, files: files)
    let segments = try segmentNames(of: span).map { try segment($0, in: log, files: files) }
    try checkLog(segments, of: span, stable: databases.intersection(databasesNow), files: files)
    self.late.withLock { $0.segments = segments.map(\.item) }
    late += segments + (try history(of: timeline, in: log, files: files))
    return late.sorted { $0.item.path < $1.item.path }
  }

  /// Returns the directory of the WAL, which may be reached through a link.
  func logDirectory(root: OpenFile, files: FileSystem) throws -> OpenFile {
    let place = cluster.root.appending("pg_wal")
    let directory = try files.open(place, in: root, .directoryFollowingLinks)
    let (link, target) = (try files.status(of: place, in: root), try directory.status())
    guard link.kind != .symbolicLink || cluster.objection(to: target, link) == nil else {
      throw PostgresFailure("\(place) leads to a directory that is not this cluster's", hint: nil)
    }
    return directory
  }

  /// Reads the records of the WAL from start to stop. The WAL must be complete, and of this cluster and timeline. No
  /// database may have been copied from a directory that was possibly not captured. No tablespace may have been made,
  /// even if it is gone by now.
  private func checkLog(
    _ segments: [LateFile], of span: LogSpan, stable: Set<DatabaseLocator>, files: FileSystem
  ) throws {
    let log = CapturedLog(
      start: start, stop: span.stop, timeline: span.timeline, system: cluster.control.system,
      segmentBytes: segmentBytes)
    let effects = try log.follow(segments.map { ($0.item.path, try $0.item.open(files)) })
    guard effects.tablespaces.isEmpty else { throw Self.tablespaceWasMade }
    guard effects.copies.allSatisfy({ stable.contains($0.origin) }) else {
      throw PostgresFailure(
        "a database was moved to another tablespace, or made from one that is gone, during the backup",
        hint: "Run the same command again.")
    }
  }

  /// Checks that no segment was recycled while it was captured. It must be called after everything was captured.
  package func checkLogIsKept(files: FileSystem) throws {
    for segment in late.withLock({ $0.segments }) {
      let now = try? segment.open(files).status()
      guard now?.isSameFile(as: segment.status) ?? false else { throw Self.removed(segment.path) }
    }
  }

  /// Checks that no tablespace was made or dropped just before the backup began. Otherwise the capture would not match.
  /// - Parameters:
  ///   - map: lines with a name and a location.
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

  /// Checks that no tablespace was made during the backup. Its contents were not captured, but its link may have been,
  /// and the WAL makes it again: the restored server would write to the live one's directory.
  private func checkNoTablespaceWasMade(root: OpenFile, files: FileSystem) throws {
    let links = try files.open(cluster.root.appending(PostgresCluster.tablespaceLinks), in: root, .directory)
    let listing = try links.listing()
    let known = Set((cluster.tablespaces + cluster.innerTablespaces).map(\.name))
    for index in 0..<listing.count where !known.contains(String(decoding: listing[index], as: UTF8.self)) {
      guard try files.status(of: Path(bytes: Array(listing[index])), in: links).kind == .symbolicLink else { continue }
      throw Self.tablespaceWasMade
    }
  }

  private static let tablespaceWasMade = PostgresFailure(
    "a tablespace was made during the backup", hint: "Run the same command again.")

  /// Returns a file that the server does not write itself, with the owner and mode of the others.
  private func given(_ name: String, _ bytes: [UInt8], root: OpenFile, files: FileSystem) throws -> LateFile {
    let model = try files.status(of: cluster.root.appending(PostgresCluster.versionFile), in: root)
    let item = ScannedItem(
      path: cluster.root.appending(name), status: model.with(size: UInt64(bytes.count)), directory: nil,
      isInPostgreSQL: true, root: root)
    return LateFile(item: item, source: GivenBytes(bytes))
  }

  private static let walDirectory = "pg_wal"

  private func segment(_ name: String, in directory: OpenFile, files: FileSystem) throws -> LateFile {
    do throws(SystemError) {
      return try logFile(name, in: directory, files: files)
    } catch {
      guard error.isNotFound else { throw error }
      throw Self.removed(cluster.root.appending(Self.walDirectory).appending(name))
    }
  }

  private func logFile(_ name: String, in directory: OpenFile, files: FileSystem) throws(SystemError) -> LateFile {
    let place = cluster.root.appending(Self.walDirectory)
    let handle = try files.openForCapture(Path(name), in: directory)
    let status = try handle.status()
    let item = ScannedItem(
      place.appending(name), status, nil, true, ScannedItem.Origin(directory: directory, path: place))
    return LateFile(item: item, source: file(handle, at: item.path, before: status, attempt: 1))
  }

  private static func removed(_ path: Path) -> PostgresFailure {
    PostgresFailure(
      "the server has removed \(Path(bytes: Array(path.lastComponent))), which the capture needs",
      hint:
        "Let the user of --postgres replicate (ALTER ROLE … REPLICATION), so that a slot keeps the WAL, or raise wal_keep_size."
    )
  }

  /// Returns the history file of the cluster's timeline. A server that starts on the snapshot does not need it, so it
  /// may be missing.
  private func history(of timeline: UInt32, in directory: OpenFile, files: FileSystem) throws -> [LateFile] {
    guard timeline > 1 else { return [] }
    let name = Self.digits(UInt64(timeline)) + ".history"
    do throws(SystemError) {
      return [try logFile(name, in: directory, files: files)]
    } catch {
      guard error.isNotFound else { throw error }
      late.withLock {
        $0.warnings.append(
          "\(name) is neither in pg_wal nor in the snapshot: the snapshot can be restored, and recover along timeline \(timeline); snapshots of older timelines cannot recover to it, unless `holdfast wal push` has archived it"
        )
      }
      return []
    }
  }

  /// Returns the names of the segments from that of the start to that of the last byte before the stop.
  private func segmentNames(of span: LogSpan) -> [String] {
    let perFile = (UInt64(1) << 32) / segmentBytes
    let numbers = start.value / segmentBytes...max(start.value, span.stop.value &- 1) / segmentBytes
    return numbers.map { Self.digits(UInt64(span.timeline)) + Self.digits($0 / perFile) + Self.digits($0 % perFile) }
  }

  private static func digits(_ number: UInt64) -> String {
    let digits = String(number, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }
}
