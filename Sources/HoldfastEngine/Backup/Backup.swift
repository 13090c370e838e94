package import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
package import HoldfastSystem

/// Takes one snapshot of a source: chooses the parent, captures what changed, proves the result, and commits.
package struct Backup {
  package struct Options: Hashable, Sendable {
    package var source: Path
    /// The command whose output is captured instead of a directory; `source` is then the name of the file in the
    /// snapshot.
    package var command: ShellCommand?
    /// `nil`: named after the directory.
    package var name: SourceName?
    /// `nil`: an incremental when there is a sound parent, otherwise a full.
    package var kind: SnapshotKind?
    /// Patterns of paths to leave out; a pattern may begin with the path of the source.
    package var exclusions: [String] = []
    package var compression = Compression.standard
    /// Whether every file is read and compared, whatever its metadata says.
    package var isParanoid = false
    /// Whether everything is done except storing.
    package var isDryRun = false
    /// Whether to wait for another run on the same source.
    package var waitsForLock = false
    /// Whether all databases of the source are captured at one instant.
    package var groupsDatabases = true
    /// The connection string for the server of a PostgreSQL cluster in the source; `nil`: a running cluster is refused.
    package var postgres: String?
    /// Whether it is an error when no such server runs.
    package var expectsPostgres = false
    /// Tags that the snapshot gets from the beginning.
    package var tags: Set<Tag> = []
    /// Stored bytes at which the next archive begins.
    package var archiveBytes = Limits.archiveBytes

    package init(source: Path) { self.source = source }
  }

  package struct Report: Sendable {
    /// The envelope as committed, or as it would have been.
    package let envelope: Envelope
    /// Why this kind was chosen; `nil` when it was asked for.
    package let reason: String?
    package let problems: [Problem]
    package let seconds: Double
    package let isDryRun: Bool
    /// Bytes by which the WALs of the databases grew during the capture, because a WAL is not reused as long as a
    /// capture holds it.
    package let walGrowthBytes: UInt64
    /// Pages of databases with wrong checksums of their own.
    package let badPages: [Path: [UInt64]]

    /// The changes that the history of the source does not explain.
    package var anomalies: [Anomaly] { envelope.comparison?.anomalies ?? [] }

    package var exitStatus: ExitStatus { problems.isEmpty && anomalies.isEmpty ? .done : .incomplete }
  }

  /// What the snapshot builds on.
  private struct Base {
    let kind: SnapshotKind
    let chain: Chain?
    let state: StateFile?
    let reason: String?
  }

  private let repository: Repository
  private let options: Options
  private let cache: StateCache
  private let progress: any ProgressObserver
  private let host: Host

  package init(repository: Repository, options: Options, cache: StateCache, progress: any ProgressObserver) {
    self.repository = repository
    self.options = options
    self.cache = cache
    self.progress = progress
    self.host = repository.host
  }

  package func run() throws -> Report {
    let begun = host.clock.uptime()
    let writer = try repository.sealed?.writer()
    let (root, path) = try openSource()
    let name = options.name ?? SourceName(from: path)
    let lease =
      try options.isDryRun ? nil : repository.lease(on: name, waits: options.waitsForLock, progress: progress)
    defer { withExtendedLifetime(lease) {} }
    let newest = try repository.newestSnapshot(of: name, removingLeftoversUnder: lease, progress: progress)
    if !options.isDryRun {
      try repository.store.settle(below: newest.map { Keys.snapshot(name, $0.sequence) } ?? Keys.source(name))
    }
    try checkPath(path, of: name, against: newest)
    let base = try chooseBase(newest, of: name, cacheKey: writer?.cacheKey)
    let draft = try SnapshotDraft(
      repository: repository, name: name, label: Array(path.description.utf8), newest: newest,
      firstArchive: base.chain?.nextArchiveNumber ?? 0, compression: options.compression,
      archiveBytes: options.archiveBytes, isDryRun: options.isDryRun)
    let started = host.clock.now()
    let record = ChangeRecord(body: draft.body, archives: draft.archives)
    let databases = try capture(name, path, root, base, record)
    try checkIsAnything(record, in: path)
    let walGrowth = databases?.walGrowth ?? 0
    let objects = try record.finish()
    let state = record.summarizer.summary
    var envelope = Envelope(
      repository: repository.id, snapshot: draft.snapshot,
      source: Envelope.Source(name: name, path: repository.sealed == nil ? path.description : ""),
      sequence: draft.sequence, kind: base.kind,
      parent: base.chain?.tip.asParent,
      time: Envelope.Time(started: TimeText.utc(started), finished: TimeText.utc(host.clock.now())),
      archives: objects.archives, body: objects.body, state: state.recorded(under: draft.bodyHead.key),
      changes: record.changes,
      consistency: record.completeness.consistency, incomplete: record.completeness.incomplete,
      program: Program.nameAndVersion, postgres: databases?.postgres?.recorded,
      keyring: repository.sealed?.revision.reference)
    let before = base.chain?.tip ?? newest
    envelope.comparison = try repository.comparison(
      of: envelope, with: before?.envelope.state, record.density, onDamage: { progress.warn($0.message) })
    if let lease {
      envelope.lease = lease.number
      let commit = SnapshotCommit(
        repository: repository, lease: lease, draft: draft, writer: writer, path: path, cache: cache,
        isCacheInSource: options.command == nil && cache.lies(in: path), progress: progress, tags: options.tags)
      let damage = try commit.run(
        envelope, state: state, parent: base.state, chain: base.kind == .full ? nil : base.chain,
        mismatch: EngineError(
          "the new manifest does not give back what was captured; nothing was committed",
          hint: "Check this machine's memory, and run with --full. Please report it.", scope: .machine))
      if let damage {
        record.add(Problem(path: .root, reason: "the snapshot does not bear its tags: \(damage.message)"))
      }
    }
    return Report(
      envelope: envelope, reason: base.reason, problems: record.problems.sorted { $0.path < $1.path },
      seconds: host.clock.uptime() - begun, isDryRun: options.isDryRun, walGrowthBytes: walGrowth,
      badPages: record.badPages)
  }

  // MARK: Source

  /// - Returns: the databases that were captured while others wrote to them; `nil` for the output of a command.
  private func capture(
    _ name: SourceName, _ path: Path, _ root: OpenFile?, _ base: Base, _ record: ChangeRecord
  ) throws -> LiveDatabases? {
    guard let root else {
      guard let command = options.command else { return nil }
      // For a command, the bytes that it printed the last time are the best estimate.
      progress.begin(phase: "reading", totalBytes: base.state?.summary.bytes)
      try StreamCapture(
        command, as: path, host: host, parent: base.state, compression: options.compression,
        scratch: repository.scratch, record: record, progress: progress
      ).run()
      return nil
    }
    let detection = ChangeDetection(
      parentStarted: base.chain?.tip.envelope.started, isParanoid: options.isParanoid)
    let others = OtherDatabases(root: root, files: host.files)
    let exclusions = try exclusions(below: path)
    let databases = try openDatabases(name, path, root, exclusions, detection, base.state, record, others)
    let pipeline = try CapturePipeline(
      host: host, root: root, exclusions: exclusions, detection: detection, parent: base.state,
      databases: databases, compression: options.compression, scratch: repository.scratch, record: record,
      progress: progress)
    try pipeline.run()
    for index in pipeline.unmatchedExclusions.sorted() {
      progress.note("nothing in \(path) matches the exclusion \(Path(options.exclusions[index]))")
    }
    try databases.checkStopped(root: root, files: host.files, record)
    try others.checkAgain(record, root: root, files: host.files)
    return databases
  }

  /// - Throws: `EngineError` when a pattern can match nothing.
  private func exclusions(below path: Path) throws -> [Glob] {
    try options.exclusions.map { pattern in
      let glob = Glob(pattern, below: [path, options.source])
      guard glob.canMatch else {
        throw EngineError(
          "the exclusion \(pattern.isEmpty ? "\"\"" : Path(pattern).description) can match nothing in \(path)",
          hint: "Write a name, or a path from the source on, without \"..\".", exitStatus: .usage)
      }
      return glob
    }
  }

  /// Refuses a snapshot without any content, which would be taken for a backup of the source.
  private func checkIsAnything(_ record: ChangeRecord, in path: Path) throws {
    guard options.command == nil, record.summarizer.summary.entries <= 1, record.problems.isEmpty else { return }
    throw EngineError(
      "nothing of the source \(path) is left to capture: what is in it is left out",
      hint: "See what --exclude says. Nothing was recorded; earlier snapshots are as they were.")
  }

  /// - Returns: no root when a command takes the place of the directory.
  private func openSource() throws -> (root: OpenFile?, path: Path) {
    if options.command != nil { return (nil, options.source) }
    let path: Path
    let root: OpenFile
    do throws(SystemError) {
      path = try host.files.resolve(options.source)
      root = try host.files.open(path, .directory)
    } catch {
      if error.isNotFound {
        let status = try? host.files.status(of: options.source, followLink: true)
        throw EngineError(
          status == nil
            ? "the source \(options.source) does not exist" : "the source \(options.source) is not a directory",
          hint: "Name the directory that holds the order database.")
      }
      throw error
    }
    if let directory = repository.store.directory, let resolved = try? host.files.resolve(directory) {
      guard !path.contains(resolved), !resolved.contains(path) else {
        throw EngineError(
          "the repository \(resolved) and the source \(path) lie in one another",
          hint: "Keep the repository on another disk than the source.")
      }
    }
    guard try root.listing().count > 0 else {
      throw EngineError(
        "the source \(path) is empty",
        hint: "Is its disk mounted? Nothing was recorded; earlier snapshots are as they were.")
    }
    return (root, path)
  }

  /// A name that nobody chose must not join two directories into one history.
  private func checkPath(_ path: Path, of name: SourceName, against newest: Snapshot?) throws {
    let sealedPath = repository.memory?.head(of: name)?.path
    if options.command != nil {
      return try StreamCapture.check(
        name, known: newest.flatMap { $0.envelope.isSealed ? sealedPath : $0.envelope.source.path })
    }
    guard options.name == nil, let newest,
      let known = newest.envelope.isSealed ? sealedPath : newest.envelope.source.path, known != path.description
    else { return }
    throw EngineError(
      "the source \(name) of this repository is \(known), not \(path)",
      hint: "Say `--name \(name)` if it has moved here, or another --name if it is another one.")
  }

  /// Opens the databases of the source, SQLite databases all at one instant.
  private func openDatabases(
    _ name: SourceName, _ path: Path, _ root: OpenFile, _ exclusions: [Glob], _ detection: ChangeDetection,
    _ parent: StateFile?, _ record: ChangeRecord, _ others: OtherDatabases
  ) throws -> LiveDatabases {
    let survey = DatabaseSurvey(
      host: host, root: root, exclusions: exclusions, detection: detection, parent: parent, others: others)
    let found = try survey.run()
    progress.begin(phase: "reading", totalBytes: found.bytes)
    try others.check(record, root: root, files: host.files)
    if let place = others.untold {
      progress.warn("/proc is not mounted, and who has \(place) open cannot be seen: it is captured as if nobody had")
    }
    for path in found.encrypted {
      record.tornReasons[path] =
        "it looks like an encrypted SQLite database in use: a plain copy may be of different moments; let the program that has its key write a copy, with --from-command or --before"
    }
    var choice = ClusterChoice(
      found, source: path, connection: options.postgres, isExpected: options.expectsPostgres)
    try choice.begin(name, root: root, host: host, progress: progress)
    record.tornReasons.merge(choice.torn) { $1 }
    let allowance = SQLiteAllowance(cancellation: host.cancellation)
    let surveyed = SQLiteCandidate.lookingAgain(
      at: found.sqlite.filter { database in !choice.withheld.keys.contains { $0.contains(database.path) } },
      in: root, files: host.files)
    // This may wait for some databases, before others are held up.
    let atRest = SQLiteAtRest.among(surveyed, root: root, files: host.files, allowance: allowance)
    let databases = SQLiteDatabases(
      surveyed, root: root, files: host.files, isGroup: options.groupsDatabases, allowance: allowance)
    try host.cancellation.check()
    warn(of: databases, record)
    return LiveDatabases(
      sqlite: databases, surveyed: surveyed, atRest: atRest, clusters: choice.clusters, postgres: choice.backup,
      withheld: choice.withheld, allowance: allowance)
  }

  private func warn(of databases: SQLiteDatabases, _ record: ChangeRecord) {
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

  // MARK: Parent

  private func chooseBase(_ newest: Snapshot?, of name: SourceName, cacheKey: SealingKey?) throws -> Base {
    guard options.kind != .full else { return Base(kind: .full, chain: nil, state: nil, reason: nil) }
    let wanted = options.kind ?? .incremental
    guard let newest else {
      return Base(kind: .full, chain: nil, state: nil, reason: "\(name) has no snapshot yet")
    }
    do {
      var chain = try repository.chain(to: newest)
      if wanted == .differential { chain = try repository.chain(to: chain.full) }
      if let sealed = repository.sealed, try !sealed.hasSameRecipients(as: chain.full) {
        return Base(kind: .full, chain: nil, state: nil, reason: "the recipients have changed since the last full")
      }
      try repository.notes.checkIsLeft(chain)
      try repository.checkPresence(of: chain)
      if try chain.isAsLongAsMayBe || !repository.hasRoomForABody(chain) {
        let full = "nothing more may build on \(chain.tip.id.short): its chain is as long as one may be"
        if options.kind != nil { progress.warn(full + ": taking a full") }
        return Base(kind: .full, chain: nil, state: nil, reason: full)
      }
      let known = try cache.load(chain, in: repository, key: cacheKey) ?? replay(chain)
      guard let state = try known ?? cache.loadMerged(chain, in: repository, key: cacheKey, keeps: keepsCache)
      else {
        let lost = "the local cache of \(chain.tip.id.short) is lost, and this machine cannot open what is sealed"
        if options.kind != nil { progress.warn(lost + ": taking a full") }
        return Base(kind: .full, chain: nil, state: nil, reason: lost)
      }
      let reason = options.kind == nil ? "builds on \(chain.tip.id.short)" : nil
      return Base(kind: wanted, chain: chain, state: state, reason: reason)
    } catch let error as any OperatorError where error.isDamage {
      progress.warn(error.message)
      return Base(kind: .full, chain: nil, state: nil, reason: "the chain of \(newest.id.short) is damaged")
    }
  }

  /// Nothing is ever written into the source, not even a cache.
  private var keepsCache: Bool {
    guard options.command == nil else { return !options.isDryRun }
    return !options.isDryRun && !((try? cache.lies(in: host.files.resolve(options.source))) ?? true)
  }

  /// `nil` when the chain is sealed and there is no identity that opens it: then a full is better than no snapshot.
  private func replay(_ chain: Chain) throws -> StateFile? {
    do {
      if let sealed = repository.sealed, try sealed.identities().isEmpty { return nil }
      return try repository.replay(chain)
    } catch let error as KeyError {
      progress.warn(error.message)
      return nil
    }
  }
}
