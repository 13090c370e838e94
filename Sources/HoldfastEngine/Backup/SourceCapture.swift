internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem

/// Captures the files of a source that may have changed since the base, and records the changes.
struct SourceCapture {
  let source: BackupSource
  let base: BackupBase
  let repository: Repository
  let options: Backup.Options
  /// The finding of an earlier attempt that the log of a server does not name all pages that changed.
  let doubt: LogDoubt?
  let record: ChangeRecord
  let progress: any ProgressObserver
  private var host: Host { repository.host }

  /// - Returns: the databases of the source; `nil` for a command.
  func run() throws -> LiveDatabases? {
    guard let root = source.root else {
      guard let command = options.command else { return nil }
      // For a command, the size of its last output is the best estimate.
      progress.begin(phase: "reading", totalBytes: base.state?.summary.bytes)
      try StreamCapture(
        command, as: source.path, host: host, parent: base.state, compression: options.compression,
        scratch: repository.containers.scratch, record: record, progress: progress
      ).run()
      return nil
    }
    let detection = ChangeDetection(
      parentStarted: base.chain?.tip.envelope.started, isParanoid: options.isParanoid)
    let others = OtherDatabases(root: root, files: host.files)
    let exclusions = try source.exclusions()
    let (databases, found) = try openDatabases(root, exclusions, detection, others)
    let unmatched: Set<Int>
    if let parent = base.state, found.comparison.isUnchanged, databases.areNone, record.torn.isEmpty,
      record.problems.isEmpty
    {
      // Walking again would find the same.
      record.keepAll(of: parent.summary, found.comparison.consistency)
      progress.skip(bytes: parent.summary.bytes)
      unmatched = found.unmatchedExclusions
    } else {
      unmatched = try capture(root, exclusions, detection, databases)
    }
    for index in unmatched.sorted() {
      progress.note("nothing in \(source.path) matches the exclusion \(Path(options.exclusions[index]))")
    }
    try databases.checkStopped(root: root, files: host.files, record)
    try others.checkAgain(record, root: root, files: host.files)
    return databases
  }

  /// - Returns: the indexes of the exclusions that matched nothing.
  private func capture(
    _ root: OpenFile, _ exclusions: [Glob], _ detection: ChangeDetection, _ databases: LiveDatabases
  ) throws -> Set<Int> {
    let pipeline = try CapturePipeline(
      host: host, root: root, exclusions: exclusions, detection: detection, parent: base.state,
      databases: databases, compression: options.compression, scratch: repository.containers.scratch, record: record,
      progress: progress)
    try pipeline.run()
    return pipeline.unmatchedExclusions
  }

  /// Opens the databases of the source: if possible, all SQLite databases at one instant.
  private func openDatabases(
    _ root: OpenFile, _ exclusions: [Glob], _ detection: ChangeDetection, _ others: OtherDatabases
  ) throws -> (LiveDatabases, DatabaseSurvey.Findings) {
    let survey = DatabaseSurvey(
      host: host, root: root, exclusions: exclusions, detection: detection, parent: base.state, others: others)
    let found = try survey.run()
    progress.begin(phase: "reading", totalBytes: found.bytes)
    try others.check(record, root: root, files: host.files)
    if let place = others.untold {
      progress.warn("/proc is not mounted, and who has \(place) open cannot be seen: it is captured as if nobody had")
    }
    for path in found.encrypted { record.torn.add(path, .encryptedSQLite) }
    var choice = ClusterChoice(
      found, source: source.path, connection: options.postgres, isExpected: options.expectsPostgres)
    try choice.begin(source.name, root: root, host: host, progress: progress)
    for (path, reason) in choice.torn { record.torn.add(path, reason) }
    let log = try choice.backup.map {
      try LogReading($0, of: source.name, in: repository, options, root: root, progress: progress)
        .run(since: base, dataBytes: found.bytes, doubt: doubt)
    }
    let allowance = SQLiteAllowance(cancellation: host.cancellation)
    let surveyed = SQLiteCandidate.lookingAgain(
      at: found.sqlite.filter { database in !choice.withheld.keys.contains { $0.contains(database.path) } },
      in: root, files: host.files)
    // This may wait for some databases, so it comes before other databases are locked.
    let atRest = SQLiteAtRest.among(surveyed, root: root, files: host.files, allowance: allowance)
    let databases = SQLiteDatabases(
      surveyed, root: root, files: host.files, isGroup: options.groupsDatabases, allowance: allowance)
    try host.cancellation.check()
    warn(of: databases)
    let live = LiveDatabases(
      sqlite: databases, surveyed: surveyed, atRest: atRest, clusters: choice.clusters, postgres: choice.backup,
      log: log ?? (nil, nil), withheld: choice.withheld, allowance: allowance)
    return (live, found)
  }

  private func warn(of databases: SQLiteDatabases) {
    for refusal in databases.refusals { record.note(refusal, progress: progress) }
    if databases.areTooMany {
      progress.warn(
        "there are more SQLite databases in use than the \(SQLiteDatabases.openMax) that can be held open at once (ulimit -n): each is captured as one committed state, but not all of one instant"
      )
    }
    if let busyDatabase = databases.busyDatabase {
      progress.warn(
        "a transaction on \(busyDatabase) did not end within a second: each database of the source is captured as one committed state, but not all of one instant"
      )
    }
    if databases.heldCount > 0 {
      progress.note(
        "writers of \(Amount.count(UInt64(databases.heldCount), "database")) in rollback-journal mode wait until the capture ends; --no-group reads each by itself, in slices"
      )
    }
  }
}
