internal import HoldfastModel
internal import HoldfastSystem

/// The locks that a capture holds on a database, and what was read under them. Only one thread at a time may use it.
struct SQLiteHold: Sendable {
  private let root: OpenFile
  private let fileSystem: FileSystem
  private let allowance: SQLiteAllowance
  private var candidate: SQLiteCandidate
  private(set) var files: SQLiteFiles?
  private var log: SQLiteFiles.Log?
  private var commit: WriteAheadLogIndex?
  private(set) var view: SQLiteView?
  private(set) var isLocked = false
  /// True if the lock is kept until the end in rollback mode too.
  var staysLocked = false
  private var logSizeAtBegin: UInt64 = 0
  private(set) var logGrowth: UInt64 = 0

  init(_ candidate: SQLiteCandidate, root: OpenFile, files: FileSystem, allowance: SQLiteAllowance) {
    (self.candidate, self.root, fileSystem, self.allowance) = (candidate, root, files, allowance)
  }

  /// True if no program can commit as long as the lock is kept.
  var keepsWritersWaiting: Bool { isLocked && log == nil }

  /// The bytes by which the WAL has grown since it is held.
  var logGrowthNow: UInt64 {
    guard let size = try? log?.file.status().size, size > logSizeAtBegin else { return logGrowth }
    return logGrowth + size - logSizeAtBegin
  }

  /// Takes the lock and, in WAL mode, holds the WAL. It gets both or neither.
  mutating func lock() throws(SQLiteFailure) {
    guard !isLocked else { return }
    if files == nil { files = try SQLiteFiles(candidate, root: root, files: fileSystem) }
    guard let files else { return }
    try files.lock()
    do throws(SQLiteFailure) {
      log = try files.openLog()
      // The companions of the name belong to the open database only if the name still leads to it.
      guard try files.isNamed(files.main) else { throw .replaced }
    } catch {
      log = nil
      files.unlock()
      throw error
    }
    isLocked = true
    logSizeAtBegin = (try? log?.file.status().size) ?? 0
  }

  /// Takes the lock and keeps all programs from committing, until `letWriters` or the end.
  mutating func lockOutWriters() throws(SQLiteFailure) {
    try lock()
    guard let files else { return }
    do throws(SQLiteFailure) {
      if let log {
        guard let index = log.index else { return }
        guard try files.reading("-shm", { () throws(SystemError) in try index.lockShared(SQLiteLock.write) }) else {
          throw .busy
        }
      } else if try files.openHotJournal() == nil {
        try files.lockOutWriters()
      }
    } catch {
      // The writer may be waiting for this lock to be released.
      if log == nil { unlock() }
      throw error
    }
  }

  mutating func letWriters() {
    try? log?.index?.unlock(SQLiteLock.write)
    try? files?.main.unlock(SQLiteLock.reserved)
  }

  /// Determines the last commit of the WAL, which is the one that is captured.
  mutating func seeCommit() throws(SQLiteFailure) {
    guard let files, let log, let index = log.index, commit == nil else { return }
    commit = try files.lookAtIndex(index)
    // A program ended while it changed the index. The next program makes the index anew, and needs the locks for that.
    if commit == nil { self.log = SQLiteFiles.Log(file: log.file, index: nil) }
  }

  /// Returns the pages that were committed since an earlier capture, ascending. All others are as they were if the
  /// main file is: a page is the newest one in the WAL, or that of the main file.
  /// - Parameter mark: the mark of that capture.
  /// - Returns: `nil` if that cannot be told: the WAL was begun anew since, or no program has the database open.
  func pages(since mark: [UInt8]) throws(SystemError) -> [UInt32]? {
    guard isLocked, let log, log.index != nil, let view, view.isWAL else { return nil }
    return try WriteAheadLog.pages(after: mark, upTo: view.mark, in: log.file) { allowance.isCancelled }
  }

  /// Reads the structure of the database. In rollback mode the lock is then released, unless it is to be kept.
  mutating func look() throws(SQLiteFailure) {
    do throws(SQLiteFailure) {
      try seeCommit()
      guard let files else { return }
      view = try SQLiteLook(files: files, allowance: allowance).view(log: log, commit: commit)
    } catch {
      unlock()
      throw error
    }
    // Otherwise the file is not a WAL of this database.
    if view?.isWAL == false { log = nil }
    if log == nil, !staysLocked { unlock() }
  }

  /// Releases all locks. The database stays open.
  mutating func unlock() {
    logGrowth = logGrowthNow
    letWriters()
    if isLocked { files?.unlock() }
    (isLocked, log, commit, logSizeAtBegin) = (false, nil, nil, 0)
  }

  /// Releases all locks, and closes the files.
  mutating func close() {
    unlock()
    (files, view, candidate.file) = (nil, nil, nil)
  }
}
