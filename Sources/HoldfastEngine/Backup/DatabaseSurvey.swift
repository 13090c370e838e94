internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Finds the databases of a source before anything is captured, because all must be held at one instant.
struct DatabaseSurvey {
  let host: Host
  let root: OpenFile
  let exclusions: [Glob]
  let detection: ChangeDetection
  /// The parent's state of the source.
  let parent: StateFile?
  /// Collects databases of other kinds during the walk.
  let others: OtherDatabases

  struct Findings {
    var sqlite: [SQLiteCandidate] = []
    var clusters: [PostgresCluster] = []
    /// The directories that look like a cluster but cannot be understood.
    var unsoundClusters: [Path: PostgresFailure] = [:]
    /// The running servers; `nil` if nothing looks like a cluster.
    var servers: RunningServers?
    /// The paths of databases in use that only their own program can read.
    var encrypted: [Path] = []
    /// The sum of all file sizes: an estimate of the bytes to capture.
    var bytes: UInt64 = 0
    /// The comparison of everything that was found with the parent's state.
    var comparison: UnchangedSource
    /// The indexes of the exclusions that matched nothing.
    var unmatchedExclusions: Set<Int> = []
  }

  /// Walks names and metadata beside the parent's state. A file that is unchanged and has no WAL or journal is not
  /// opened.
  func run() throws -> Findings {
    var found = Findings(
      comparison: UnchangedSource(detection, HardLinks(root: root, files: host.files)))
    let scanner = Scanner(files: host.files, root: root, exclusions: exclusions)
    let known = parent?.makeReader()
    var previous = try known?.nextEntry()
    var databases: Set<Path> = []
    let openMax = SQLiteDatabases.openMax
    while let finding = try scanner.next() {
      try host.cancellation.check()
      guard case .item(let item) = finding else {
        found.comparison.differs()
        continue
      }
      others.notice(item)
      if item.status.kind == .file { found.bytes &+= item.status.size }
      while let gone = previous, gone.path < item.path {
        found.comparison.differs()
        previous = try known?.nextEntry()
      }
      var same: Entry?
      if previous?.path == item.path {
        same = previous
        previous = try known?.nextEntry()
      }
      let isAsBefore = found.comparison.meets(item, same)
      do throws(PostgresFailure) {
        if let cluster = try PostgresCluster(holding: item.path, in: root, files: host.files) {
          found.clusters.append(cluster)
        }
      } catch {
        found.unsoundClusters[item.path.parent ?? .root] = error
      }
      // A companion belongs to its database.
      let keepsOpen = found.sqlite.count < openMax
      if let database = SQLiteCandidate.database(ofCompanion: item.path) {
        found.comparison.differs()
        if databases.contains(database) { continue }
        examine(log: item, keepsOpen: keepsOpen, &found)
      }
      guard SQLiteCandidate.isPossible(item.status) else { continue }
      if isAsBefore, !SQLiteCandidate.hasCompanion(item.path, in: root, files: host.files) { continue }
      let candidate = SQLiteCandidate.look(
        at: item.path, status: item.status, in: root, files: host.files, keepsOpen: keepsOpen)
      if let candidate {
        found.sqlite.append(candidate)
        databases.insert(candidate.path)
      }
    }
    if previous != nil { found.comparison.differs() }
    found.unmatchedExclusions = scanner.unmatchedExclusions
    findServers(&found)
    return found
  }

  /// Examines the database beside a WAL. It may be encrypted, or have an incomplete page at its end.
  private func examine(log: ScannedItem, keepsOpen: Bool, _ found: inout Findings) {
    let encrypted = SQLiteCandidate.encryptedDatabase(
      ofLog: log.path, status: log.status, in: root, files: host.files)
    if let encrypted { found.encrypted.append(encrypted) }
    let unwhole = SQLiteCandidate.unwholeDatabase(
      ofLog: log.path, in: root, files: host.files, keepsOpen: keepsOpen)
    if let unwhole, !exclusions.contains(where: { $0.matches(unwhole.path) }) { found.sqlite.append(unwhole) }
  }

  private func findServers(_ found: inout Findings) {
    if !found.clusters.isEmpty || !found.unsoundClusters.isEmpty {
      let servers = RunningServers(files: host.files)
      found.clusters = found.clusters.map { $0.seen(by: servers) }
      found.servers = servers
    }
  }
}
