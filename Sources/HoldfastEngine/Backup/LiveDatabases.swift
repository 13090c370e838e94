internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The databases of a source that are not captured as plain files.
struct LiveDatabases {
  var sqlite: SQLiteDatabases
  /// All databases of SQLite that the survey looked into.
  private let surveyedPaths: Set<Path>
  private let surveyedFiles: Set<FileSystem.FileKey>
  /// Those among them that are captured as plain files because nobody had them open.
  var atRest: [Path: SQLiteAtRest]
  /// PostgreSQL data directories, running or not.
  let clusters: [PostgresCluster]
  /// The one among them that is captured while its server runs.
  let postgres: PostgresBackup?

  init(
    sqlite: SQLiteDatabases, surveyed: [SQLiteCandidate], atRest: [SQLiteAtRest], clusters: [PostgresCluster],
    postgres: PostgresBackup?
  ) {
    (self.sqlite, self.clusters, self.postgres) = (sqlite, clusters, postgres)
    self.atRest = Dictionary(atRest.map { ($0.path, $0) }) { first, _ in first }
    (surveyedPaths, surveyedFiles) = (Set(surveyed.map(\.path)), Set(surveyed.map(\.key)))
  }

  /// The cluster that a path lies in.
  func cluster(of path: Path) -> PostgresCluster? {
    clusters.first { $0.root.contains(path) }
  }

  /// How a file is read that is no SQLite database.
  func source(of handle: OpenFile, at path: Path, before: FileStatus, attempt: Int) -> any CapturedBytes {
    guard let cluster = cluster(of: path) else {
      return atRest[path]?.bytes(of: handle, before: before, attempt: attempt)
        ?? PlainBytes(handle, before: before, attempt: attempt)
    }
    if let postgres, cluster.isLive { return postgres.file(handle, at: path, before: before, attempt: attempt) }
    return PostgresFile(cold: handle, at: path, in: cluster, before: before, attempt: attempt)
  }

  /// Whether SQLite keeps the file beside a database that is captured without it.
  func isCompanion(_ path: Path, root: OpenFile, files: FileSystem) -> Bool {
    if sqlite.isCompanion(path) { return true }
    guard let database = SQLiteCandidate.database(ofCompanion: path) else { return false }
    if atRest[database] != nil { return true }
    if surveyedPaths.contains(database) { return false }
    // The survey did not look into what is as the parent has it, with nothing beside it: somebody opened it since.
    return isDatabase(database, root: root, files: files)
  }

  /// Whether a file is a database that the survey did not look into: it was made since or put in the place of another one, or was as the parent has it then, and was
  /// written since.
  func isUnsurveyed(_ item: ScannedItem, root: OpenFile, files: FileSystem) -> Bool {
    SQLiteCandidate.isPossible(item.status) && !surveyedFiles.contains(FileSystem.FileKey(item.status))
      && atRest[item.path] == nil && isDatabase(item.path, root: root, files: files)
  }

  private func isDatabase(_ path: Path, root: OpenFile, files: FileSystem) -> Bool {
    guard let status = try? files.statusIfPresent(of: path, in: root) else { return false }
    return SQLiteCandidate.look(at: path, status: status, in: root, files: files) != nil
  }

  /// Bytes by which the WALs of the databases grew while they were captured.
  var walGrowth: UInt64 {
    sqlite.walGrowth + (postgres?.span.map { $0.stop.value - $0.start.value } ?? 0)
  }

  /// Makes sure that no server began to run on what was captured without one.
  func checkStopped(root: OpenFile, files: FileSystem) throws {
    for cluster in clusters where !cluster.isLive {
      let place = cluster.root.appending("PG_VERSION")
      let now = try PostgresCluster(holding: place, in: root, files: files)
      guard now?.control == cluster.control, now?.postmaster == nil else {
        throw EngineError(
          "a PostgreSQL server was started on \(cluster.place) while it was captured; nothing was committed",
          hint: "Run the same command again, with --postgres while the server runs.")
      }
    }
  }
}

/// Decides how each PostgreSQL cluster of a source is captured.
struct ClusterChoice {
  private let clusters: [PostgresCluster]
  private let source: Path
  private let connection: String?
  private let isExpected: Bool

  /// - Parameters:
  ///   - source: where the source lies, for messages.
  ///   - connection: how to reach the server of the one that runs.
  ///   - isExpected: whether one must run.
  init(_ clusters: [PostgresCluster], source: Path, connection: String?, isExpected: Bool) {
    self.clusters = clusters
    self.source = source
    self.connection = connection
    self.isExpected = isExpected
  }

  /// Begins the backup of the cluster whose server runs.
  /// - Returns: `nil` where none does.
  func begin(_ name: SourceName, host: Host, progress: any ProgressObserver) throws -> PostgresBackup? {
    let running = clusters.filter { $0.postmaster != nil }
    for crashed in clusters where crashed.isCrashed {
      progress.warn(
        "the PostgreSQL cluster \(place(of: crashed)) was not shut down: it is captured as it lies there, and recovers when it is started"
      )
    }
    guard let first = running.first else {
      guard !isExpected else {
        throw EngineError(
          "no PostgreSQL server runs on a data directory in \(source)",
          hint: "Name the data directory of the server, or leave out --postgres for one that is stopped.")
      }
      return nil
    }
    guard let connection else {
      throw EngineError(
        "a PostgreSQL server runs on \(place(of: first)): a plain copy of it would be worth nothing",
        hint:
          "Say --postgres 'host=/var/run/postgresql user=postgres' to capture it while it runs, or stop it first, or leave it out with --exclude."
      )
    }
    guard running.count == 1 else {
      throw EngineError(
        "several PostgreSQL servers run in \(source): on \(running.map { place(of: $0).description }.joined(separator: ", "))",
        hint: "Give each a source of its own, or leave out the others with --exclude.")
    }
    let backup = try PostgresBackup(
      of: first, info: connection, label: "holdfast \(name)", slot: "holdfast_\(host.random.identifier())",
      cancellation: host.cancellation)
    backup.warnings.forEach(progress.warn)
    return backup
  }

  /// All clusters, and that of `backup` as a live one.
  func all(with backup: PostgresBackup?) -> [PostgresCluster] {
    clusters.map { $0.root == backup?.cluster.root ? $0.live() : $0 }
  }

  private func place(of cluster: PostgresCluster) -> Path {
    cluster.root.isEmpty ? source : source.appending(cluster.root.bytes)
  }
}

extension ChangeRecord {
  /// Says of a database that it is captured as a plain file.
  func note(_ refusal: SQLiteDatabases.Refusal, progress: any ProgressObserver) {
    let reason = "it is an SQLite database that could not be opened (\(refusal.reason))"
    if refusal.isLive {
      tornReasons[refusal.path] = reason + ": a plain copy may be of different moments"
    } else {
      progress.warn("\(refusal.path): \(reason): it is captured as a plain file")
    }
  }
}

extension PostgresBackup {
  /// As an envelope records it; `nil` before it has ended.
  var recorded: Envelope.Postgres? {
    span.map {
      Envelope.Postgres(
        system: String(cluster.control.system), version: cluster.version, timeline: $0.timeline, start: $0.start,
        stop: $0.stop)
    }
  }
}
