package import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
internal import HoldfastSource
internal import HoldfastStore
package import HoldfastSystem

/// Takes one snapshot of a source: choose the parent, capture what changed, prove the result, commit.
package struct Backup {
  package struct Options: Sendable {
    package var source: Path
    /// `nil`: named after the directory.
    package var name: SourceName?
    /// `nil`: an incremental where a sound parent exists, else a full.
    package var kind: SnapshotKind?
    package var exclusions: [Glob] = []
    package var compression = Compression.standard
    /// Whether every file is read and compared, whatever its metadata says.
    package var isParanoid = false
    /// Whether everything is done but storing.
    package var isDryRun = false
    /// Whether to wait for another run on the same source.
    package var waitsForLock = false
    /// Whether all databases of the source are captured at one instant.
    package var groupsDatabases = true
    /// What the snapshot is tagged with from the beginning.
    package var tags: Set<Tag> = []
    /// Where the repository lies, if on this machine.
    package var repositoryDirectory: Path?

    package init(source: Path) { self.source = source }
  }

  package struct Report: Sendable {
    /// As committed, or as it would have been.
    package let envelope: Envelope
    /// Why this kind was taken, where it was not asked for.
    package let reason: String?
    package let problems: [Problem]
    package let seconds: Double
    package let isDryRun: Bool
    /// By how much the WALs of the databases grew while they were captured: as long as a capture lasts, nothing of them is reused.
    package let walGrowthBytes: UInt64

    package var exitStatus: ExitStatus { problems.isEmpty ? .done : .incomplete }
  }

  /// What a snapshot builds on.
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
    let lock = try options.isDryRun ? nil : lock(name)
    defer { withExtendedLifetime(lock) {} }
    let newest = try newestSnapshot(of: name)
    if !options.isDryRun {
      try repository.store.settle(below: newest.map { Keys.snapshot(name, $0.sequence) } ?? Keys.source(name))
    }
    try checkPath(path, of: name, against: newest)
    let base = try chooseBase(newest, of: name, cacheKey: writer?.cacheKey)
    progress.begin(phase: "reading", totalBytes: base.state?.summary.bytes)

    let draft = try Draft(
      repository: repository, name: name, path: path, newest: newest, base: base.chain, options: options)
    let started = host.clock.now()
    let record = ChangeRecord(body: draft.body, archives: draft.archives)
    let detection = ChangeDetection(
      parentStarted: base.chain?.tip.envelope.started, isParanoid: options.isParanoid)
    let databases = try openDatabases(path, root, detection, base.state, record)
    let pipeline = try CapturePipeline(
      host: host, root: root, exclusions: options.exclusions, detection: detection, parent: base.state,
      databases: databases, compression: options.compression, scratch: repository.scratch, record: record,
      progress: progress)
    try pipeline.run()
    let walGrowth = databases.walGrowth
    let objects = try record.finish()
    let state = record.summarizer.summary
    let envelope = Envelope(
      repository: repository.id, snapshot: draft.snapshot,
      source: Envelope.Source(name: name, path: repository.sealed == nil ? path.description : ""),
      sequence: draft.sequence, kind: base.kind,
      parent: base.chain?.tip.asParent,
      time: Envelope.Time(started: TimeText.utc(started), finished: TimeText.utc(host.clock.now())),
      archives: objects.archives, body: objects.body, state: state.recorded(under: draft.bodyHead.key),
      changes: record.changes,
      consistency: record.completeness.consistency, incomplete: record.completeness.incomplete,
      program: Program.nameAndVersion, keyring: repository.sealed?.revision.reference)
    if !options.isDryRun {
      try commit(envelope, state: state, draft, path: path, base: base, writer: writer)
    }
    return Report(
      envelope: envelope, reason: base.reason, problems: record.problems.sorted { $0.path < $1.path },
      seconds: host.clock.uptime() - begun, isDryRun: options.isDryRun, walGrowthBytes: walGrowth)
  }

  // MARK: Source

  private func openSource() throws -> (root: OpenFile, path: Path) {
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
    if let repositoryDirectory = options.repositoryDirectory,
      let resolved = try? host.files.resolve(repositoryDirectory)
    {
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
    guard options.name == nil, let newest,
      let known = newest.envelope.isSealed ? sealedPath : newest.envelope.source.path, known != path.description
    else { return }
    throw EngineError(
      "the source \(name) of this repository is \(known), not \(path)",
      hint: "Say `--name \(name)` if it has moved here, or another --name if it is another one.")
  }

  /// Opens the databases of the source at one instant. From here on they are read through SQLite only.
  private func openDatabases(
    _ path: Path, _ root: OpenFile, _ detection: ChangeDetection, _ parent: StateFile?, _ record: ChangeRecord
  ) throws -> SQLiteDatabases {
    let survey = DatabaseSurvey(
      host: host, root: root, exclusions: options.exclusions, detection: detection, parent: parent)
    let databases = SQLiteDatabases(
      try survey.candidates(), root: path, files: host.files, isGroup: options.groupsDatabases)
    for refusal in databases.refusals {
      let reason = "it is an SQLite database that could not be opened (\(refusal.reason))"
      if refusal.isLive {
        record.tornReasons[refusal.path] = reason + ": a plain copy may be of different moments"
      } else {
        progress.warn("\(refusal.path): \(reason): it is captured as a plain file")
      }
    }
    if databases.heldCount > 0 {
      progress.note(
        "writers of \(Amount.count(UInt64(databases.heldCount), "database")) in rollback-journal mode wait until the capture ends; --no-group reads each by itself, in slices"
      )
    }
    return databases
  }

  // MARK: Parent

  private func lock(_ name: SourceName) throws -> any StoreLock {
    if let lock = try repository.store.lock(name.text, wait: false, cancellation: host.cancellation) { return lock }
    if options.waitsForLock {
      progress.note("another run is backing up \(name); waiting for it")
      if let lock = try repository.store.lock(name.text, wait: true, cancellation: host.cancellation) { return lock }
    }
    throw EngineError(
      "another run is backing up \(name)", hint: "Wait for it, or say --wait.", exitStatus: .locked)
  }

  /// The newest committed snapshot whose envelope can be read; a damaged one is warned of and passed over. What killed runs left is
  /// removed.
  private func newestSnapshot(of name: SourceName) throws -> Snapshot? {
    let newest = try newestReadable(of: name)
    guard let head = repository.memory?.head(of: name) else { return newest }
    if newest.map({ $0.sequence < head.sequence }) ?? true {
      progress.warn(
        "snapshot number \(head.sequence) of \(name), which this machine has seen, is not there: the repository was put back, or has lost its newest snapshots"
      )
    } else if let newest, newest.sequence == head.sequence, newest.digest != head.digest {
      progress.warn(
        "snapshot number \(head.sequence) of \(name) is another one than this machine has seen: the repository was put back"
      )
    }
    return newest
  }

  private func newestReadable(of name: SourceName) throws -> Snapshot? {
    for sequence in try repository.sequences(of: name).reversed() {
      do {
        if let snapshot = try repository.snapshotIfCommitted(name, sequence) { return snapshot }
        if !options.isDryRun { try repository.store.removeAll(below: Keys.snapshot(name, sequence)) }
      } catch let damage as DamageError {
        progress.warn(damage.message)
      }
    }
    return nil
  }

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
      try repository.checkIsLeft(chain)
      try repository.checkPresence(of: chain)
      guard let state = try cache.load(chain, in: repository, key: cacheKey) ?? replay(chain) else {
        let lost = "the local cache of \(chain.tip.id.short) is lost, and this machine cannot open what is sealed"
        if options.kind != nil { progress.warn(lost + ": taking a full") }
        return Base(kind: .full, chain: nil, state: nil, reason: lost)
      }
      let reason = options.kind == nil ? "its chain is sound up to \(chain.tip.id.short)" : nil
      return Base(kind: wanted, chain: chain, state: state, reason: reason)
    } catch let error as any OperatorError
      where error is DamageError || (error as? SystemError)?.isDeviceFailure == true
    {
      progress.warn(error.message)
      return Base(kind: .full, chain: nil, state: nil, reason: "the chain of \(newest.id.short) is damaged")
    }
  }

  /// `nil` where the chain is sealed and no identity that opens it is at hand: then a full is better than no snapshot.
  private func replay(_ chain: Chain) throws -> StateFile? {
    do {
      if let sealed = repository.sealed, try sealed.identities().isEmpty { return nil }
      return try repository.replay(chain)
    } catch let error as KeyError {
      progress.warn(error.message)
      return nil
    }
  }

  // MARK: Commit

  /// Proves that the new manifest, replayed, gives what was seen; then makes the snapshot exist.
  private func commit(
    _ envelope: Envelope, state: Envelope.State, _ draft: Draft, path: Path, base: Base, writer: WriterKey?
  ) throws {
    try host.cancellation.check()
    try draft.commitBody()
    let kept = try prove(envelope, state: state, base: base, cacheKey: writer?.cacheKey)
    try host.cancellation.check()
    try checkObjects(of: envelope)
    try repository.checkKeyringIsNewest()
    for called in try repository.prepareCommit(of: envelope, on: base.chain, tags: options.tags) {
      progress.warn(
        "snapshot \(called.id.short) was removed meanwhile; it is called back, because this one builds on it")
    }
    try Repository.write(
      envelope.serialized(signedBy: writer?.signing), to: Keys.manifest(envelope.source.name, envelope.sequence),
      of: repository.store)
    // The snapshot exists from here on; without the cache the next run is only slower.
    if let committed = try? repository.snapshotIfCommitted(envelope.source.name, envelope.sequence) {
      repository.memory?.remember(committed, path: path)
    }
    guard kept.isNeeded else { return }
    do {
      guard let cache = kept.cache else {
        let reason = isCacheInSource ? "its directory lies in the source" : "no directory for it can be written"
        throw EngineError(reason + "; set HOLDFAST_CACHE_DIR", hint: nil)
      }
      try cache.keep(beside: base.kind == .full ? envelope.snapshot : (base.chain?.full.id ?? envelope.snapshot))
    } catch {
      guard repository.sealed != nil else { return }
      let reason = (error as? any OperatorError)?.message ?? "\(error)"
      progress.warn(
        "the local cache could not be written, so the next snapshot of \(envelope.source.name) will be a full: \(reason)"
      )
    }
  }

  /// Another host that shares the repository but not its locks may have taken this run's objects for leftovers.
  private func checkObjects(of envelope: Envelope) throws {
    let (name, sequence) = (envelope.source.name, envelope.sequence)
    try repository.checkPresence(Keys.body(name, sequence, envelope.body.id), length: envelope.body.length)
    for archive in envelope.archives {
      try repository.checkPresence(Keys.archive(name, sequence, archive.id), length: archive.length)
    }
  }

  /// Nothing is ever written into the source, not even a cache.
  private var isCacheInSource: Bool { (try? cache.lies(in: host.files.resolve(options.source))) ?? true }

  /// - Returns: the state for the cache, where there is a place for it, and whether the next snapshot needs it.
  private func prove(
    _ envelope: Envelope, state: Envelope.State, base: Base, cacheKey: SealingKey?
  ) throws -> (cache: StateCache.Draft?, isNeeded: Bool) {
    if envelope.kind != .full, envelope.changes.isEmpty, state == base.state?.summary { return (nil, false) }
    let key = Keys.body(envelope.source.name, envelope.sequence, envelope.body.id)
    let container = try ContainerReader(
      repository.store.open(key), kind: .body, repository: repository.id, reference: envelope.body,
      access: repository.access)
    let older: [any ChangeReader] = base.state.map { [$0.makeReader()] } ?? []
    var replay = try Replay(older + [BodyReader(container)])
    let place = isCacheInSource ? StateCache(directory: nil) : cache
    let draft = place.begin(repository, source: envelope.source.name, snapshot: envelope.snapshot, key: cacheKey)
    let sink: any ByteSink = try draft ?? repository.scratch.make()
    let writer = StateWriter(sink)
    try replay.write(to: writer, cancellation: host.cancellation)
    guard try writer.finish() == state else {
      throw EngineError(
        "the new manifest does not give back what was captured; nothing was committed",
        hint: "Check this machine's memory, and run with --full. Please report it.")
    }
    draft?.end(state)
    return (draft, true)
  }
}

/// The objects of a snapshot that is being made.
private struct Draft {
  let snapshot: Identifier
  let sequence: UInt64
  let archives: ArchiveSeries
  let body: BodyWriter
  /// Under which the body is written.
  let bodyHead: ContainerHead
  let commitBody: () throws -> Void

  init(
    repository: Repository, name: SourceName, path: Path, newest: Snapshot?, base: Chain?, options: Backup.Options
  ) throws {
    let random = repository.host.random
    // A number that was seen is never used again, also where its snapshot is gone.
    let seen: [UInt64?] = try [
      repository.sequences(of: name).last, newest?.sequence, repository.memory?.head(of: name)?.sequence,
      repository.notes(of: name).notes.highest,
    ]
    let sequence = (seen.compactMap { $0 }.max() ?? 0) + 1
    let makeObject: (String) throws -> any ObjectWriter = { key in
      options.isDryRun ? DiscardingWriter() : try repository.store.create(key)
    }
    bodyHead = try repository.makeHead(.body, label: Array(path.description.utf8))
    let bodyObject = try makeObject(Keys.body(name, sequence, bodyHead.name.id))
    snapshot = random.identifier()
    self.sequence = sequence
    archives = try ArchiveSeries(
      repository: repository, source: name, sequence: sequence, firstNumber: base?.nextArchiveNumber ?? 0,
      compression: options.compression, makeObject: makeObject)
    body = try BodyWriter(
      ContainerWriter(bodyHead, sink: bodyObject),
      compression: options.compression)
    commitBody = { try bodyObject.commit() }
  }
}

/// Takes the place of an object when nothing is to be stored.
private final class DiscardingWriter: ObjectWriter {
  func append(_ bytes: UnsafeRawBufferPointer) {}
  func commit() {}
  func abort() {}
}
