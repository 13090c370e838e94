internal import HoldfastModel
internal import HoldfastSystem

/// Reads the structure of a database, under its lock.
struct SQLiteLook {
  let files: SQLiteFiles
  let allowance: SQLiteAllowance

  /// - Parameters:
  ///   - log: its WAL, held; `nil` if there is none.
  ///   - commit: the commit of the WAL that its programs see; `nil` if no program has it open. Then the last one
  ///     counts.
  func view(log: SQLiteFiles.Log?, commit: WriteAheadLogIndex?) throws(SQLiteFailure) -> SQLiteView {
    guard let header = try files.reading("", { () throws(SystemError) in try SQLiteHeader(of: files.main) }) else {
      throw SQLiteFailure(kind: .unsound, reason: "file is not a database")
    }
    let isInRollbackMode = log == nil && !header.isWAL
    let status = try status(isHeld: isInRollbackMode || commit != nil)
    let journal = try files.openHotJournal()
    if let log, let view = try viewThrough(log.file, commit, status, header) {
      guard journal == nil else { throw .refused("it has a WAL and the journal of a transaction that was cut off") }
      return try checked(view)
    }
    if let journal, let view = try viewThrough(journal, status, header) { return try checked(view) }
    return try checked(SQLiteView(files, status: status, header: header, isWAL: header.isWAL || commit != nil))
  }

  /// - Parameter isHeld: true if the lock keeps all programs from writing. Otherwise every later write must change the
  ///   status.
  private func status(isHeld: Bool) throws(SQLiteFailure) -> FileStatus {
    if !isHeld, let settled = allowance.settledStatus(of: files.main, files.owner) { return settled }
    return try files.reading { () throws(SystemError) in try files.main.status() }
  }

  /// - Returns: `nil` if nothing was ever committed to the WAL.
  private func viewThrough(
    _ file: OpenFile, _ commit: WriteAheadLogIndex?, _ status: FileStatus, _ header: SQLiteHeader
  ) throws(SQLiteFailure) -> SQLiteView? {
    if let commit, commit.frameCount == 0 { return nil }
    guard var log = try files.reading("-wal", { () throws(SystemError) in try WriteAheadLog(file) }) else {
      guard commit == nil else { throw .busy }
      return nil
    }
    guard log.isSupported else { throw SQLiteFailure(kind: .unsound, reason: "unable to open database file") }
    guard log.pageSize == header.pageSize else {
      throw .refused("the pages of its WAL are of another size than its own")
    }
    // One more than allowed, so that too many are noticed.
    let framesMax = min(commit.map { Int($0.frameCount) } ?? .max, SQLiteAllowance.framesMax + 1)
    try files.reading("-wal") { () throws(SystemError) in
      try log.walk(file, max: framesMax) { allowance.isCancelled }
    }
    try checkNotStopped()
    let room = try allowance.room(for: log.frameCount, files.owner, of: "WAL frames: a checkpoint makes WALs shorter")
    if let commit, !log.ends(at: commit) { throw .refused("its WAL does not fit to what programs see of it") }
    guard log.frameCount > 0 else { return nil }
    var view = try SQLiteView(
      files, status: status, header: header,
      overlay: SQLiteView.Overlay(file: file, pages: log.index, journal: nil, room: room), pageCount: log.pageCount,
      isWAL: true)
    (view.logHeader, view.mark) = (log.header, log.mark)
    return view
  }

  /// Reads through a hot journal. A transaction may have been about to enter or leave WAL mode. As long as its journal
  /// counts, the database is in rollback mode.
  /// - Returns: `nil` if the journal restores nothing.
  private func viewThrough(
    _ file: OpenFile, _ status: FileStatus, _ header: SQLiteHeader
  ) throws(SQLiteFailure) -> SQLiteView? {
    let isPartOfLarger = try files.reading("-journal") { () throws(SystemError) in
      try RollbackJournal.isPartOfLarger(file)
    }
    guard !isPartOfLarger else {
      throw .refused("a transaction on several databases was cut off, and only a program of theirs may end it")
    }
    let found = try files.reading("-journal") { () throws(SystemError) in
      let status = try file.status()
      return (
        status: status,
        journal: try RollbackJournal(
          file, databasePageSize: header.pageSize, framesMax: SQLiteAllowance.framesMax
        ) { allowance.isCancelled }
      )
    }
    try checkNotStopped()
    guard let journal = found.journal else { return nil }
    let room = try allowance.room(
      for: journal.recordCount, files.owner, of: "pages in journals of transactions that were cut off")
    return try SQLiteView(
      files, status: status, header: header,
      overlay: SQLiteView.Overlay(file: file, pages: journal.index, journal: found.status, room: room),
      pageCount: journal.pageCount, pageSize: journal.pageSize, isWAL: false)
  }

  private func checkNotStopped() throws(SQLiteFailure) {
    if allowance.isCancelled { throw .refused("the backup was stopped") }
  }

  /// Compares the view with the header that a program would find in it.
  private func checked(_ view: SQLiteView) throws(SQLiteFailure) -> SQLiteView {
    guard view.size > 0 else { return view }
    let head = Buffer(capacity: SQLiteHeader.byteCount)
    head.count = try files.reading { () throws(SystemError) in try view.read(files, into: head.bytes, at: 0) }
    guard let header = SQLiteHeader(head.used) else {
      throw SQLiteFailure(kind: .unsound, reason: "file is not a database")
    }
    if let reason = header.unsupported { throw SQLiteFailure(kind: .unsound, reason: reason) }
    guard UInt64(header.pageSize) == view.pageSize, UInt64(header.pageCount ?? 0) * view.pageSize <= view.size else {
      throw .malformed
    }
    return view
  }
}
