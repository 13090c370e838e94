internal import Glibc
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// A database that is captured through SQLite while others may write to it.
package protocol SQLiteCapture: CapturedBytes {
  /// Bytes of the database as it is captured: the WAL may make it longer or shorter than its file. Another attempt may find another size.
  var size: UInt64 { get }
  /// What tells the captured state from every other one, beside the metadata of the main file; at most 64 bytes.
  var mark: [UInt8] { get }
  /// Whether the metadata of the main file alone tells its state.
  var isByMetadata: Bool { get }
  /// Whether nobody can commit until the capture ends.
  var keepsWritersWaiting: Bool { get }
  /// Bytes by which the WAL grew since the capture began.
  var walGrowth: UInt64 { get }
}

/// A database in WAL mode as it was when one read transaction began, which lasts as long as this lives. The checkpointer cannot write past it
/// into the main file, and nobody waits for it. A page is the newest committed one in the WAL, else the one in the main file.
final class SQLiteSnapshot: SQLiteCapture {
  private struct View {
    /// `nil` where the main file has everything.
    var log: WriteAheadLog?
    var size: UInt64
  }

  private static let lockByte: UInt64 = 1 << 30
  private let connection: SQLiteConnection
  private let place: Path
  private let files: FileSystem
  private let pageSize: UInt32
  private let view: Mutex<View>
  private let walSizeAtBegin: UInt64
  let mark: [UInt8]
  var isByMetadata: Bool { false }
  var keepsWritersWaiting: Bool { false }

  /// - Parameters:
  ///   - connection: within its read transaction.
  ///   - log: of the WAL as the transaction sees it.
  init(
    _ connection: SQLiteConnection, at place: Path, pageSize: UInt32, log: WriteAheadLog?, files: FileSystem
  ) throws(SQLiteFailure) {
    self.connection = connection
    self.place = place
    self.files = files
    self.pageSize = pageSize
    // Without a commit in it, the WAL adds nothing.
    let log = log.flatMap { $0.frameCount > 0 ? $0 : nil }
    mark = log?.mark ?? []
    walSizeAtBegin = connection.size(of: .wal)
    view = Mutex(View(log: log, size: try Self.size(connection, log, pageSize)))
  }

  deinit { connection.end() }

  private static func size(
    _ connection: SQLiteConnection, _ log: WriteAheadLog?, _ pageSize: UInt32
  ) throws(SQLiteFailure) -> UInt64 {
    if let log { return UInt64(log.pageCount) * UInt64(pageSize) }
    return UInt64(clamping: try connection.integer("PRAGMA page_count")) * UInt64(pageSize)
  }

  var size: UInt64 { view.withLock { $0.size } }

  var walGrowth: UInt64 {
    let now = connection.size(of: .wal)
    return now > walSizeAtBegin ? now - walSizeAtBegin : 0
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
    let view = self.view.withLock { $0 }
    guard offset < view.size else { return 0 }
    let count = Int(min(UInt64(buffer.count), view.size - offset))
    let page = UInt64(pageSize)
    var done = 0
    while done < count {
      let position = offset + UInt64(done)
      // Pages are numbered from one.
      let number = UInt32(position / page) + 1
      let inPage = position % page
      let length: UInt64
      if let inLog = view.log?.offset(of: number) {
        length = min(page - inPage, UInt64(count - done))
        try fill(buffer, done, length, from: .wal, at: inLog + inPage)
      } else {
        let end = view.log?.next(from: number).map { (UInt64($0) - 1) * page } ?? view.size
        length = min(end - position, UInt64(count - done))
        try fill(buffer, done, length, from: .main, at: position)
      }
      done += Int(length)
    }
    return count
  }

  private func fill(
    _ buffer: UnsafeMutableRawBufferPointer, _ start: Int, _ count: UInt64, from file: SQLiteConnection.File,
    at offset: UInt64
  ) throws(SystemError) {
    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + Int(count)])
    guard try !connection.read(file, into: part, at: offset).get() else { return }
    // Of the page that SQLite only locks, and never writes, nothing need be there (fileformat2.html, section 1.4). Anything else that is missing would
    // be zeros in the place of a page.
    let end = connection.size(of: file)
    guard end < offset + count else {
      // A checkpoint has made it longer just now.
      guard try connection.read(file, into: part, at: offset).get() else { throw shortRead() }
      return
    }
    let missing = max(offset, end)..<offset + count
    let lockPage = Self.lockByte / UInt64(pageSize) * UInt64(pageSize)
    guard file == .main, missing.lowerBound >= lockPage, missing.upperBound <= lockPage + UInt64(pageSize) else {
      throw shortRead()
    }
  }

  private func shortRead() -> SystemError { SystemError("read pages that should be in", place, code: EIO) }

  func nextData(from offset: UInt64, size: UInt64) -> Range<UInt64>? { offset..<size }

  /// A reader that begins when the whole WAL is in the main file already does not keep a writer from beginning the WAL anew (walTryBeginRead in SQLite's wal.c,
  /// read mark 0); but then nothing is written into the main file until it ends. So another header means: read again, from the main file alone.
  func verdict() throws(SystemError) -> CaptureVerdict {
    guard let log = view.withLock({ $0.log }) else { return .whole(.sqliteReadTransaction) }
    let header = Buffer(capacity: WriteAheadLog.headerCount)
    header.count = header.capacity
    _ = try connection.read(.wal, into: header.bytes, at: 0).get()
    if header.used.elementsEqual(log.header) { return .whole(.sqliteReadTransaction) }
    do {
      let size = try Self.size(connection, nil, pageSize)
      view.withLock { $0 = View(log: nil, size: size) }
    } catch {
      throw SystemError("read", place, code: EIO)
    }
    return .changed
  }

  func extendedAttributes() throws(SystemError) -> [ExtendedAttribute] { try files.extendedAttributes(of: place) }
}

/// A database in rollback mode. A reader keeps writers from committing, so it is read in slices, each under a lock of its own; when somebody
/// committed in between it is read again, and at last under one lock to the end.
final class SQLiteQuiesced: SQLiteCapture {
  private static let freeAttempts = 2
  private struct State {
    var attempt = 1
    var counter: Int64
    var size: UInt64
    var isHolding: Bool
  }

  private let connection: SQLiteConnection
  private let place: Path
  private let files: FileSystem
  private let pageSize: UInt32
  private let state: Mutex<State>

  var mark: [UInt8] { [] }
  var isByMetadata: Bool { true }
  var walGrowth: UInt64 { 0 }

  /// - Parameter isHeld: whether the connection is within a transaction that is to last until the end.
  init(
    _ connection: SQLiteConnection, at place: Path, pageSize: UInt32, isHeld: Bool, files: FileSystem
  ) throws(SQLiteFailure) {
    self.connection = connection
    self.place = place
    self.files = files
    self.pageSize = pageSize
    guard try !connection.isInWALMode() else { throw SQLiteFailure.changedMode() }
    state = Mutex(
      State(
        counter: try connection.integer("PRAGMA data_version"), size: try Self.size(connection, pageSize),
        isHolding: isHeld))
  }

  deinit { connection.end() }

  private static func size(_ connection: SQLiteConnection, _ pageSize: UInt32) throws(SQLiteFailure) -> UInt64 {
    UInt64(clamping: try connection.integer("PRAGMA page_count")) * UInt64(pageSize)
  }

  var size: UInt64 { state.withLock { $0.size } }
  var keepsWritersWaiting: Bool { state.withLock { $0.isHolding } }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
    let result: Result<Int, SystemError> = state.withLock { state in
      guard offset < state.size else { return .success(0) }
      let count = Int(min(UInt64(buffer.count), state.size - offset))
      return locked(&state) {
        connection.read(.main, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: offset)
          .map { _ in count }
      }
    }
    return try result.get()
  }

  func nextData(from offset: UInt64, size: UInt64) -> Range<UInt64>? { offset..<size }

  func verdict() throws(SystemError) -> CaptureVerdict {
    let result: Result<CaptureVerdict, SystemError> = state.withLock { state in
      let counter = locked(&state) { Result { try connection.integer("PRAGMA data_version") }.mapError(busy) }
      switch counter {
      case .failure(let error): return .failure(error)
      case .success(let counter) where counter == state.counter:
        if state.isHolding { connection.end() }
        state.isHolding = false
        return .success(.whole(.sqliteQuiesced))
      case .success: return beginAgain(&state)
      }
    }
    return try result.get()
  }

  private func beginAgain(_ state: inout State) -> Result<CaptureVerdict, SystemError> {
    do {
      // Put into WAL mode meanwhile: what is committed from then on is not in the main file, and no attempt sees it.
      if try connection.isInWALMode() { return .success(.changed) }
      state.attempt += 1
      if state.attempt > Self.freeAttempts {
        try connection.beginReading()
        state.isHolding = true
      }
      state.counter = try connection.integer("PRAGMA data_version")
      state.size = try Self.size(connection, pageSize)
      return .success(.changed)
    } catch {
      return .failure(busy(error))
    }
  }

  /// Runs `body` while nobody can commit.
  private func locked<Value>(
    _ state: inout State, _ body: () -> Result<Value, SystemError>
  ) -> Result<Value, SystemError> {
    if state.isHolding { return body() }
    do {
      try connection.beginReading()
    } catch {
      return .failure(busy(error))
    }
    defer { connection.end() }
    return body()
  }

  private func busy(_ failure: any Error) -> SystemError {
    SystemError("lock", place, code: (failure as? SQLiteFailure)?.isBusy == true ? EBUSY : EIO)
  }

  func extendedAttributes() throws(SystemError) -> [ExtendedAttribute] { try files.extendedAttributes(of: place) }
}
