package import HoldfastModel
package import HoldfastSystem

/// The first 100 bytes of an SQLite database (https://www.sqlite.org/fileformat2.html, section 1.3).
package struct SQLiteHeader: Equatable {
  package static let byteCount = 100
  private static let magic = Array("SQLite format 3".utf8) + [0]

  /// The whole header.
  package let bytes: [UInt8]
  /// The size of a page in bytes: a power of two, 512 to 65536.
  package let pageSize: UInt32

  /// Parses a header; `nil` if this is not an SQLite header.
  package init?(_ bytes: some Collection<UInt8>) {
    let bytes = Array(bytes.prefix(Self.byteCount))
    guard bytes.count == Self.byteCount, bytes.starts(with: Self.magic) else { return nil }
    let size = UInt32(bytes[16]) << 8 | UInt32(bytes[17])
    pageSize = size == 1 ? 65_536 : size
    guard (512...65_536).contains(pageSize), pageSize.nonzeroBitCount == 1 else { return nil }
    self.bytes = bytes
  }

  /// - Returns: `nil` if the file is not an SQLite database.
  init?(of file: OpenFile) throws(SystemError) {
    let head = Buffer(capacity: Self.byteCount)
    head.count = try file.read(into: head.bytes, at: 0)
    self.init(head.used)
  }

  /// True if the database is in WAL mode.
  package var isWAL: Bool { bytes[19] == 2 }

  /// The number of pages; `nil` if the last program that wrote to the database does not maintain it. Then the size of
  /// the file counts.
  package var pageCount: UInt32? {
    let count = word(28)
    return count > 0 && word(24) == word(92) ? count : nil
  }

  /// The reason why SQLite does not open the database; `nil` if nothing in the header prevents it.
  package var unsupported: String? {
    let fractions: [UInt8] = [64, 32, 32]
    let schemaFormatMax: UInt8 = 4
    // SQLite needs this much of each page; extensions may reserve the rest.
    let usableMin: UInt32 = 480
    guard bytes[19] <= 2, bytes[21..<24].elementsEqual(fractions), pageSize - UInt32(bytes[20]) >= usableMin else {
      return "file is not a database"
    }
    // The field has four bytes, but SQLite reads the last one only.
    return bytes[47] > schemaFormatMax ? "unsupported file format" : nil
  }

  private func word(_ offset: Int) -> UInt32 { bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } }
}

/// An SQLite database in a source, found by its header and its companions.
package struct SQLiteCandidate: Sendable {
  package let path: Path
  package let status: FileStatus
  let header: SQLiteHeader
  /// True if SQLite keeps a file beside it.
  let hasCompanion: Bool
  /// True if every later write must change its status.
  let isSettled: Bool
  /// The open file, if it is to be captured through it.
  var file: OpenFile?

  /// The suffixes of the companions: the files that SQLite keeps beside a database.
  static let suffixes = ["-wal", "-shm", "-journal"].map { Array($0.utf8) }

  package var companions: [Path] { Self.suffixes.map { Path(bytes: path.bytes + $0) } }

  /// Returns the database to which a companion of this name would belong; `nil` if this is not the name of a companion.
  package static func database(ofCompanion path: Path) -> Path? {
    // A quick test first, because this is called for every file of a source, and nearly none has such a name.
    guard let last = path.bytes.last, last == UInt8(ascii: "l") || last == UInt8(ascii: "m") else { return nil }
    for suffix in suffixes
    where path.bytes.count > suffix.count && path.bytes.suffix(suffix.count).elementsEqual(suffix) {
      return Path(bytes: Array(path.bytes.dropLast(suffix.count)))
    }
    return nil
  }

  /// Returns true if the file can be a database, by its size.
  package static func isPossible(_ status: FileStatus) -> Bool {
    status.kind == .file && status.size >= 512 && status.size.isMultiple(of: 512)
  }

  /// Returns true if a file that begins with these bytes is a database.
  package static func isBeginning(_ bytes: UnsafeRawBufferPointer) -> Bool { SQLiteHeader(bytes) != nil }

  /// Examines one file.
  /// - Parameter keepsOpen: true to keep it open, for its capture.
  /// - Returns: `nil` if it is not a database, or cannot be examined.
  package static func look(
    at path: Path, status: FileStatus, in root: OpenFile, files: FileSystem, keepsOpen: Bool = false
  ) -> SQLiteCandidate? {
    guard isPossible(status) else { return nil }
    return lookInside(path, in: root, files: files, keepsOpen: keepsOpen)
  }

  private static func lookInside(
    _ path: Path, in root: OpenFile, files: FileSystem, keepsOpen: Bool
  ) -> SQLiteCandidate? {
    guard let file = try? files.openForCapture(path, in: root), let header = try? SQLiteHeader(of: file),
      // If another file has the name by now, that one counts.
      let now = try? file.status()
    else { return nil }
    // This must be known before the companions are looked for.
    let isSettled = now.isSettled
    let hasCompanion = hasCompanion(path, in: root, files: files)
    return SQLiteCandidate(
      path: path, status: now, header: header, hasCompanion: hasCompanion,
      isSettled: isSettled, file: keepsOpen ? file : nil)
  }

  /// Returns true if a file has a companion: then a program has the database open, or has crashed. A companion that
  /// cannot be examined counts.
  package static func hasCompanion(_ path: Path, in root: OpenFile, files: FileSystem) -> Bool {
    suffixes.contains { suffix in
      do throws(SystemError) {
        return try files.statusIfPresent(of: Path(bytes: path.bytes + suffix), in: root) != nil
      } catch {
        return true
      }
    }
  }

  /// Examines candidates again, if they had no companion and have one now.
  package static func lookingAgain(
    at candidates: [SQLiteCandidate], in root: OpenFile, files: FileSystem
  ) -> [SQLiteCandidate] {
    candidates.map { candidate in
      guard !candidate.isLive, hasCompanion(candidate.path, in: root, files: files) else { return candidate }
      let keepsOpen = candidate.file != nil
      return look(at: candidate.path, status: candidate.status, in: root, files: files, keepsOpen: keepsOpen)
        ?? candidate
    }
  }
}

extension SQLiteCandidate {
  /// Returns the database beside a WAL if its size is no multiple of its page size, because the disk was full during a
  /// checkpoint.
  package static func unwholeDatabase(
    ofLog path: Path, in root: OpenFile, files: FileSystem, keepsOpen: Bool
  ) -> SQLiteCandidate? {
    guard path.bytes.suffix(walSuffix.count).elementsEqual(walSuffix), let database = database(ofCompanion: path),
      let status = try? files.statusIfPresent(of: database, in: root), status.kind == .file, !isPossible(status)
    else { return nil }
    return lookInside(database, in: root, files: files, keepsOpen: keepsOpen)
  }

  private static let walSuffix = Array("-wal".utf8)

  package var key: FileSystem.FileKey { FileSystem.FileKey(status) }

  /// True if it must be captured as its programs see it. In WAL mode, that is so if it has a companion; in rollback
  /// mode always, because nothing shows if a program writes.
  package var isLive: Bool { !header.isWAL || hasCompanion }

  /// Returns the file beside a WAL if it is not a database that SQLite could read: most likely an encrypted one in use.
  /// Extensions that encrypt leave the header of a WAL readable.
  package static func encryptedDatabase(
    ofLog path: Path, status: FileStatus, in root: OpenFile, files: FileSystem
  ) -> Path? {
    guard path.bytes.suffix(walSuffix.count).elementsEqual(walSuffix), status.kind == .file,
      let database = database(ofCompanion: path), let log = try? files.openForCapture(path, in: root),
      let main = try? files.openForCapture(database, in: root), let mainStatus = try? main.status()
    else { return nil }
    let head = Buffer(capacity: SQLiteHeader.byteCount)
    head.count = (try? log.read(into: head.bytes, at: 0)) ?? 0
    guard WriteAheadLog.isBeginning(head.used) else { return nil }
    head.count = (try? main.read(into: head.bytes, at: 0)) ?? 0
    return isPossible(mainStatus) && SQLiteHeader(head.used) == nil ? database : nil
  }
}
