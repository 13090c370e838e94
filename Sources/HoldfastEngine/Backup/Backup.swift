package import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
package import HoldfastSystem

/// Takes one snapshot of a source: chooses the parent, captures what changed, proves the result, and commits.
package struct Backup {
  package struct Options: Hashable, Sendable {
    package var source: Path
    /// The command whose output is captured instead of a directory; `source` is then the path of the file in the
    /// snapshot.
    package var command: ShellCommand?
    /// The name of the source; `nil`: the name of the directory.
    package var name: SourceName?
    /// The kind of snapshot; `nil`: an incremental if there is a sound parent, otherwise a full.
    package var kind: SnapshotKind?
    /// The patterns of paths to leave out; a pattern may begin with the path of the source.
    package var exclusions: [String] = []
    package var compression = Compression.standard
    /// True if every file is read and compared, whatever its metadata says.
    package var isParanoid = false
    /// True if everything is done except storing.
    package var isDryRun = false
    /// True if the run waits for another run on the same source.
    package var waitsForLock = false
    /// True if all databases of the source are captured at one instant.
    package var groupsDatabases = true
    /// The connection string for the server of a PostgreSQL cluster in the source; `nil`: a running cluster is refused.
    package var postgres: String?
    /// True if a missing server is an error.
    package var expectsPostgres = false
    /// The longest wait for the log of a standby, which its primary archives.
    package var standbyLogWait = TimeSpan.seconds(60)
    /// The tags that the snapshot gets from the beginning.
    package var tags: Set<Tag> = []
    /// The share of lost pages that archives and body can repair by themselves.
    package var parity = ParityShare.none
    /// The number of stored bytes at which the next archive begins.
    package var archiveBytes = Limits.archiveBytes
    /// One of so many pages that the log of a PostgreSQL server does not name is read and compared.
    package var logSampleShare = 256
    /// The longest time that the building of an index, or of a table anew, is expected to take. Without page checksums,
    /// a file that was younger when the parent began is read whole.
    package var logBuildMax = TimeSpan.days(7)
    /// The longest time for which archived log is fetched while a server waits in backup mode, and the most bytes.
    package var archivedLogTime = TimeSpan.minutes(2)
    package var archivedLogBytes: UInt64 = 4 << 30

    package init(source: Path) { self.source = source }
  }

  package struct Report: Sendable {
    /// The envelope as it was committed, or, for a dry run, as it would have been.
    package let envelope: Envelope
    /// The reason for the kind; `nil` if the caller asked for the kind.
    package let reason: String?
    package let problems: [Problem]
    package let duration: TimeSpan
    package let isDryRun: Bool
    /// The bytes by which the WALs of the databases grew during the capture: a WAL is not reused as long as a capture
    /// holds it.
    package let walGrowthBytes: UInt64
    /// The numbers of database pages with wrong checksums, by file.
    package let badPages: [Path: [UInt64]]
    /// An account of what an increment took from the log of a PostgreSQL server; `nil` if it is no increment of a live
    /// cluster.
    package let logUse: LogUse?

    /// The changes that the history of the source does not explain.
    package var anomalies: [Anomaly] { envelope.comparison?.anomalies ?? [] }

    package var exitStatus: ExitStatus { problems.isEmpty && anomalies.isEmpty ? .done : .incomplete }
  }

  private let repository: Repository
  private let options: Options
  private let cache: StateCache
  private let progress: any ProgressObserver
  private let host: Host

  package init(repository: Repository, options: Options, cache: StateCache, progress: any ProgressObserver) {
    let files = repository.host.files
    // Nothing is written into the source, not even a cache.
    let isCacheInSource = options.command == nil && (try? cache.lies(in: files.resolve(options.source))) ?? true
    self.repository = isCacheInSource ? repository.uncached : repository
    self.options = options
    self.cache = cache
    self.progress = progress
    self.host = repository.host
  }

  package func run() throws -> Report {
    let begun = host.clock.uptime()
    let writer = try repository.keyring.writer()
    var source = try BackupSource(options, repositoryDirectory: repository.store.directory, files: host.files)
    source.name = try repository.names.sourceToBackUp(source.name)
    let lease =
      try options.isDryRun
      ? nil : Lease.take(on: source.name, of: repository, waits: options.waitsForLock, progress: progress)
    defer { lease?.end() }
    guard let lease else { return try run(source, writer, under: nil, begun: begun) }
    return try lease.whileHeld { [source] in try run(source, writer, under: lease, begun: begun) }
  }

  /// - Parameters:
  ///   - lease: the lease on the source; `nil` for a dry run.
  ///   - begun: the uptime when the run began.
  private func run(
    _ source: BackupSource, _ writer: WriterKey?, under lease: Lease?, begun: TimeSpan
  ) throws -> Report {
    do {
      return try attempt(source, writer, under: lease, begun: begun, after: nil)
    } catch let doubt as LogDoubt {
      progress.warn("\(doubt.message): all files that have changed are read whole")
      return try attempt(source, writer, under: lease, begun: begun, after: doubt)
    }
  }

  /// - Parameter doubt: the finding that ended an earlier attempt.
  private func attempt(
    _ source: BackupSource, _ writer: WriterKey?, under lease: Lease?, begun: TimeSpan, after doubt: LogDoubt?
  ) throws -> Report {
    let notes = try repository.catalog.checkIsNotRemoved(source.name)
    try lease?.settleRole(of: source.name, in: repository, notes)
    let newest = try newest(of: source.name, notes, under: lease)
    try source.checkHistory(newest, in: repository)
    let base = try BaseChoice(repository: repository, options: options, cache: cache, progress: progress)
      .choose(newest, of: source.name, cacheKey: writer?.cacheKey)
    let draft = try draft(of: source, newest, base, under: lease)
    let started = host.clock.now()
    let record = ChangeRecord(body: draft.body, archives: draft.archives)
    let databases = try SourceCapture(
      source: source, base: base, repository: repository, options: options, doubt: doubt, record: record,
      progress: progress
    ).run()
    try source.checkIsAnything(record)
    let walGrowth = databases?.walGrowth ?? 0
    var envelope = try envelope(source, base, draft, record, databases, started: started)
    envelope.comparison = try SourceComparison(in: repository).comparison(
      of: envelope, with: (base.chain?.tip ?? newest)?.envelope.state, record.density,
      onDamage: { progress.warn($0.message) })
    if let lease {
      envelope.lease = lease.number
      try commit(envelope, of: source, base, draft, record, writer, under: lease)
      let log = StandbyLog(
        repository: repository, source: source.name, limit: options.standbyLogWait, progress: progress)
      if let missing = databases?.postgres.flatMap(log.problem) {
        record.add(Problem(path: .root, reason: missing))
      }
    }
    return Report(
      envelope: envelope, reason: base.reason, problems: record.problems.sorted { $0.path < $1.path },
      duration: host.clock.uptime() - begun, isDryRun: options.isDryRun, walGrowthBytes: walGrowth,
      badPages: record.badPages, logUse: databases?.logUse)
  }

  /// Returns the newest snapshot of the source, and makes it durable first: a new snapshot must not build on one that a
  /// power cut may take away.
  /// - Parameter lease: the lease on the source; `nil` for a dry run.
  private func newest(of name: SourceName, _ notes: SourceNotes, under lease: Lease?) throws -> Snapshot? {
    let newest = try repository.catalog.newestSnapshot(
      of: name, notes, removingLeftoversUnder: lease, progress: progress)
    if !options.isDryRun {
      try repository.store.settle(below: newest.map { Keys.snapshot(name, $0.sequence) } ?? Keys.source(name))
    }
    return newest
  }

  private func draft(
    of source: BackupSource, _ newest: Snapshot?, _ base: BackupBase, under lease: Lease?
  ) throws -> SnapshotDraft {
    try SnapshotDraft(
      repository: repository, name: source.name, label: Array(source.path.description.utf8), newest: newest,
      firstArchive: base.chain?.nextArchiveNumber ?? 0, compression: options.compression,
      archiveBytes: options.archiveBytes, parity: options.parity, under: lease)
  }

  /// Ends the archives and the body, and returns the envelope.
  private func envelope(
    _ source: BackupSource, _ base: BackupBase, _ draft: SnapshotDraft, _ record: ChangeRecord,
    _ databases: LiveDatabases?, started: Timestamp
  ) throws -> Envelope {
    let objects = try record.finish()
    let completeness = record.completeness
    return Envelope(
      repository: repository.id, snapshot: draft.snapshot,
      source: Envelope.Source(name: source.name, path: !repository.keyring.isSealed ? source.path.description : ""),
      sequence: draft.sequence, kind: base.kind, parent: base.chain?.tip.asParent,
      time: Envelope.Time(started: RecordedTime(started), finished: RecordedTime(host.clock.now())),
      archives: objects.archives, body: objects.body,
      state: record.state.recorded(under: draft.bodyHead.key), changes: record.changes,
      consistency: completeness.consistency, incomplete: completeness.incomplete, program: Program.nameAndVersion,
      postgres: databases?.postgres?.recorded, parity: draft.parity, keyring: repository.keyring.reference)
  }

  /// Proves by replay that the manifest gives back what was captured, and commits the snapshot.
  private func commit(
    _ envelope: Envelope, of source: BackupSource, _ base: BackupBase, _ draft: SnapshotDraft, _ record: ChangeRecord,
    _ writer: WriterKey?, under lease: Lease
  ) throws {
    let commit = SnapshotCommit(
      repository: repository, lease: lease, draft: draft, writer: writer, path: source.path, cache: cache,
      isCacheInSource: source.root != nil && cache.lies(in: source.path), progress: progress, tags: options.tags)
    let problem = try commit.run(
      envelope, state: record.state, parent: base.state, chain: base.kind == .full ? nil : base.chain,
      mismatch: EngineError(
        .machine, "the new manifest does not give back what was captured; nothing was committed",
        hint: "Check this machine's memory, and run with --full. Please report it."))
    if let problem {
      record.add(Problem(path: .root, reason: "the snapshot does not bear its tags: \(problem)"))
    }
  }
}
