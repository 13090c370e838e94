internal import HoldfastModel
internal import HoldfastSystem

/// The locks that a capture has on a database, and what was learned under them. For one thread at a time.
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
  /// Whether the lock is kept until the end in rollback mode too.
  var staysLocked = false
  private var logSizeAtBegin: UInt64 = 0
  private(set) var logGrowth: UInt64 = 0

  init(_ candidate: SQLiteCandidate, root: OpenFile, files: FileSystem, allowance: SQLiteAllowance) {
    (self.candidate, self.root, fileSystem, self.allowance) = (candidate, root, files, allowance)
  }

  /// Whether nobody can commit as long as the lock is kept.
  var keepsWritersWaiting: Bool { isLocked && log == nil }

  /// Bytes by which the WAL has grown since it is held.
  var logGrowthNow: UInt64 {
    guard let size = try? log?.file.status().size, size > logSizeAtBegin else { return logGrowth }
    return logGrowth + size - logSizeAtBegin
  }

  /// Takes the lock and, in WAL mode, what keeps the WAL as it is: all of it or nothing.
  mutating func lock() throws(SQLiteFailure) {
    guard !isLocked else { return }
    if files == nil { files = try SQLiteFiles(candidate, root: root, files: fileSystem) }
    guard let files else { return }
    try files.lock()
    do throws(SQLiteFailure) {
      log = try files.openLog()
      // What lies beside the name belongs to the database that is open only if the name still leads to it.
      guard try files.isNamed(files.main) else { throw .replaced }
    } catch {
      log = nil
      files.unlock()
      throw error
    }
    isLocked = true
    logSizeAtBegin = (try? log?.file.status().size) ?? 0
  }

  /// Takes the lock and keeps everybody from committing, until `letWriters` or the end.
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
      // Whoever writes may wait for our lock to go.
      if log == nil { unlock() }
      throw error
    }
  }

  mutating func letWriters() {
    try? log?.index?.unlock(SQLiteLock.write)
    try? files?.main.unlock(SQLiteLock.reserved)
  }

  /// Sees which commit of the WAL is the last one now: the one that counts.
  mutating func seeCommit() throws(SQLiteFailure) {
    guard let files, let log, let index = log.index, commit == nil else { return }
    commit = try files.lookAtIndex(index)
    // A program ended while it changed the index. The next one makes it anew, and needs the locks for that.
    if commit == nil { self.log = SQLiteFiles.Log(file: log.file, index: nil) }
  }

  /// Learns how the database is. In rollback mode the lock goes then, unless it is to stay.
  mutating func look() throws(SQLiteFailure) {
    do throws(SQLiteFailure) {
      try seeCommit()
      guard let files else { return }
      view = try SQLiteLook(files: files, allowance: allowance).view(log: log, commit: commit)
    } catch {
      unlock()
      throw error
    }
    // What lies there is no WAL of its.
    if view?.isWAL == false { log = nil }
    if log == nil, !staysLocked { unlock() }
  }

  /// Everything that is locked goes; the database stays open.
  mutating func unlock() {
    logGrowth = logGrowthNow
    letWriters()
    if isLocked { files?.unlock() }
    (isLocked, log, commit, logSizeAtBegin) = (false, nil, nil, 0)
  }

  /// Everything goes.
  mutating func close() {
    unlock()
    (files, view, candidate.file) = (nil, nil, nil)
  }
}
