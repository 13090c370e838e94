internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Records the results of jobs in path order, and captures files again that changed while they were read.
final class CaptureResults {
  private let host: Host
  private let root: OpenFile
  private let parent: StateFile?
  private let databases: LiveDatabases
  private let links: HardLinks
  private let opener: FileOpener
  private let record: ChangeRecord
  private let spareJob: CaptureJob
  private let progress: any ProgressObserver

  /// - Parameter spareJob: performs what is captured on this thread, while the jobs of workers are in progress.
  init(
    host: Host, root: OpenFile, parent: StateFile?, databases: LiveDatabases, links: HardLinks, opener: FileOpener,
    record: ChangeRecord, spareJob: CaptureJob, progress: any ProgressObserver
  ) {
    (self.host, self.root, self.parent, self.databases) = (host, root, parent, databases)
    (self.links, self.opener, self.record) = (links, opener, record)
    (self.spareJob, self.progress) = (spareJob, progress)
  }

  /// The archive for which the frame of the next job is made.
  func headForNextJob() throws -> ContainerHead { try record.headForNextJob() }

  /// Takes a job that is done; they come in path order.
  func take(_ job: CaptureJob) throws {
    try record.endArchives(before: job.head)
    try finish(job)
  }

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
          try record.put(entry, previous: previous, inherits: false, extents: nil)
        }
      case .removed(let path): try record.remove(path)
      case .companion(let item, let previous): try finishCompanion(item, previous: previous)
      case .smallFile(let file):
        files += 1
        try finish(file, at: location)
      case .chunk(let chunk):
        record.count(chunk.extents)
        try databases.log?.judge(chunk.different, of: chunk.file)
        try chunk.file.add(chunk, at: location)
      case .hole(let file, let pageCount, let changed):
        skippedBytes &+= pageCount &* UInt64(file.pageSize)
        try file.addHole(pageCount: pageCount, changed: changed)
      case .known(let file, let pageCount, let digests):
        skippedBytes &+= pageCount &* UInt64(file.pageSize)
        file.addKnown(digests, pageCount: pageCount)
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

  /// Leaves out a companion of a database, unless the database was captured as a plain file in the end: then the
  /// companion belongs to it.
  private func finishCompanion(_ item: ScannedItem, previous: Entry?) throws {
    if databases.isCompanion(item.path, root: root, files: host.files) {
      progress.skip(bytes: item.status.size)
      if let previous { try record.remove(previous.path) }
    } else {
      try capture(item, previous: previous, base: nil)
    }
  }

  /// Captures a hard link as the file itself if its first name vanished or was replaced since the scan. It becomes the
  /// first name for the links after it.
  /// - Returns: true if the first name was lost; then the entry is recorded.
  private func finishLostLink(_ entry: Entry, previous: Entry?) throws -> Bool {
    switch links.resolution(of: entry) {
    case .sound: return false
    case .leads(let heir):
      var link = entry
      link.content = .hardLink(to: heir)
      try record.put(link, previous: previous, inherits: false, extents: nil)
    case .inherits(let first): try finish(entry, inheritingFrom: first, previous: previous)
    }
    return true
  }

  private func finish(_ entry: Entry, inheritingFrom first: Path, previous: Entry?) throws {
    let status: FileStatus
    do throws(SystemError) {
      status = try host.files.status(of: entry.path, in: root)
    } catch {
      if error.isNotFound { return try recordVanished(entry.path, previous: previous) }
      if record.problems.allSatisfy({ !$0.path.contains(entry.path) }) {
        record.add(Problem(path: entry.path, reason: error.reason))
      }
      return try keepContent(of: first, as: entry, previous: previous)
    }
    links.inherit(entry.path, from: first)
    let item = ScannedItem(path: entry.path, status: status, directory: nil, isInPostgreSQL: false, root: root)
    try capture(item, previous: previous, base: nil)
  }

  /// Keeps the content that the parent has under the first name of a file whose other name cannot be examined.
  private func keepContent(of first: Path, as entry: Entry, previous: Entry?) throws {
    let known = parent?.makeReader()
    while let file = try known?.nextEntry() {
      guard file.path == first, file.file != nil, let extents = known?.extents() else { continue }
      links.inherit(entry.path, from: first)
      var kept = entry
      kept.content = file.content
      return try record.put(kept, previous: previous, inherits: false, extents: extents)
    }
    try recordVanished(entry.path, previous: previous)
  }

  private func finish(_ file: SmallFile, at location: PageLocation?) throws {
    if file.item.status.linkCount > 1, !file.isSameFile { links.lose(file.item.path) }
    if let problem = file.attributeProblem { record.addUnreadAttributes(of: file.item.path, problem) }
    switch file.outcome {
    case .vanished: try recordVanished(file.item.path, previous: file.previous)
    case .unreadable(let reason):
      try recordUnreadable(file.item, reason: reason, previous: file.previous)
    case .outgrown: try capture(file.item, previous: file.previous, base: file.base)
    case .captured(let entry, let extents):
      record.count(extents)
      let moved = ListedExtents(extents.map { $0.moved(to: location) })
      guard let base = file.base, !base.isSamePath, let content = entry.file else {
        return try record.put(entry, previous: file.previous, inherits: file.base != nil, extents: moved)
      }
      let all = try PageMapOverlay(
        layers: [moved, base.extents()], file: content, coversAll: true, name: "the capture")
      try record.put(entry, previous: file.previous, inherits: false, extents: all)
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
        opener.refuse(database, SQLiteFailure(error))
        return try captureAgain(file)
      }
      return try recordUnreadable(file.item, reason: error.reason, previous: file.previous)
    }
    if verdict == .changed, file.mayBeTriedAgain { return try captureAgain(file) }
    defer { database?.end() }
    let consistency = record.torn.consistency(of: file.item.path, after: verdict)
    var extended: [ExtendedAttribute]?
    do throws(SystemError) {
      extended = try file.source.extendedAttributes()
    } catch {
      record.addUnreadAttributes(of: file.item.path, error)
    }
    var entry = file.entry(extended: extended ?? [], consistency: consistency)
    if extended == nil { entry.identity = entry.identity.ofIncomplete }
    try record.put(
      entry, previous: file.previous, inherits: file.base?.isSamePath ?? false, extents: try file.extents())
  }

  private func captureAgain(_ file: LargeFile) throws {
    if databases.atRest[file.item.path] != nil, let now = try? host.files.status(of: file.item.path, in: root) {
      _ = try opener.lookAgain(
        at: ScannedItem(path: file.item.path, status: now, directory: nil, isInPostgreSQL: false, root: root))
    }
    try capture(file.item, previous: file.previous, base: file.base, after: file)
  }

  /// Captures a file on this thread, while jobs for later paths may be in progress.
  private func capture(
    _ item: ScannedItem, previous: Entry?, base: BaseFile?, after earlier: LargeFile? = nil
  ) throws {
    switch try opener.open(item, previous: previous, base: base, after: earlier) {
    case .vanished: try recordVanished(item.path, previous: previous)
    case .unreadable(let reason): try recordUnreadable(item, reason: reason, previous: previous)
    case .opened(let file):
      try file.forEachStep(host.cancellation) { step, _ in
        spareJob.steps = [step]
        spareJob.head = try record.headForNextJob()
        CaptureJob.perform([spareJob])
        try finish(spareJob)
      }
    }
  }

  private func recordVanished(_ path: Path, previous: Entry?) throws {
    if previous != nil { try record.remove(path) }
  }

  /// Records a file that cannot be read: in the report, and in the snapshot as a file without content.
  private func recordUnreadable(_ item: ScannedItem, reason: String, previous: Entry?) throws {
    record.add(Problem(path: item.path, reason: reason))
    try record.put(item.withoutContent, previous: previous, inherits: false, extents: nil)
  }
}
