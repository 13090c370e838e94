internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Walks the source beside the parent's state, and decides what may have changed. That is cut into steps, which workers
/// perform (`CaptureQueue`), and whose results are recorded in path order (`CaptureResults`).
final class CapturePipeline {
  private let host: Host
  private let root: OpenFile
  private let scanner: Scanner
  private let detection: ChangeDetection
  private let scratch: ScratchSpace
  private let databases: LiveDatabases
  private let parent: StateFile?
  private let record: ChangeRecord
  private let progress: any ProgressObserver
  private let bases: BaseSearch
  private let links: HardLinks
  private let opener: FileOpener
  private let queue: CaptureQueue
  /// The parent's entries of files whose contents a database server gives only when it ends the backup.
  private var lateKnown: [Entry] = []

  init(
    host: Host, root: OpenFile, exclusions: [Glob], detection: ChangeDetection, parent: StateFile?,
    databases: LiveDatabases, compression: Compression, scratch: ScratchSpace, record: ChangeRecord,
    progress: any ProgressObserver
  ) throws {
    (self.host, self.root, self.detection, self.parent) = (host, root, detection, parent)
    (self.databases, self.record, self.scratch, self.progress) = (databases, record, scratch, progress)
    scanner = Scanner(
      files: host.files, root: root, exclusions: exclusions, clusters: databases.clusters,
      withheld: databases.withheld)
    bases = BaseSearch(parent)
    links = HardLinks(root: root, files: host.files)
    opener = FileOpener(
      host: host, root: root, databases: databases, bases: bases, links: links, record: record, detection: detection,
      scratch: scratch, progress: progress)
    let results = CaptureResults(
      host: host, root: root, parent: parent, databases: databases, links: links, opener: opener, record: record,
      spareJob: try CaptureJob(host: host, compression: compression), progress: progress)
    queue = try CaptureQueue(host: host, compression: compression, results)
  }

  /// The indexes of the exclusions that matched nothing.
  var unmatchedExclusions: Set<Int> { scanner.unmatchedExclusions }

  /// Captures everything.
  func run() throws {
    defer { queue.stop() }
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
          try queue.add(.removed(gone.path))
          previous = try nextKnown(known)
        }
        previous = try keepUnexamined(problem.path, item, previous: previous, known)
      case .socket(let path): progress.note("\(path) is a socket: sockets have no content and are left out")
      case .item(let item):
        while let gone = previous, gone.path < item.path {
          try queue.add(.removed(gone.path))
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
      try queue.add(.removed(gone.path))
      previous = try nextKnown(known)
    }
    try queue.drain()
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
      while let gone = known.first, gone.path < late.item.path { try queue.add(.removed(known.removeFirst().path)) }
      let previous = known.first?.path == late.item.path ? known.removeFirst() : nil
      let file = try LargeFile(
        item: late.item, source: late.source, before: late.item.status, pageSize: PageSize.postgreSQL,
        previous: previous, base: nil, scratch: scratch)
      try file.forEachStep(host.cancellation, queue.add(_:bytes:))
    }
    for gone in known { try queue.add(.removed(gone.path)) }
    try queue.drain()
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
      try queue.add(.unchanged(kept))
      previous = try nextKnown(known)
    }
    return previous
  }

  private func examine(_ item: ScannedItem, previous: Entry?, mapOffset: UInt64) throws {
    if databases.sqlite.isWaiting { databases.sqlite.letGo(before: item.path) }
    // Companions are found first: a file that is left out must not become the first name of a hard link.
    if databases.isCompanion(item.path, root: root, files: host.files) {
      return try queue.add(.companion(item, previous: previous))
    }
    if let link = links.otherName(of: item) {
      progress.skip(bytes: item.status.size)
      let content = Content.hardLink(to: link)
      if let previous, previous.content == content, detection.isUnchanged(item.status, since: previous) {
        return try queue.add(.unchanged(previous))
      }
      return try put(item, content: content, previous: previous)
    }
    try beginDatabase(in: item)
    if let previous, isUnchanged(item, since: previous) { return try queue.add(.unchanged(previous)) }
    if try opener.lookAgain(at: item) { try beginDatabase(in: item) }
    // The file beside it may turn out to be a database when it is read.
    if item.status.kind == .file, item.status.linkCount == 1, SQLiteCandidate.database(ofCompanion: item.path) != nil {
      return try queue.add(.companion(item, previous: previous))
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
      guard error.kind == .noDescriptors else { return opener.refuse(database, error) }
      try queue.drain()
      do throws(SQLiteFailure) { try database.begin() } catch { opener.refuse(database, error) }
    }
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
          try queueVanished(item.path, previous: previous)
        } else {
          record.add(Problem(path: item.path, reason: error.reason))
          if let previous { try queue.add(.unchanged(previous)) }
        }
        return nil
      }
    case .file, .socket, .unknown: return nil
    }
  }

  private func capture(_ item: ScannedItem, previous: Entry?, mapOffset: UInt64) throws {
    let isDatabase = databases.sqlite.capture(of: item.status) != nil
    let base = try bases.base(of: item, isDatabase: isDatabase, previous: previous, mapOffset: mapOffset)
    let isPlain =
      !isDatabase && databases.atRest[item.path] == nil && databases.cluster(of: item.path) == nil
      && !record.torn.contains(item.path)
    guard isPlain, item.status.size <= UInt64(Limits.archiveFrameBytes) else {
      return try captureLarge(item, previous: previous, base: base)
    }
    var digests = BaseDigests.none
    if let base {
      var feed = DigestFeed(base.extents())
      digests = try feed.take(Int(Pages.count(size: item.status.size, pageSize: base.file.pageSize)))
    }
    try queue.add(
      .smallFile(SmallFile(item: item, previous: previous, base: base, baseDigests: digests)),
      bytes: Int(item.status.size))
  }

  private func captureLarge(_ item: ScannedItem, previous: Entry?, base: BaseFile?) throws {
    switch try opener.open(item, previous: previous, base: base) {
    case .opened(let file): try file.forEachStep(host.cancellation, queue.add(_:bytes:))
    case .vanished: try queueVanished(item.path, previous: previous)
    case .unreadable(let reason):
      record.add(Problem(path: item.path, reason: reason))
      try queue.add(.put(item.withoutContent, previous: previous))
    }
  }

  private func queueVanished(_ path: Path, previous: Entry?) throws {
    if previous != nil { try queue.add(.removed(path)) }
  }

  private func put(_ item: ScannedItem, content: Content, previous: Entry?) throws {
    var extended: [ExtendedAttribute] = []
    var identity = item.status.identity
    do throws(SystemError) {
      extended = try item.extendedAttributes(host.files)
    } catch {
      if error.isNotFound { return try queueVanished(item.path, previous: previous) }
      record.addUnreadAttributes(of: item.path, error)
      identity = identity.ofIncomplete
    }
    let entry = Entry(
      path: item.path, attributes: item.status.attributes(extended: extended), content: content, identity: identity)
    try queue.add(entry == previous ? .unchanged(entry) : .put(entry, previous: previous))
  }
}

extension ScannedItem {
  /// The entry of a file that cannot be read: a file without content.
  var withoutContent: Entry {
    Entry(
      path: path, attributes: status.attributes(extended: []), content: .directory, identity: status.identity
    ).withoutContent
  }
}

extension Content {
  var isHardLink: Bool { if case .hardLink = self { true } else { false } }
}
