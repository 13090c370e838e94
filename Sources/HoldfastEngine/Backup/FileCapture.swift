internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Opens files, and cuts them into the steps that jobs perform.
extension CapturePipeline {
  func capture(_ item: ScannedItem, previous: Entry?, mapOffset: UInt64) throws {
    let isDatabase = databases.sqlite.capture(of: item.status) != nil
    let base = try bases.base(of: item, isDatabase: isDatabase, previous: previous, mapOffset: mapOffset)
    let isPlain =
      !isDatabase && databases.atRest[item.path] == nil && databases.cluster(of: item.path) == nil
      && !record.torn.contains(item.path)
    guard isPlain, item.status.size <= UInt64(Limits.archiveFrameBytes) else {
      if let file = try openLarge(item, previous: previous, base: base, isInTurn: false) {
        try forEachStep(of: file) { step, bytes in try add(step, bytes: bytes) }
      }
      return
    }
    var digests = BaseDigests.none
    if let base {
      var feed = DigestFeed(base.extents())
      digests = try feed.take(Int(Pages.count(size: item.status.size, pageSize: base.file.pageSize)))
    }
    try add(
      .smallFile(SmallFile(item: item, previous: previous, base: base, baseDigests: digests)),
      bytes: Int(item.status.size))
  }

  /// Opens a file that is read in chunks; returns `nil` if it vanished or cannot be read, which is recorded.
  /// - Parameter isInTurn: true if everything before it in path order was recorded; otherwise what is recorded here is
  ///   queued.
  func openLarge(
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
    guard file.status.size <= ChangeRecord.sizeShare else {
      let reason = ChangeRecord.tooLarge(file.status.size)
      try recordUnreadable(item, reason: reason, previous: previous, isInTurn: isInTurn)
      return nil
    }
    if isMadeMeanwhile(file, item) {
      let now = ScannedItem(path: item.path, status: file.status, directory: nil, isInPostgreSQL: false, root: root)
      if try lookAgain(at: now), let database = databases.sqlite.capture(of: now.status),
        let large = try openDatabase(now, database, previous: previous, base: base, after: earlier)
      {
        return large
      }
      if isMadeMeanwhile(file, item) { record.torn.add(item.path, .sqliteMadeMeanwhile) }
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

  /// Returns true if a file has become a database since it was examined: then a program may be writing to it.
  private func isMadeMeanwhile(_ file: OpenedFile, _ item: ScannedItem) -> Bool {
    databases.atRest[item.path] == nil && !record.torn.contains(item.path)
      && !file.status.isUntouched(since: item.status) && SQLiteCandidate.isBeginning(file.page.used)
  }

  /// Opens a database of any size, to be read as its programs see it.
  /// - Returns: `nil` if that is not possible, which is recorded: then the database is captured as a plain file.
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
    // A failure here is ignored: it comes again when the pages are read.
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

  /// Calls `body` with the steps that capture a large file: chunks of data, holes between them, and the end.
  func forEachStep(of file: LargeFile, _ body: (CaptureStep, _ bytes: Int) throws -> Void) throws {
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

  /// Captures a file on this thread, while jobs for later paths may be in progress.
  func captureInline(_ file: LargeFile) throws {
    try forEachStep(of: file) { step, _ in
      spareJob.steps = [step]
      spareJob.head = try record.headForNextJob()
      CaptureJob.perform([spareJob])
      try finish(spareJob)
    }
  }
}
