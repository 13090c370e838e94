internal import HoldfastModel
internal import HoldfastSystem

/// The bytes that SQLite locks (https://www.sqlite.org/lockingv3.html; https://www.sqlite.org/walformat.html, section
/// 2.3). A shared lock on a byte keeps out a program that wants to lock it exclusively.
enum SQLiteLock {
  // In the database file.
  static let pending: Range<UInt64> = 0x4000_0000..<0x4000_0001
  static let reserved: Range<UInt64> = 0x4000_0001..<0x4000_0002
  static let shared: Range<UInt64> = 0x4000_0002..<0x4000_0200
  // In the `-shm` file.
  static let write: Range<UInt64> = 120..<121
  static let checkpoint: Range<UInt64> = 121..<122
  /// The first read mark. Holding it keeps the WAL from being restarted.
  static let reader: Range<UInt64> = 124..<125
  /// Every program that has the database open holds it. A program that finds it free takes the files for leftovers of a
  /// crash.
  static let open: Range<UInt64> = 128..<129
}

/// The files of one database. They are opened beneath the source, without following a link, and only read and locked.
/// Nothing is made, written or removed beside other people's databases.
struct SQLiteFiles: Sendable {
  let path: Path
  let main: OpenFile
  let status: FileStatus
  private let root: OpenFile
  private let files: FileSystem

  /// A WAL, and its index if programs have it open and it is held.
  struct Log: Sendable {
    let file: OpenFile
    let index: OpenFile?
  }

  init(_ candidate: SQLiteCandidate, root: OpenFile, files: FileSystem) throws(SQLiteFailure) {
    (path, status, self.root, self.files) = (candidate.path, candidate.status, root, files)
    let now: FileStatus
    do throws(SystemError) {
      if let file = candidate.file { main = file } else { main = try files.openForCapture(candidate.path, in: root) }
      now = try main.status()
    } catch {
      throw .system(error, at: Self.name(candidate.path))
    }
    guard now.isSameFile(as: status) else { throw .replaced }
  }

  /// The user ID of the database's owner.
  var owner: UInt32 { status.userID }

  private static func name(_ path: Path) -> String { Path(bytes: Array(path.lastComponent)).description }

  private func companion(_ suffix: String) -> Path { Path(bytes: path.bytes + Array(suffix.utf8)) }

  /// Runs `body`, and adds the name of the file to an error of the system.
  func reading<Value>(
    _ suffix: String = "", _ body: () throws(SystemError) -> Value
  ) throws(SQLiteFailure) -> Value {
    do throws(SystemError) {
      return try body()
    } catch {
      throw .system(error, at: Self.name(companion(suffix)))
    }
  }

  /// Opens a companion of the database; `nil` if there is none.
  func open(_ suffix: String) throws(SQLiteFailure) -> OpenFile? {
    let name = companion(suffix)
    return try opened(name, suffix)
  }

  private func opened(_ name: Path, _ suffix: String) throws(SQLiteFailure) -> OpenFile? {
    let file: OpenFile
    do throws(SystemError) {
      file = try files.openForCapture(name, in: root)
    } catch {
      if error.isNotFound { return nil }
      throw .system(error, at: Self.name(name))
    }
    let status = try reading(suffix) { () throws(SystemError) in try file.status() }
    guard status.kind == .file else { throw .refused("\(Self.name(name)) is not a file") }
    // Without this check, the owner of the database could link to another user's WAL, and so have a file read that he
    // may not read.
    guard status.userID == owner || status.linkCount == 1 else {
      throw .refused("\(Self.name(name)) has other names, and belongs to another user")
    }
    return file
  }

  /// Returns true if the name still leads to the open file.
  func isNamed(_ file: OpenFile, _ suffix: String = "") throws(SQLiteFailure) -> Bool {
    let name = companion(suffix)
    return try reading(suffix) { () throws(SystemError) in
      guard let now = try files.statusIfPresent(of: name, in: root) else { return false }
      return now.isSameFile(as: try file.status())
    }
  }

  // MARK: Locks

  /// Takes the lock under which no program commits in rollback mode, or enters or leaves WAL mode.
  func lock() throws(SQLiteFailure) {
    let isLocked = try reading { () throws(SystemError) in
      // A program that waits for all readers to finish keeps new readers out.
      guard try main.lockShared(SQLiteLock.pending) else { return false }
      defer { try? main.unlock(SQLiteLock.pending) }
      return try main.lockShared(SQLiteLock.shared)
    }
    guard isLocked else { throw .busy }
  }

  func unlock() { try? main.unlock(SQLiteLock.pending.lowerBound..<SQLiteLock.shared.upperBound) }

  /// Keeps others from beginning a write in rollback mode. Requires the lock.
  func lockOutWriters() throws(SQLiteFailure) {
    guard try reading("", { () throws(SystemError) in try main.lockShared(SQLiteLock.reserved) }) else { throw .busy }
  }

  /// Opens the WAL, if there is one. Requires the lock, so that no program removes the WAL. Until it is closed,
  /// programs that have it open can still append to it, but none moves its contents to the database, or restarts it.
  func openLog() throws(SQLiteFailure) -> Log? {
    guard let log = try open("-wal") else { return nil }
    let isThere = try reading("-wal") { () throws(SystemError) in try log.status().size > 0 }
    let index = try openIndex()
    // A WAL that programs have open is held even if it is empty, because the next commit goes there.
    guard isThere || index != nil else { return nil }
    guard try isNamed(log, "-wal") else { throw .busy }
    return Log(file: log, index: index)
  }

  private func openIndex() throws(SQLiteFailure) -> OpenFile? {
    guard let index = try open("-shm"),
      try reading("-shm", { () throws(SystemError) in try index.isLocked(SQLiteLock.open, exclusively: false) })
    else { return nil }
    for lock in [SQLiteLock.open, SQLiteLock.checkpoint, SQLiteLock.reader] {
      guard try reading("-shm", { () throws(SystemError) in try index.lockShared(lock) }) else { throw .busy }
    }
    guard try isNamed(index, "-shm") else { throw .busy }
    // A program that makes the index needs the locks that are held here. So the WAL is read as if no program had it
    // open.
    return try lookAtIndex(index).map { _ in index }
  }

  /// Returns the current contents of the index; `nil` if it has none.
  func lookAtIndex(_ index: OpenFile) throws(SQLiteFailure) -> WriteAheadLogIndex? {
    let looksMax = 20
    for _ in 1...looksMax {
      if let found = try reading("-shm", { () throws(SystemError) in try WriteAheadLogIndex(index) }) { return found }
      Pause.forALock()
    }
    return nil
  }

  /// Opens the journal of an interrupted transaction, which the next program that opens the database rolls back.
  /// Requires the lock: a running transaction has a journal too, but has written nothing to the database then.
  func openHotJournal() throws(SQLiteFailure) -> OpenFile? {
    guard let journal = try open("-journal") else { return nil }
    let isHot = try reading("-journal") { () throws(SystemError) in
      guard try journal.status().size > 0, try !main.isLocked(SQLiteLock.reserved, exclusively: true) else {
        return false
      }
      let first = Buffer(capacity: 1)
      first.count = try journal.read(into: first.bytes, at: 0)
      return first.used.first.map { $0 != 0 } ?? false
    }
    guard isHot, try isNamed(journal, "-journal") else { return nil }
    return journal
  }
}
