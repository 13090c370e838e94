internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Opens the files of the source that are read in chunks: databases as their programs see them, other files as they
/// are.
final class FileOpener {
  /// The result of opening a file.
  enum Opening {
    case opened(LargeFile)
    case vanished
    case unreadable(reason: String)
  }

  private let host: Host
  private let root: OpenFile
  private let databases: LiveDatabases
  private let bases: BaseSearch
  private let links: HardLinks
  private let record: ChangeRecord
  private let detection: ChangeDetection
  private let scratch: ScratchSpace
  private let progress: any ProgressObserver

  init(
    host: Host, root: OpenFile, databases: LiveDatabases, bases: BaseSearch, links: HardLinks, record: ChangeRecord,
    detection: ChangeDetection, scratch: ScratchSpace, progress: any ProgressObserver
  ) {
    self.detection = detection
    (self.host, self.root, self.databases, self.bases) = (host, root, databases, bases)
    (self.links, self.record, self.scratch, self.progress) = (links, record, scratch, progress)
  }

  /// Opens a file that is read in chunks.
  /// - Parameter earlier: the attempt during which the file changed; `nil` for the first one.
  func open(
    _ item: ScannedItem, previous: Entry?, base: BaseFile?, after earlier: LargeFile? = nil
  ) throws -> Opening {
    if let database = databases.sqlite.capture(of: item.status),
      let file = try openDatabase(item, database, previous: previous, base: base, after: earlier)
    {
      return .opened(file)
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
      return error.isNotFound ? .vanished : .unreadable(reason: error.reason)
    }
    guard file.status.size <= ChangeRecord.sizeShare else {
      return .unreadable(reason: ChangeRecord.tooLarge(file.status.size))
    }
    if isMadeMeanwhile(file, item) {
      let now = ScannedItem(path: item.path, status: file.status, directory: nil, isInPostgreSQL: false, root: root)
      if try lookAgain(at: now), let database = databases.sqlite.capture(of: now.status),
        let large = try openDatabase(now, database, previous: previous, base: base, after: earlier)
      {
        return .opened(large)
      }
      if isMadeMeanwhile(file, item) { record.torn.add(item.path, .sqliteMadeMeanwhile) }
    }
    return .opened(try plain(file, item, previous: previous, base: base, after: earlier))
  }

  private func plain(
    _ file: OpenedFile, _ item: ScannedItem, previous: Entry?, base: BaseFile?, after earlier: LargeFile?
  ) throws -> LargeFile {
    let isReplaced = previous.map { $0.identity.inode != file.status.inode } ?? true
    let found = try base?.isSamePath == false || !isReplaced ? base : bases.base(beginningWith: file.page) ?? base
    let pageSize =
      found?.file.pageSize ?? earlier?.pageSize
      ?? PageSize.choose(
        head: file.page.used, size: file.status.size, isInPostgreSQL: item.isInPostgreSQL)
    let part = try log(of: item.path)?.part(
      of: item.path, file.status, birth: file.handle.birth, previous: previous, base: found)
    return try LargeFile(
      item: item,
      source: databases.source(
        of: file.handle, at: item.path, before: file.status, attempt: (earlier?.attempt ?? 0) + 1),
      before: file.status, pageSize: pageSize, previous: previous, base: found, changes: part?.ranges,
      sample: part?.sample, after: earlier, scratch: scratch)
  }

  /// Returns what the log says of the pages of a file; `nil` if it is not asked.
  private func log(of path: Path) -> LogIncrement? {
    databases.cluster(of: path)?.isLive == true ? databases.log : nil
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
      pageSize: pageSize, previous: previous, base: base,
      changes: changes(of: database, since: previous, base, pageSize), after: earlier, scratch: scratch)
  }

  /// Returns the parts of a database in WAL mode that may differ from the parent: those that were committed since.
  /// - Returns: `nil` if that cannot be told for certain. Then all of it is read and compared.
  private func changes(
    of database: SQLiteCapture, since previous: Entry?, _ base: BaseFile?, _ pageSize: UInt32
  ) -> ChangedRanges? {
    guard let previous, let base, base.isSamePath, base.file.pageSize == pageSize,
      detection.isMainFileUnchanged(of: database, since: previous),
      let written = database.pages(since: previous.identity.mark)
    else { return nil }
    return ChangedRanges(
      written.numbers, of: written.size, size: database.size, baseSize: base.file.size, pageSize: UInt64(pageSize))
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
}
