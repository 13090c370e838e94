internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Walks the source beside the parent's state, lets workers read, digest, compare and compress what may have changed, and writes down the changes in
/// path order.
final class CapturePipeline {
  private static let madeMeanwhile = "it is an SQLite database that was made while the backup ran"
  private let host: Host
  private let root: OpenFile
  private let scanner: Scanner
  private let detection: ChangeDetection
  private let scratch: ScratchSpace
  private var databases: LiveDatabases
  private let parent: StateFile?
  private let record: ChangeRecord
  private let progress: any ProgressObserver
  private let pool: OrderedPool<CaptureJob>
  private let spareJob: CaptureJob
  private let bases: BaseSearch
  /// What the parent has of files that a database server tells at the end only.
  private var lateKnown: [Entry] = []
  private var links: HardLinks

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

  /// The exclusions that matched nothing, by their numbers.
  var unmatchedExclusions: Set<Int> { scanner.unmatchedExclusions }

  /// Captures everything.
  func run() throws {
    defer { pool.stop() }
    pool.consume = { [unowned self] job in
      try record.endArchives(before: job.head)
      try finish(job)
    }
    guard let postgres = databases.postgres else { return try walk() }
    record.beginPart(scratch)
    try walk()
    record.beginPart(scratch)
    var unlogged = UnloggedRelations(in: postgres.cluster, root: root, files: host.files)
    unlogged.look()
    let late = try postgres.stop(root: root, files: host.files)
    postgres.remarks.forEach(progress.warn)
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
    if try !pool.next().steps.isEmpty { try submit() }
    try pool.drain()
  }

  /// The next entry of the parent, but for those whose turn comes late.
  private func nextKnown(_ known: StateReader?) throws -> Entry? {
    while let entry = try known?.nextEntry() {
      guard let postgres = databases.postgres, postgres.cluster.isLate(entry.path, entry.content) else { return entry }
      lateKnown.append(entry)
    }
    return nil
  }

  /// Captures what the server of a live cluster told when it ended the backup.
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

  /// What could not be examined is not gone: what the parent has of it stays.
  /// - Returns: the first entry of the parent behind it.
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

  private func add(_ step: CaptureStep, bytes: Int = 0) throws {
    if try pool.next().plannedBytes + bytes > Limits.archiveFrameBytes { try submit() }
    let job = try pool.next()
    job.steps.append(step)
    job.plannedBytes += bytes
    if job.steps.count >= CaptureJob.stepsMax { try submit() }
  }

  private func submit() throws {
    try pool.next().head = record.headForNextJob()
    try pool.submit()
  }

  private func examine(_ item: ScannedItem, previous: Entry?, mapOffset: UInt64) throws {
    databases.sqlite.letGo(before: item.path)
    // First of all: what is left out must not become the first name of anything.
    if databases.isCompanion(item.path, root: root, files: host.files) {
      progress.skip(bytes: item.status.size)
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
    if item.status.kind == .file { return try capture(item, previous: previous, mapOffset: mapOffset) }
    if let content = try content(of: item, previous: previous) { try put(item, content: content, previous: previous) }
  }

  private func isUnchanged(_ item: ScannedItem, since previous: Entry) -> Bool {
    if previous.content.isHardLink || record.tornReasons[item.path] != nil { return false }
    guard let database = databases.sqlite.capture(of: item.status) else {
      return detection.isUnchanged(item.status, since: previous)
    }
    guard detection.isUnchanged(item.status, captured: database, since: previous) else { return false }
    database.end()
    return true
  }

  /// Begins the capture of a database whose turn comes only now. Where that cannot be, it is recorded, and it is captured as a plain file.
  private func beginDatabase(in item: ScannedItem) throws {
    guard let database = databases.sqlite.capture(of: item.status) else { return }
    databases.sqlite.meet(database)
    do throws(SQLiteFailure) {
      try database.begin()
    } catch {
      // What is under way has files open.
      guard error.kind == .noDescriptors else { return refuse(database, error) }
      try drain()
      do throws(SQLiteFailure) { try database.begin() } catch { refuse(database, error) }
    }
  }

  /// Looks whether a file that changed has become a database, or one that somebody writes to.
  /// - Returns: whether it was none before, and is captured as its programs see it.
  private func lookAgain(at item: ScannedItem) throws -> Bool {
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

  private func refuse(_ database: SQLiteCapture, _ failure: SQLiteFailure) {
    for refusal in databases.sqlite.refuse(database, failure) { record.note(refusal, progress: progress) }
  }

  /// `nil` when it vanished or cannot be read, which is recorded.
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

  // MARK: Files

  private func capture(_ item: ScannedItem, previous: Entry?, mapOffset: UInt64) throws {
    let isDatabase = databases.sqlite.capture(of: item.status) != nil
    let base = try bases.base(of: item, isDatabase: isDatabase, previous: previous, mapOffset: mapOffset)
    let isPlain =
      !isDatabase && databases.atRest[item.path] == nil && databases.cluster(of: item.path) == nil
      && record.tornReasons[item.path] == nil
    guard isPlain, item.status.size <= UInt64(Limits.archiveFrameBytes) else {
      if let file = try openLarge(item, previous: previous, base: base, isInTurn: false) {
        try forEachStep(of: file) { step, bytes in try add(step, bytes: bytes) }
      }
      return
    }
    var digests = BaseDigests.none
    if let base {
      var feed = DigestFeed(base.runs())
      digests = try feed.take(Int(Pages.count(size: item.status.size, pageSize: base.file.pageSize)))
    }
    try add(
      .smallFile(SmallFile(item: item, previous: previous, base: base, baseDigests: digests)),
      bytes: Int(item.status.size))
  }

  /// Opens a file that is read chunk by chunk; `nil` when it vanished or cannot be read, which is recorded.
  /// - Parameter isInTurn: whether everything before it in path order is written down; else what is recorded is queued.
  private func openLarge(
    _ item: ScannedItem, previous: Entry?, base: BaseFile?, after earlier: LargeFile? = nil, isInTurn: Bool
  ) throws -> LargeFile? {
    if let database = databases.sqlite.capture(of: item.status),
      let file = try openDatabase(item, database, previous: previous, base: base, after: earlier)
    {
      return file
    }
    let opened: Result<OpenedFile, SystemError> = Result { () throws(SystemError) in
      try OpenedFile(item, files: host.files)
    }
    let file: OpenedFile
    switch opened {
    case .success(let success):
      file = success
      if item.status.linkCount > 1, !file.status.isSameFile(as: item.status) { links.lose(item.path) }
    case .failure(let error):
      if item.status.linkCount > 1 { links.lose(item.path) }
      if error.isNotFound {
        try recordVanished(item.path, previous: previous, isInTurn: isInTurn)
      } else {
        try recordUnreadable(item, reason: error.reason, previous: previous, isInTurn: isInTurn)
      }
      return nil
    }
    if isMadeMeanwhile(file, item) {
      let now = ScannedItem(path: item.path, status: file.status, directory: nil, isInPostgreSQL: false, root: root)
      if try lookAgain(at: now), let database = databases.sqlite.capture(of: now.status),
        let large = try openDatabase(now, database, previous: previous, base: base, after: earlier)
      {
        return large
      }
      if isMadeMeanwhile(file, item) { record.tornReasons[item.path] = Self.madeMeanwhile }
    }
    let isReplaced = previous.map { $0.identity.inode != file.status.inode } ?? true
    let found = try base?.isSamePath == false || !isReplaced ? base : bases.base(beginningWith: file.page) ?? base
    let pageSize =
      found?.file.pageSize ?? earlier?.pageSize
      ?? PageSize.choose(
        head: file.page.used, size: file.status.size, isInPostgreSQL: item.isInPostgreSQL)
    return try LargeFile(
      item: item,
      source: databases.source(
        of: file.handle, at: item.path, before: file.status, attempt: (earlier?.attempt ?? 0) + 1),
      before: file.status, pageSize: pageSize, previous: previous, base: found,
      after: earlier, scratch: scratch)
  }

  /// Whether a file that was none when it was looked at is a database now: then nothing tells whether somebody writes to it.
  private func isMadeMeanwhile(_ file: OpenedFile, _ item: ScannedItem) -> Bool {
    databases.atRest[item.path] == nil && record.tornReasons[item.path] == nil
      && !file.status.isUntouched(since: item.status) && SQLiteCandidate.isBeginning(file.page.used)
  }

  /// A database is read as its programs see it, whatever its size.
  /// - Returns: `nil` where that cannot be, which is recorded: then it is a plain file.
  private func openDatabase(
    _ item: ScannedItem, _ database: SQLiteCapture, previous: Entry?, base: BaseFile?, after earlier: LargeFile?
  ) throws -> LargeFile? {
    do throws(SQLiteFailure) {
      if earlier == nil { try database.begin() } else { try beginAgain(database) }
    } catch {
      refuse(database, error)
      return nil
    }
    let head = Buffer(capacity: PageSize.headCount)
    // What fails here fails again when it counts.
    head.count = (try? database.read(into: head.bytes, at: 0)) ?? 0
    let pageSize =
      base?.file.pageSize ?? earlier?.pageSize
      ?? PageSize.choose(head: head.used, size: database.size, isInPostgreSQL: false)
    return try LargeFile(
      item: item, source: database, before: item.status.with(size: database.size, allocated: database.allocated),
      pageSize: pageSize, previous: previous, base: base, after: earlier, scratch: scratch)
  }

  private func beginAgain(_ database: SQLiteCapture) throws(SQLiteFailure) {
    if database.isOfOneInstant {
      progress.warn(
        "\(database.path) was changed though it was locked: it is read again, and is not of one instant with the other databases"
      )
    }
    try database.beginAgain()
    if database.keepsWritersWaiting {
      progress.note(
        "writers of \(database.path) wait until it is captured: others committed each time it was read")
    }
  }

  /// Hands out the steps that capture a large file: chunks of data, holes between them, and the end.
  private func forEachStep(of file: LargeFile, _ body: (CaptureStep, _ bytes: Int) throws -> Void) throws {
    let size = file.before.size
    let page = UInt64(file.pageSize)
    let isSparse = file.before.allocated < size
    var offset: UInt64 = 0
    while offset < size, !file.isLost {
      let data = isSparse ? try file.source.nextData(from: offset, size: size) : offset..<size
      let start = (data?.lowerBound).map { max(offset, $0 / page * page) } ?? size
      if start > offset {
        let pageCount = Pages.count(size: start - offset, pageSize: file.pageSize)
        let changed = try file.takeHole(firstPage: offset / page, pageCount: pageCount)
        try body(.hole(file, pageCount: pageCount, changed: changed), 0)
      }
      offset = start
      let end = data.map { Pages.count(size: $0.upperBound, pageSize: file.pageSize) * page } ?? size
      while offset < min(end, size), !file.isLost {
        try host.cancellation.check()
        let length = Int(min(UInt64(Limits.archiveFrameBytes), min(end, size) - offset))
        let base = try file.takeBase(Int(Pages.count(size: UInt64(length), pageSize: file.pageSize)))
        try body(.chunk(Chunk(file: file, offset: offset, length: length, baseDigests: base)), length)
        offset += UInt64(length)
      }
    }
    try body(.end(file), 0)
  }

  /// Captures a file at once on this thread, while the jobs of what comes after it may be under way.
  private func captureInline(_ file: LargeFile) throws {
    try forEachStep(of: file) { step, _ in
      spareJob.steps = [step]
      spareJob.head = try record.headForNextJob()
      CaptureJob.perform([spareJob])
      try finish(spareJob)
    }
  }

  // MARK: Results

  /// Writes down what a job brought, in order.
  private func finish(_ job: CaptureJob) throws {
    defer { job.reset() }
    if let failure = job.failure { throw failure }
    let location = try record.place(job)
    var files: UInt64 = 0
    var skippedBytes: UInt64 = 0
    let readBytes = job.readBytes
    for step in job.steps {
      switch step {
      case .unchanged(let entry):
        skippedBytes &+= entry.file?.size ?? 0
        if try !finishLostLink(entry, previous: entry) { try record.keep(entry) }
      case .put(let entry, let previous):
        if try !finishLostLink(entry, previous: previous) {
          try record.put(entry, previous: previous, inherits: false, runs: nil)
        }
      case .removed(let path): try record.remove(path)
      case .companion(let item, let previous): try finishCompanion(item, previous: previous)
      case .smallFile(let file):
        files += 1
        try finish(file, at: location)
      case .chunk(let chunk):
        record.count(chunk.runs)
        try chunk.file.add(chunk, at: location)
      case .hole(let file, let pageCount, let changed):
        skippedBytes &+= pageCount &* UInt64(file.pageSize)
        try file.addHole(pageCount: pageCount, changed: changed)
      case .end(let file):
        files += 1
        try finish(file)
      }
    }
    record.changes.readBytes += readBytes
    record.density += job.density
    progress.skip(bytes: skippedBytes)
    progress.advance(bytes: readBytes, files: files)
  }

  /// What SQLite keeps beside a database is left out, unless the database was captured as a plain file in the end: then it belongs to that.
  private func finishCompanion(_ item: ScannedItem, previous: Entry?) throws {
    if databases.isCompanion(item.path, root: root, files: host.files) {
      if let previous { try record.remove(previous.path) }
    } else if let file = try openLarge(item, previous: previous, base: nil, isInTurn: true) {
      try captureInline(file)
    }
  }

  /// A hard link to a name that vanished or was replaced since the scan is captured as the file itself, and is the first name of those after it.
  /// - Returns: whether it was one, and is written down.
  private func finishLostLink(_ entry: Entry, previous: Entry?) throws -> Bool {
    switch links.fate(of: entry) {
    case .sound: return false
    case .leads(let heir):
      var link = entry
      link.content = .hardLink(to: heir)
      try record.put(link, previous: previous, inherits: false, runs: nil)
    case .inherits(let first): try finish(entry, inheritingFrom: first, previous: previous)
    }
    return true
  }

  private func finish(_ entry: Entry, inheritingFrom first: Path, previous: Entry?) throws {
    let status: FileStatus
    do throws(SystemError) {
      status = try host.files.status(of: entry.path, in: root)
    } catch {
      if error.isNotFound { return try recordVanished(entry.path, previous: previous, isInTurn: true) }
      if record.problems.allSatisfy({ !$0.path.contains(entry.path) }) {
        record.add(Problem(path: entry.path, reason: error.reason))
      }
      return try keepContent(of: first, as: entry, previous: previous)
    }
    links.inherit(entry.path, from: first)
    let item = ScannedItem(path: entry.path, status: status, directory: nil, isInPostgreSQL: false, root: root)
    if let file = try openLarge(item, previous: previous, base: nil, isInTurn: true) { try captureInline(file) }
  }

  /// What the parent has of a file under its first name stays under another one that cannot be examined.
  private func keepContent(of first: Path, as entry: Entry, previous: Entry?) throws {
    let known = parent?.makeReader()
    while let file = try known?.nextEntry() {
      guard file.path == first, file.file != nil, let runs = known?.runs() else { continue }
      links.inherit(entry.path, from: first)
      var kept = entry
      kept.content = file.content
      return try record.put(kept, previous: previous, inherits: false, runs: runs)
    }
    try recordVanished(entry.path, previous: previous, isInTurn: true)
  }

  private func finish(_ file: SmallFile, at location: PageLocation?) throws {
    if file.item.status.linkCount > 1, !file.isSameFile { links.lose(file.item.path) }
    if let problem = file.attributeProblem { record.addUnreadAttributes(of: file.item.path, problem) }
    switch file.outcome {
    case .vanished: try recordVanished(file.item.path, previous: file.previous, isInTurn: true)
    case .unreadable(let reason):
      try recordUnreadable(file.item, reason: reason, previous: file.previous, isInTurn: true)
    case .outgrown:
      if let large = try openLarge(file.item, previous: file.previous, base: file.base, isInTurn: true) {
        try captureInline(large)
      }
    case .captured(let entry, let runs):
      record.count(runs)
      let moved = ListedRuns(runs.map { $0.moved(to: location) })
      guard let base = file.base, !base.isSamePath, let content = entry.file else {
        return try record.put(entry, previous: file.previous, inherits: file.base != nil, runs: moved)
      }
      let all = try PageMapOverlay(layers: [moved, base.runs()], file: content, coversAll: true, name: "the capture")
      try record.put(entry, previous: file.previous, inherits: false, runs: all)
    }
  }

  private func finish(_ file: LargeFile) throws {
    let database = file.source as? SQLiteCapture
    let verdict: CaptureVerdict
    do throws(SystemError) {
      if let failure = file.failure { throw failure }
      verdict = try file.isCutShort && !file.source.mayShrink ? .changed : file.source.verdict()
    } catch {
      if let database {
        refuse(database, SQLiteFailure(error))
        return try captureAgain(file)
      }
      return try recordUnreadable(file.item, reason: error.reason, previous: file.previous, isInTurn: true)
    }
    if verdict == .changed, file.mayBeTriedAgain { return try captureAgain(file) }
    defer { database?.end() }
    var consistency = ConsistencyClass.torn
    if case .whole(let kind) = verdict, record.tornReasons[file.item.path] == nil { consistency = kind }
    var extended: [ExtendedAttribute]?
    do throws(SystemError) {
      extended = try file.source.extendedAttributes()
    } catch {
      record.addUnreadAttributes(of: file.item.path, error)
    }
    var entry = file.entry(extended: extended ?? [], consistency: consistency)
    if extended == nil { entry.identity = entry.identity.ofIncomplete }
    try record.put(
      entry, previous: file.previous, inherits: file.base?.isSamePath ?? false, runs: try file.runs())
  }

  private func captureAgain(_ file: LargeFile) throws {
    if databases.atRest[file.item.path] != nil, let now = try? host.files.status(of: file.item.path, in: root) {
      _ = try lookAgain(
        at: ScannedItem(path: file.item.path, status: now, directory: nil, isInPostgreSQL: false, root: root))
    }
    let again = try openLarge(file.item, previous: file.previous, base: file.base, after: file, isInTurn: true)
    if let again { try captureInline(again) }
  }

  private func recordVanished(_ path: Path, previous: Entry?, isInTurn: Bool) throws {
    guard previous != nil else { return }
    if isInTurn { try record.remove(path) } else { try add(.removed(path)) }
  }

  /// Names a file that cannot be read: in the report, and in the snapshot as a file without content.
  private func recordUnreadable(_ item: ScannedItem, reason: String, previous: Entry?, isInTurn: Bool) throws {
    record.add(Problem(path: item.path, reason: reason))
    let content = FileContent(
      size: 0, pageSize: PageSize.standard, consistency: .unreadable,
      digest: PageDigestStream().finish(size: 0, pageSize: PageSize.standard))
    let entry = Entry(
      path: item.path, attributes: item.status.attributes(extended: []), content: .file(content),
      identity: item.status.identity)
    if isInTurn {
      try record.put(entry, previous: previous, inherits: false, runs: nil)
    } else {
      try add(.put(entry, previous: previous))
    }
  }
}

extension Content {
  var isHardLink: Bool { if case .hardLink = self { true } else { false } }
}
