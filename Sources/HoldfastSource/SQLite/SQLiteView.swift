internal import Glibc
internal import HoldfastModel
internal import HoldfastSystem

/// A database as its programs see it at one moment: every page is in the main file, or in a WAL or hot journal. Its
/// parts were read under one lock. They are compared again under the lock under which bytes are read.
struct SQLiteView: Sendable {
  /// The pages of a WAL or journal, which replace those of the main file.
  struct Overlay: Sendable {
    let file: OpenFile
    let pages: PageIndex
    /// The status of a journal, whose removal changes the database; `nil` for a WAL.
    let journal: FileStatus?
    /// The memory that is reserved for the index.
    let room: SQLiteAllowance.Room
  }

  private static let lockByte: UInt64 = 1 << 30

  /// The status of the main file, and its header as stored.
  let status: FileStatus
  let header: SQLiteHeader
  let overlay: Overlay?
  let pageSize: UInt64
  /// The size of the database in bytes.
  let size: UInt64
  /// True if it is in WAL mode, even if its WAL is empty.
  let isWAL: Bool
  /// The header of the WAL, and a value that identifies its last commit; empty if the WAL has no commit.
  var logHeader: [UInt8] = []
  var mark: [UInt8] = []

  /// - Parameters:
  ///   - pageCount: the pages of the database; `nil` for the number in its header.
  ///   - pageSize: the page size of the overlay in bytes; `nil` for the one in its header.
  /// - Throws: an error if the parts do not make a valid database.
  init(
    _ files: SQLiteFiles, status: FileStatus, header: SQLiteHeader, overlay: Overlay? = nil, pageCount: UInt32? = nil,
    pageSize: UInt32? = nil, isWAL: Bool
  ) throws(SQLiteFailure) {
    (self.status, self.header, self.overlay, self.isWAL) = (status, header, overlay, isWAL)
    self.pageSize = UInt64(pageSize ?? header.pageSize)
    let filePages = status.size / self.pageSize
    guard let count = (pageCount ?? header.pageCount).map(UInt64.init) ?? Self.whole(status, self.pageSize) else {
      throw .malformed
    }
    size = count * self.pageSize
    guard count > filePages else { return }
    // SQLite only locks this page and never writes it, so it may be missing (https://www.sqlite.org/fileformat2.html,
    // section 1.4).
    let missing = filePages + 1..<count + 1
    let lockPage = Self.lockByte / self.pageSize + 1
    let needed = UInt64(missing.count) - (missing.contains(lockPage) ? 1 : 0)
    let found = overlay?.pages.count(in: missing) ?? 0
    guard found >= needed else {
      guard overlay != nil else { throw .malformed }
      throw .refused("pages of it are missing")
    }
  }

  private static func whole(_ status: FileStatus, _ pageSize: UInt64) -> UInt64? {
    status.size.isMultiple(of: pageSize) ? status.size / pageSize : nil
  }

  /// The bytes that are stored for it.
  var allocated: UInt64 { status.allocated + UInt64(overlay?.pages.count ?? 0) * pageSize }

  /// Returns true if the database has not changed since it was read. Requires a lock.
  func isStill(_ files: SQLiteFiles) throws(SQLiteFailure) -> Bool {
    let now = try files.reading { () throws(SystemError) in
      (status: try files.main.status(), header: try SQLiteHeader(of: files.main))
    }
    guard now.status.hasSameContent(as: status), now.header == header else { return false }
    if isWAL { return try isLogStill(files) }
    let journal = try files.openHotJournal()
    let journalStatus = try files.reading("-journal") { () throws(SystemError) in try journal?.status() }
    switch (journalStatus, overlay?.journal) {
    case (nil, nil): return true
    case (let now?, let then?): return now.isUntouched(since: then)
    default: return false
    }
  }

  private func isLogStill(_ files: SQLiteFiles) throws(SQLiteFailure) -> Bool {
    guard let log = overlay?.file else { return true }
    guard try files.isNamed(log, "-wal") else { return false }
    return try files.reading("-wal") { () throws(SystemError) in
      let head = Buffer(capacity: WriteAheadLog.headerCount)
      head.count = try log.read(into: head.bytes, at: 0)
      return head.used.elementsEqual(logHeader)
    }
  }

  /// Fills the buffer with the database's bytes from `offset` on, as far as there are any. Returns their number.
  func read(
    _ files: SQLiteFiles, into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(SystemError) -> Int {
    guard offset < size else { return 0 }
    let count = Int(min(UInt64(buffer.count), size - offset))
    var done = 0
    while done < count {
      let position = offset + UInt64(done)
      let (number, inPage) = (pageNumber(position), position % pageSize)
      let length: UInt64
      if let overlay, let start = overlay.pages.offset(of: number) {
        length = min(pageSize - inPage, UInt64(count - done))
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + Int(length)])
        guard try overlay.file.read(into: part, at: start + inPage) == part.count else {
          throw SystemError("read pages that should be in", overlay.file.path, code: EIO)
        }
      } else {
        length = min(endOfMain(from: number) - position, UInt64(count - done))
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + Int(length)])
        try fillFromMain(files.main, part, at: position)
      }
      done += Int(length)
    }
    return count
  }

  /// Returns the number of a page. Pages are numbered from one, and there are fewer than 2³².
  private func pageNumber(_ position: UInt64) -> UInt32 { UInt32(clamping: position / pageSize + 1) }

  /// Returns the end of the pages from `number` on that the main file has.
  private func endOfMain(from number: UInt32) -> UInt64 {
    overlay?.pages.next(from: number).map { min(size, (UInt64($0) - 1) * pageSize) } ?? size
  }

  private func fillFromMain(
    _ main: OpenFile, _ part: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(SystemError) {
    let count = try main.read(into: part, at: offset)
    guard count < part.count else { return }
    // Only the lock page may be missing. Any other page would read as zeros.
    let missing = offset + UInt64(count)..<offset + UInt64(part.count)
    let lockPage = Self.lockByte / pageSize * pageSize
    guard missing.lowerBound >= lockPage, missing.upperBound <= lockPage + pageSize else {
      throw SystemError("read pages that should be in", main.path, code: EIO)
    }
    UnsafeMutableRawBufferPointer(rebasing: part[count...]).initializeMemory(as: UInt8.self, repeating: 0)
  }

  /// Returns the next range with data; `nil` if only holes of the main file follow.
  func nextData(_ files: SQLiteFiles, from offset: UInt64) throws(SystemError) -> Range<UInt64>? {
    let inMain = try files.main.nextData(from: offset, size: min(size, status.size))
    guard let pages = overlay?.pages, let first = pages.next(from: pageNumber(offset)) else { return inMain }
    let start = (UInt64(first) - 1) * pageSize
    guard start < size else { return inMain }
    if let inMain, inMain.lowerBound <= start { return inMain }
    var last = first
    while last < .max, pages.next(from: last + 1) == last + 1 { last += 1 }
    return start..<min(size, UInt64(last) * pageSize)
  }
}
