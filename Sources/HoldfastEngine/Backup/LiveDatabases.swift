internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The databases of a source that are not captured as plain files. A class, because `SQLiteDatabases` is one.
final class LiveDatabases {
  let sqlite: SQLiteDatabases
  /// The paths of all SQLite databases that were examined, before the capture or during it.
  private var knownPaths: Set<Path>
  private var knownFiles: Set<FileSystem.FileKey>
  /// The databases that are captured as plain files because no process had them open.
  private(set) var atRest: [Path: SQLiteAtRest]
  /// The PostgreSQL data directories, whether a server runs on them or not.
  let clusters: [PostgresCluster]
  /// The cluster that is captured while its server runs.
  let postgres: PostgresBackup?
  /// The pages of that cluster that are read; `nil` if changed files are read whole.
  let log: LogIncrement?
  private let refusedLog: LogUse?
  /// The directories that are not captured, with the reason.
  let withheld: [Path: WithheldReason]
  private let allowance: SQLiteAllowance

  init(
    sqlite: SQLiteDatabases, surveyed: [SQLiteCandidate], atRest: [SQLiteAtRest], clusters: [PostgresCluster],
    postgres: PostgresBackup?, log: (increment: LogIncrement?, use: LogUse?), withheld: [Path: WithheldReason],
    allowance: SQLiteAllowance
  ) {
    (self.log, refusedLog) = log
    (self.sqlite, self.clusters, self.postgres, self.withheld) = (sqlite, clusters, postgres, withheld)
    self.allowance = allowance
    self.atRest = Dictionary(atRest.map { ($0.path, $0) }) { first, _ in first }
    (knownPaths, knownFiles) = (Set(surveyed.map(\.path)), Set(surveyed.map(\.key)))
  }

  /// True if there is no database that was examined, and nothing that is not captured.
  var areNone: Bool { knownPaths.isEmpty && clusters.isEmpty && postgres == nil && withheld.isEmpty }

  /// An account of what the increment took from the log of the server; `nil` if it is no increment of a live cluster.
  var logUse: LogUse? { log?.use ?? refusedLog }

  /// Returns the cluster that contains a path; `nil` if there is none.
  func cluster(of path: Path) -> PostgresCluster? {
    clusters.first { $0.root.contains(path) }
  }

  /// Returns the bytes of a file that is not an SQLite database.
  func source(of handle: OpenFile, at path: Path, before: FileStatus, attempt: Int) -> any CapturedBytes {
    guard let cluster = cluster(of: path) else {
      return atRest[path]?.bytes(of: handle, before: before, attempt: attempt)
        ?? PlainBytes(handle, before: before, attempt: attempt)
    }
    if let postgres, cluster.isLive { return postgres.file(handle, at: path, before: before, attempt: attempt) }
    return PostgresFile(cold: handle, at: path, in: cluster, before: before, attempt: attempt)
  }

  /// Returns true if SQLite keeps this file beside a database that is captured without it.
  func isCompanion(_ path: Path, root: OpenFile, files: FileSystem) -> Bool {
    if sqlite.isCompanion(path) { return true }
    guard let database = SQLiteCandidate.database(ofCompanion: path) else { return false }
    if atRest[database] != nil { return true }
    if knownPaths.contains(database) { return false }
    // The survey did not open a file that was unchanged and had no companion: a program has opened it since.
    return isDatabase(database, root: root, files: files)
  }

  /// Examines a file that the survey did not open because it was made, replaced or changed since, or a database at rest
  /// that has changed. If it is a database that may be in use, it is now captured as its programs see it.
  /// - Returns: true if it is a database that is not of one instant with those that are held.
  func look(at item: ScannedItem, root: OpenFile, files: FileSystem) -> Bool {
    guard SQLiteCandidate.isPossible(item.status), sqlite.capture(of: item.status) == nil else { return false }
    if let known = atRest[item.path] {
      if known.isStill(item.status) { return false }
    } else if knownPaths.contains(item.path), knownFiles.contains(FileSystem.FileKey(item.status)) {
      return false
    }
    let found = SQLiteCandidate.look(
      at: item.path, status: item.status, in: root, files: files, keepsOpen: true)
    guard let found else { return false }
    knownPaths.insert(found.path)
    knownFiles.insert(found.key)
    atRest[found.path] = SQLiteAtRest.among([found], root: root, files: files, allowance: allowance).first
    if found.isLive { sqlite.add(found, root: root, files: files, allowance: allowance) }
    return sqlite.areOfOneInstant
  }

  private func isDatabase(_ path: Path, root: OpenFile, files: FileSystem) -> Bool {
    guard let status = try? files.statusIfPresent(of: path, in: root) else { return false }
    return SQLiteCandidate.look(at: path, status: status, in: root, files: files) != nil
  }

  /// The number of bytes by which the WALs of the databases grew during the capture.
  var walGrowth: UInt64 {
    sqlite.walGrowth + (postgres?.span.map { $0.stop.value - $0.start.value } ?? 0)
  }

  /// Checks that no server ran on a cluster that was captured without one. Even a server that this process cannot see
  /// writes to its WAL, or at a checkpoint to its control file. If neither changed, the capture is what a crash would
  /// have left.
  func checkStopped(root: OpenFile, files: FileSystem, _ record: ChangeRecord) throws {
    let cold = clusters.filter { !$0.isLive && withheld[$0.root] == nil }
    guard !cold.isEmpty else { return }
    let servers = RunningServers(files: files)
    for cluster in cold {
      let versionFile = cluster.root.appending(PostgresCluster.versionFile)
      let now = (try? PostgresCluster(holding: versionFile, in: root, files: files))?.seen(by: servers)
      if let now, now.control == cluster.control, now.log == cluster.log, now.server == nil { continue }
      let message = "a PostgreSQL server was started on \(cluster.shownPath) while it was captured"
      guard !cluster.root.isEmpty else {
        throw EngineError(
          .machine, message + "; nothing was committed",
          hint: "Run the same command again, with --postgres while the server runs.")
      }
      record.add(Problem(path: cluster.root, reason: message + ": its files may be of different moments"))
    }
  }
}

extension PostgresBackup {
  /// The facts for the envelope; `nil` before the backup has ended.
  var recorded: Envelope.Postgres? {
    span.map {
      Envelope.Postgres(
        system: String(cluster.control.system), version: cluster.version, timeline: $0.timeline, start: $0.start,
        stop: $0.stop)
    }
  }
}

extension ChangeRecord {
  /// Reports that a database is captured as a plain file.
  func note(_ refusal: SQLiteDatabases.Refusal, progress: any ProgressObserver) {
    guard !refusal.isLive else { return torn.add(refusal.path, .sqliteRefused(why: refusal.reason)) }
    progress.warn("\(refusal.path): \(TornReason.sqliteNotOpened(refusal.reason)): it is captured as a plain file")
  }
}
