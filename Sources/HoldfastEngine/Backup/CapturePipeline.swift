internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Walks the source beside the parent's state, lets workers read, digest, compare and compress what may have changed,
/// and records the changes in path order. This file contains the walk, which decides what may have changed;
/// FileCapture.swift opens files and cuts them into steps, CaptureResults.swift handles the results.
final class CapturePipeline {
  let host: Host
  let root: OpenFile
  private let scanner: Scanner
  private let detection: ChangeDetection
  let scratch: ScratchSpace
  let databases: LiveDatabases
  let parent: StateFile?
  let record: ChangeRecord
  let progress: any ProgressObserver
  private let pool: OrderedPool<CaptureJob>
  let spareJob: CaptureJob
  let bases: BaseSearch
  /// The parent's entries of files whose contents a database server gives only when it ends the backup.
  private var lateKnown: [Entry] = []
  var links: HardLinks

  init(
    host: Host, root: OpenFile, exclusions: [Glob], detection: ChangeDetection, parent: StateFile?,
    databases: LiveDatabases, compression: Compression, scratch: ScratchSpace, record: ChangeRecord,
    progress: any ProgressObserver
  ) throws {
    self.host = host
    self.scratch = scratch
    self.databases = databases
    self.root = root
    self.detection = detection
    self.parent = parent
    bases = BaseSearch(parent)
    links = HardLinks(root: root, files: host.files)
    self.record = record
    self.progress = progress
    scanner = Scanner(
      files: host.files, root: root, exclusions: exclusions, clusters: databases.clusters,
      withheld: databases.withheld)
    spareJob = try CaptureJob(host: host, compression: compression)
    pool = try OrderedPool(
      workers: host.workers, capacity: host.workers * 4 + 2, batch: 2,
      makeJob: { try CaptureJob(host: host, compression: compression) },
      perform: CaptureJob.perform)
  }

  /// The indexes of the exclusions that matched nothing.
  var unmatchedExclusions: Set<Int> { scanner.unmatchedExclusions }

  /// Captures everything.
  func run() throws {
    defer { pool.stop() }
    guard let postgres = databases.postgres else { return try walk() }
    record.beginPart(scratch)
    try walk()
    record.beginPart(scratch)
    var unlogged = UnloggedRelations(in: postgres.cluster, root: root, files: host.files)
    unlogged.look()
    let late = try postgres.stop(root: root, files: host.files)
    postgres.lateWarnings.forEach(progress.warn)
    unlogged.look()
    try captureLate(late)
    try postgres.checkLogIsKept(files: host.files)
    try record.mergeParts(leavingOut: unlogged.contains)
    for problem in unlogged.problems where !record.problems.contains(where: { $0.path == problem.path }) {
      record.add(problem)
    }
  }

  private func walk() throws {
    let known = parent?.makeReader()
    var previous = try nextKnown(known)
    while let finding = try scanner.next() {
      try host.cancellation.check()
      switch finding {
      case .problem(let problem, let item):
        record.add(problem)
        while let gone = previous, gone.path < problem.path {
          try add(.removed(gone.path))
          previous = try nextKnown(known)
        }
        previous = try keepUnexamined(problem.path, item, previous: previous, known)
      case .socket(let path): progress.note("\(path) is a socket: sockets have no content and are left out")
      case .item(let item):
        while let gone = previous, gone.path < item.path {
          try add(.removed(gone.path))
          previous = try nextKnown(known)
        }
        if let same = previous, same.path == item.path {
          try examine(item, previous: same, mapOffset: known?.mapOffset ?? 0)
          previous = try nextKnown(known)
        } else {
          try examine(item, previous: nil, mapOffset: 0)
        }
      }
    }
    while let gone = previous {
      try add(.removed(gone.path))
      previous = try nextKnown(known)
    }
    try drain()
  }

  private func drain() throws {
    if try !pool.next(take).steps.isEmpty { try submit() }
    try pool.drain(take)
  }

  /// Returns the next entry of the parent, except those that are captured late.
  private func nextKnown(_ known: StateReader?) throws -> Entry? {
    while let entry = try known?.nextEntry() {
      guard let postgres = databases.postgres, postgres.cluster.isLate(entry.path, entry.content) else { return entry }
      lateKnown.append(entry)
    }
    return nil
  }

  /// Captures the files that the server of a live cluster gave when it ended the backup.
  private func captureLate(_ files: [PostgresBackup.LateFile]) throws {
    var known = lateKnown[...]
    for late in files {
      while let gone = known.first, gone.path < late.item.path { try add(.removed(known.removeFirst().path)) }
      let previous = known.first?.path == late.item.path ? known.removeFirst() : nil
      let file = try LargeFile(
        item: late.item, source: late.source, before: late.item.status, pageSize: PageSize.postgreSQL,
        previous: previous, base: nil, scratch: scratch)
      try forEachStep(of: file) { step, bytes in try add(step, bytes: bytes) }
    }
    for gone in known { try add(.removed(gone.path)) }
    try drain()
  }

  /// Keeps the parent's entries at and below a path that could not be examined: they may still exist.
  /// - Returns: the first entry of the parent after them.
  private func keepUnexamined(
    _ path: Path, _ item: ScannedItem?, previous: Entry?, _ known: StateReader?
  ) throws -> Entry? {
    var previous = previous
    if let item {
      let same = previous?.path == path ? previous : nil
      try examine(item, previous: same, mapOffset: 0)
      if same != nil { previous = try nextKnown(known) }
    }
    while let kept = previous, path.contains(kept.path) {
      links.keep(kept)
      try add(.unchanged(kept))
      previous = try nextKnown(known)
    }
    return previous
  }

  // MARK: Steps

  func add(_ step: CaptureStep, bytes: Int = 0) throws {
    if try pool.next(take).plannedBytes + bytes > Limits.archiveFrameBytes { try submit() }
    let job = try pool.next(take)
    job.steps.append(step)
    job.plannedBytes += bytes
    if job.steps.count >= CaptureJob.stepsMax { try submit() }
  }

  private func submit() throws {
    try pool.next(take).head = record.headForNextJob()
    try pool.submit(take)
  }

  /// Takes a job that is done; they come in path order.
  private func take(_ job: CaptureJob) throws {
    try record.endArchives(before: job.head)
    try finish(job)
  }

  private func examine(_ item: ScannedItem, previous: Entry?, mapOffset: UInt64) throws {
    if databases.sqlite.isWaiting { databases.sqlite.letGo(before: item.path) }
    // Companions are found first: a file that is left out must not become the first name of a hard link.
    if databases.isCompanion(item.path, root: root, files: host.files) {
      return try add(.companion(item, previous: previous))
    }
    if let link = links.otherName(of: item) {
      progress.skip(bytes: item.status.size)
      let content = Content.hardLink(to: link)
      if let previous, previous.content == content, detection.isUnchanged(item.status, since: previous) {
        return try add(.unchanged(previous))
      }
      return try put(item, content: content, previous: previous)
    }
    try beginDatabase(in: item)
    if let previous, isUnchanged(item, since: previous) { return try add(.unchanged(previous)) }
    if try lookAgain(at: item) { try beginDatabase(in: item) }
    // The file beside it may turn out to be a database when it is read.
    if item.status.kind == .file, item.status.linkCount == 1, SQLiteCandidate.database(ofCompanion: item.path) != nil {
      return try add(.companion(item, previous: previous))
    }
    if item.status.kind == .file { return try capture(item, previous: previous, mapOffset: mapOffset) }
    if let content = try content(of: item, previous: previous) { try put(item, content: content, previous: previous) }
  }

  private func isUnchanged(_ item: ScannedItem, since previous: Entry) -> Bool {
    if previous.content.isHardLink || record.torn.contains(item.path) { return false }
    guard let database = databases.sqlite.capture(of: item.status) else {
      return detection.isUnchanged(item.status, since: previous)
    }
    guard detection.isUnchanged(item.status, captured: database, since: previous) else { return false }
    database.end()
    return true
  }

  /// Begins the capture of a database that was not begun before. If that fails, it is recorded, and the database is
  /// captured as a plain file.
  private func beginDatabase(in item: ScannedItem) throws {
    guard let database = databases.sqlite.capture(of: item.status) else { return }
    databases.sqlite.meet(database)
    do throws(SQLiteFailure) {
      try database.begin()
    } catch {
      // Descriptors may run out because jobs in progress have files open.
      guard error.kind == .noDescriptors else { return refuse(database, error) }
      try drain()
      do throws(SQLiteFailure) { try database.begin() } catch { refuse(database, error) }
    }
  }

  /// Examines a file that changed: it may have become a database, or one that a program writes to.
  /// - Returns: true if it is newly a database, and is now captured as its programs see it.
  func lookAgain(at item: ScannedItem) throws -> Bool {
    guard item.status.kind == .file, databases.sqlite.capture(of: item.status) == nil else { return false }
    let isLate = databases.look(at: item, root: root, files: host.files)
    guard databases.sqlite.capture(of: item.status) != nil else { return false }
    if isLate {
      progress.warn(
        "\(item.path) was opened or written while the backup ran: it is captured as one committed state, but not of one instant with the other databases"
      )
    }
    return true
  }

  func refuse(_ database: SQLiteCapture, _ failure: SQLiteFailure) {
    for refusal in databases.sqlite.refuse(database, failure) { record.note(refusal, progress: progress) }
  }

  /// Returns the content of an entry that is no file; `nil` if it vanished or cannot be read, which is recorded.
  private func content(of item: ScannedItem, previous: Entry?) throws -> Content? {
    switch item.status.kind {
    case .directory: return .directory
    case .fifo: return .fifo
    case .characterDevice: return .characterDevice(major: item.status.deviceMajor, minor: item.status.deviceMinor)
    case .blockDevice: return .blockDevice(major: item.status.deviceMajor, minor: item.status.deviceMinor)
    case .symbolicLink:
      if let target = item.linkTarget { return .symbolicLink(target: target) }
      do throws(SystemError) {
        return .symbolicLink(target: try item.readSymbolicLink(host.files))
      } catch {
        if error.isNotFound {
          try recordVanished(item.path, previous: previous, isInTurn: false)
        } else {
          record.add(Problem(path: item.path, reason: error.reason))
          if let previous { try add(.unchanged(previous)) }
        }
        return nil
      }
    case .file, .socket, .unknown: return nil
    }
  }

  private func put(_ item: ScannedItem, content: Content, previous: Entry?) throws {
    var extended: [ExtendedAttribute] = []
    var identity = item.status.identity
    do throws(SystemError) {
      extended = try item.extendedAttributes(host.files)
    } catch {
      if error.isNotFound { return try recordVanished(item.path, previous: previous, isInTurn: false) }
      record.addUnreadAttributes(of: item.path, error)
      identity = identity.ofIncomplete
    }
    let entry = Entry(
      path: item.path, attributes: item.status.attributes(extended: extended), content: content, identity: identity)
    try add(entry == previous ? .unchanged(entry) : .put(entry, previous: previous))
  }
}

extension Content {
  var isHardLink: Bool { if case .hardLink = self { true } else { false } }
}
