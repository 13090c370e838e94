internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem

/// Reads the log of a live cluster since the parent, for the pages that may have changed.
final class LogReading {
  private let backup: PostgresBackup
  private let source: SourceName
  private let repository: Repository
  private let options: Backup.Options
  private let root: OpenFile
  private let progress: any ProgressObserver
  private var serverSegments: Set<WALFileName> = []
  private var archivedSegments: Set<WALFileName> = []
  /// The uptime at which the first archived segment was asked for, and the stored bytes of all of them.
  private var fetching: (since: TimeSpan, bytes: UInt64)?
  private var host: Host { repository.host }

  /// - Parameter root: the root of the source.
  init(
    _ backup: PostgresBackup, of source: SourceName, in repository: Repository, _ options: Backup.Options,
    root: OpenFile, progress: any ProgressObserver
  ) {
    (self.backup, self.source, self.repository) = (backup, source, repository)
    (self.options, self.root, self.progress) = (options, root, progress)
  }

  /// - Parameters:
  ///   - base: the chain and state that the snapshot builds on.
  ///   - dataBytes: the bytes that a capture without the log may have to read.
  ///   - doubt: the finding of an earlier attempt that the log does not name all pages.
  /// - Returns: the pages to read, or the reason why changed files are read whole; `nil` for both without a parent.
  func run(
    since base: BackupBase, dataBytes: UInt64, doubt: LogDoubt?
  ) throws -> (increment: LogIncrement?, use: LogUse?) {
    guard base.kind != .full, let state = base.state, let tip = base.chain?.tip.envelope, let parent = tip.postgres
    else {
      return (nil, base.kind == .full ? nil : LogUse(refusal: "the parent is no capture of a running server"))
    }
    if let doubt { return (nil, LogUse(refusal: doubt.message)) }
    if options.isParanoid { return (nil, LogUse(refusal: "--paranoid reads everything")) }
    do {
      let log = try log(since: parent, dataBytes: dataBytes)
      try checkHistory(of: parent, state, log.segmentSize)
      let blocks = try log.blocks(read)
      var use = LogUse()
      use.logBytes = log.end.value - log.start.value
      use.serverSegments = UInt64(serverSegments.count)
      use.archivedSegments = UInt64(archivedSegments.count)
      let increment = LogIncrement(
        of: backup, since: parent.start, tip.started, blocks, options, random: host.random, use: use)
      return (increment, nil)
    } catch let interruption as Interrupted {
      throw interruption
    } catch let refusal as LogRefusal {
      return (nil, LogUse(refusal: refusal.reason))
    } catch {
      let reason = "the log since the parent cannot be read: \(describe(error).message)"
      // That a machine cannot open what is sealed is so at every run. All else is damage, a disk that fails, or a store
      // that is away: the snapshot does without, but somebody must look.
      if !(error is KeyError) { progress.warn("\(reason): all files that have changed are read whole") }
      return (nil, LogUse(refusal: reason))
    }
  }

  private func log(since parent: Envelope.Postgres, dataBytes: UInt64) throws(LogRefusal) -> LogBetween {
    let cluster = backup.cluster
    guard parent.system == String(cluster.control.system) else { throw LogRefusal("the parent is of another cluster") }
    guard parent.version == cluster.version else { throw LogRefusal("the parent is of PostgreSQL \(parent.version)") }
    guard let timeline = backup.timeline else { throw LogRefusal("the server is a standby") }
    guard parent.timeline == timeline else {
      throw LogRefusal("the server is on timeline \(timeline), and was on \(parent.timeline)")
    }
    guard cluster.control.hasUsualBlocks else {
      throw LogRefusal("the server was built with other sizes of blocks or files than usual")
    }
    guard parent.start < backup.start, let log = backup.log(since: parent.start) else {
      throw LogRefusal("the log begins anew since the parent")
    }
    let bytes = backup.start.value - parent.start.value
    guard bytes <= dataBytes else {
      throw LogRefusal(
        "there are \(Amount.bytes(bytes)) of log since the parent, and only \(Amount.bytes(dataBytes)) of files")
    }
    return log
  }

  /// Checks that the log is the one that the parent saw. After a restore in place, a server may write another log under
  /// the same names.
  private func checkHistory(of parent: Envelope.Postgres, _ state: StateFile, _ size: WALSegmentSize) throws {
    let last = LogSequenceNumber(max(parent.start.value, parent.stop.value &- 1))
    guard let name = WALFileName(timeline: parent.timeline, number: size.number(of: last), size: size) else {
      throw LogRefusal("the parent names no segment of a log")
    }
    guard let known = try file(at: backup.cluster.root.appending("pg_wal").appending(name.text), in: state),
      known.pageSize == PageSize.postgreSQL
    else { throw LogRefusal("the parent does not have \(name)") }
    var digest = PageDigestStream()
    var count: UInt64 = 0
    try read(name) { bytes in
      let pageSize = Int(known.pageSize)
      var digests = [UInt8](
        repeating: 0, count: (bytes.count + pageSize - 1) / pageSize * PageDigest.byteCount)
      digests.withUnsafeMutableBytes { PageHasher.hash(bytes, pageSize: pageSize, into: $0) }
      digest.add(digests)
      count += UInt64(bytes.count)
    }
    guard digest.finish(size: count, pageSize: known.pageSize) == known.digest else {
      throw LogRefusal("the log is another one than the parent saw: \(name) differs")
    }
  }

  private func file(at path: Path, in state: StateFile) throws -> FileContent? {
    let entries = state.makeReader()
    while let entry = try entries.nextEntry(), entry.path <= path {
      if entry.path == path { return entry.file }
    }
    return nil
  }

  /// Passes the bytes of a segment to `body`: from the server if it still has it, otherwise from the repository.
  private func read(_ name: WALFileName, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    try host.cancellation.check()
    if try backup.readSegment(name, root: root, files: host.files, body) {
      serverSegments.insert(name)
      return
    }
    try checkFetching(0)
    let archive = WALArchive(repository, of: source)
    guard let archived = try archive.find(name, of: SystemIdentifier(backup.cluster.control.system)) else {
      throw LogRefusal("\(name) is neither in pg_wal any more nor archived for \(source)")
    }
    try checkFetching(archived.manifest.object.length)
    try archive.read(archived) { bytes in
      try checkFetching(0)
      try body(bytes)
    }
    archivedSegments.insert(name)
  }

  /// Checks that the fetching of archived log stays within its limits. The server is in backup mode and keeps all of
  /// its log meanwhile, so that a far store would fill its disk.
  private func checkFetching(_ bytes: UInt64) throws(LogRefusal) {
    let now = host.clock.uptime()
    let (since, before) = fetching ?? (now, 0)
    let sum = before.saturatingAdding(bytes)
    fetching = (since, sum)
    guard sum <= options.archivedLogBytes, now - since <= options.archivedLogTime else {
      throw LogRefusal(
        "more than \(Amount.bytes(options.archivedLogBytes)) or \(options.archivedLogTime) of archived log would have to be fetched while the server keeps its own"
      )
    }
  }
}
