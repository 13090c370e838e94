internal import Glibc
package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// Captures a database as its programs see it, while they go on.
///
/// In WAL mode, the database is held at one commit from beginning to end: no program waits, but the WAL is not
/// checkpointed meanwhile. In rollback mode a reader keeps writers from committing, so the database is read in slices,
/// each under its own lock, after a check that nothing has changed. If there was a commit in between, it is read again,
/// and at last under one lock to the end.
package final class SQLiteCapture: CapturedBytes {
  private static let freeAttempts = 2

  private struct State {
    var hold: SQLiteHold
    var attempt = 1
    /// True if the view is outdated. Bytes that are read from here on are worthless.
    var isStale = false
    var failure: SystemError?
    var known = Known()
  }

  /// The data that stays known after the database was closed.
  private struct Known {
    var size: UInt64 = 0
    var allocated: UInt64 = 0
    var mark: [UInt8] = []
    var isWAL = false
    var isByMetadata = false
  }

  package let path: Path
  let key: FileSystem.FileKey
  let hasCompanion: Bool
  private let owner: UInt32
  private let allowance: SQLiteAllowance
  private let state: Mutex<State>

  init(_ candidate: SQLiteCandidate, root: OpenFile, files: FileSystem, allowance: SQLiteAllowance) {
    (path, key, hasCompanion) = (candidate.path, candidate.key, candidate.hasCompanion)
    (owner, self.allowance) = (candidate.status.userID, allowance)
    state = Mutex(State(hold: SQLiteHold(candidate, root: root, files: files, allowance: allowance)))
  }

  // MARK: Findings

  /// The size of the captured database in bytes. With a WAL it may not be that of its file. Another attempt may find
  /// another size.
  package var size: UInt64 { state.withLock { $0.known.size } }
  /// The bytes that are stored for it: fewer if its file has holes.
  package var allocated: UInt64 { state.withLock { $0.known.allocated } }
  /// A value that, together with the metadata of the main file, distinguishes the captured state from every other one;
  /// at most 64 bytes.
  package var mark: [UInt8] { state.withLock { $0.known.mark } }
  /// True if the metadata of the main file alone identifies its state.
  package var isByMetadata: Bool { state.withLock { $0.known.isByMetadata } }
  /// True if no program can commit until the capture ends.
  package var keepsWritersWaiting: Bool { state.withLock { $0.hold.keepsWritersWaiting } }
  /// True if it belongs to a group of databases that are captured at one instant.
  package var isOfOneInstant: Bool { state.withLock { $0.hold.staysLocked && $0.attempt == 1 } }
  /// The bytes by which the WAL grew while it was held.
  package var walGrowth: UInt64 { state.withLock { $0.hold.logGrowthNow } }

  /// The status of the main file while nobody could write to it; `nil` before the capture has begun.
  var mainStatus: FileStatus? { state.withLock { $0.hold.view?.status } }

  /// Returns the pages that were committed since an earlier capture of the same database in WAL mode, ascending, from 1
  /// on. If the main file is as it was, all other pages are as they were, too.
  /// - Parameter mark: the mark of that capture.
  /// - Returns: the pages and the bytes of each; `nil` if that cannot be told.
  package func pages(since mark: [UInt8]) -> (numbers: [UInt32], size: UInt64)? {
    state.withLock { state in
      guard state.attempt == 1, let view = state.hold.view, let pages = try? state.hold.pages(since: mark) else {
        return nil
      }
      return (pages, view.pageSize)
    }
  }

  // MARK: Beginning and ending

  /// Begins the capture, unless it has begun.
  package func begin() throws(SQLiteFailure) {
    guard !state.withLock({ $0.hold.view != nil }) else { return }
    try allowance.patiently(owner) { () throws(SQLiteFailure) in try lock() }
    try look()
  }

  /// Begins another attempt, which captures another moment.
  package func beginAgain() throws(SQLiteFailure) {
    state.withLock { state in
      state.attempt += 1
      state.isStale = false
      state.failure = nil
      if state.attempt > Self.freeAttempts { state.hold.staysLocked = true }
    }
    try allowance.patiently(owner) { () throws(SQLiteFailure) in
      state.withLock { $0.hold.unlock() }
      try lock()
    }
    try look()
  }

  func lock() throws(SQLiteFailure) {
    try state.withLock { (state) throws(SQLiteFailure) in try state.hold.lock() }
  }

  /// Releases the lock if it would keep writers waiting.
  func unlockInRollbackMode() {
    state.withLock { if $0.hold.keepsWritersWaiting { $0.hold.unlock() } }
  }

  /// Keeps all programs from committing.
  func lockOutWriters() throws(SQLiteFailure) {
    try state.withLock { (state) throws(SQLiteFailure) in
      try state.hold.lockOutWriters()
      state.hold.staysLocked = true
    }
  }

  /// Lets writers begin again.
  /// - Parameter staysLocked: true to let nobody commit in rollback mode until the capture ends.
  func letWriters(staysLocked: Bool) {
    state.withLock { state in
      state.hold.letWriters()
      state.hold.staysLocked = staysLocked
      if !staysLocked, state.hold.keepsWritersWaiting { state.hold.unlock() }
    }
  }

  func seeCommit() throws(SQLiteFailure) {
    try state.withLock { (state) throws(SQLiteFailure) in try state.hold.seeCommit() }
  }

  func look() throws(SQLiteFailure) {
    try state.withLock { (state) throws(SQLiteFailure) in
      try state.hold.look()
      guard let view = state.hold.view else { return }
      state.known = Known(
        size: view.size, allocated: view.allocated, mark: view.mark, isWAL: view.isWAL,
        isByMetadata: !view.isWAL && view.overlay == nil)
    }
  }

  /// Releases all locks, and closes all files.
  package func end() { state.withLock { $0.hold.close() } }

  // MARK: Reading

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
    let held: (files: SQLiteFiles, view: SQLiteView)? = state.withLock { state in
      guard state.hold.isLocked, let files = state.hold.files, let view = state.hold.view else { return nil }
      return (files, view)
    }
    if let held { return try held.view.read(held.files, into: buffer, at: offset) }
    let result: Result<Int, SystemError> = state.withLock { state in
      // A capture that has failed or changed once is worthless, and is not waited for again.
      if let failure = state.failure { return .failure(failure) }
      guard !state.isStale else { return .success(0) }
      let result = slice(&state, into: buffer, at: offset)
      if case .failure(let error) = result { state.failure = error }
      return result
    }
    return try result.get()
  }

  private func slice(
    _ state: inout State, into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) -> Result<Int, SystemError> {
    guard let files = state.hold.files, let view = state.hold.view else { return .success(0) }
    do {
      let isStill = try whileNobodyCommits(files, view) { try view.read(files, into: buffer, at: offset) }
      guard let count = isStill else {
        state.isStale = true
        return .success(0)
      }
      return .success(count)
    } catch let error as SystemError {
      return .failure(error)
    } catch {
      return .failure(systemError(error))
    }
  }

  /// Runs `body` under its own lock.
  /// - Returns: `nil` if the database has changed.
  private func whileNobodyCommits<Value>(
    _ files: SQLiteFiles, _ view: SQLiteView, _ body: () throws -> Value
  ) throws -> Value? {
    try allowance.patiently(owner) { () throws(SQLiteFailure) in try files.lock() }
    defer { files.unlock() }
    guard try view.isStill(files) else { return nil }
    return try body()
  }

  private func systemError(_ failure: any Error) -> SystemError {
    SystemError("lock", path, code: (failure as? SQLiteFailure)?.kind == .busy ? EBUSY : EIO)
  }

  package func nextData(from offset: UInt64, size: UInt64) throws(SystemError) -> Range<UInt64>? {
    let known: (files: SQLiteFiles, view: SQLiteView)? = state.withLock { state in
      guard let files = state.hold.files, let view = state.hold.view else { return nil }
      return (files, view)
    }
    guard let known else { return offset..<size }
    return try known.view.nextData(known.files, from: offset)
  }

  package func verdict() throws(SystemError) -> CaptureVerdict {
    let result: Result<CaptureVerdict, SystemError> = state.withLock { state in
      guard !state.isStale, let files = state.hold.files, let view = state.hold.view else { return .success(.changed) }
      do {
        let isStill =
          try state.hold.isLocked ? view.isStill(files) : whileNobodyCommits(files, view) { true } ?? false
        guard isStill else { return .success(.changed) }
        return .success(.whole(view.isWAL ? .sqliteReadTransaction : .sqliteQuiesced))
      } catch {
        return .failure(systemError(error))
      }
    }
    return try result.get()
  }

  package func extendedAttributes() throws(SystemError) -> [ExtendedAttribute] {
    try state.withLock { $0.hold.files }?.main.extendedAttributes() ?? []
  }
}
