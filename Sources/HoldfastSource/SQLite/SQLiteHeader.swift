package import HoldfastModel
package import HoldfastSystem

/// The first 100 bytes of an SQLite database: https://www.sqlite.org/fileformat2.html, section 1.3.
struct SQLiteHeader: Equatable {
  static let byteCount = 100
  private static let magic = Array("SQLite format 3".utf8) + [0]

  /// Bytes: a power of two, 512 to 65536.
  let pageSize: UInt32
  /// Whether it is in WAL mode.
  let isWAL: Bool
  /// Moved by every commit in rollback mode.
  let changeCounter: UInt32

  /// `nil` for what is no such database.
  init?(_ bytes: some Collection<UInt8>) {
    let bytes = Array(bytes.prefix(Self.byteCount))
    guard bytes.count == Self.byteCount, bytes.starts(with: Self.magic) else { return nil }
    let size = UInt32(bytes[16]) << 8 | UInt32(bytes[17])
    pageSize = size == 1 ? 65_536 : size
    guard (512...65_536).contains(pageSize), pageSize.nonzeroBitCount == 1 else { return nil }
    isWAL = bytes[18] == 2
    changeCounter = bytes[24..<28].reduce(0) { $0 << 8 | UInt32($1) }
  }
}

/// An SQLite database in a source, as a look at its header and its companions found it.
package struct SQLiteCandidate: Sendable {
  package let path: Path
  package let status: FileStatus
  let header: SQLiteHeader
  /// Whether SQLite keeps something beside it.
  let hasCompanion: Bool

  /// What SQLite keeps beside the database.
  static let suffixes = ["-wal", "-shm", "-journal"].map { Array($0.utf8) }

  package var companions: [Path] { Self.suffixes.map { Path(bytes: path.bytes + $0) } }

  /// The database beside which SQLite would keep a file of this name; `nil` where the name is none of its.
  package static func database(ofCompanion path: Path) -> Path? {
    for suffix in suffixes
    where path.bytes.count > suffix.count && path.bytes.suffix(suffix.count).elementsEqual(suffix) {
      return Path(bytes: Array(path.bytes.dropLast(suffix.count)))
    }
    return nil
  }

  /// Whether the file could be a database, by its size.
  package static func isPossible(_ status: FileStatus) -> Bool {
    status.kind == .file && status.size >= 512 && status.size.isMultiple(of: 512)
  }

  /// Looks at one file, with a descriptor that is closed before anything is opened through SQLite: POSIX locks go with the first descriptor
  /// that this process closes (https://www.sqlite.org/howtocorrupt.html, section 2.2).
  /// - Returns: `nil` when it is no database, or cannot be looked at.
  package static func look(at path: Path, status: FileStatus, in root: OpenFile, files: FileSystem) -> SQLiteCandidate?
  {
    guard isPossible(status) else { return nil }
    return lookInside(path, status: status, in: root, files: files)
  }

  private static func lookInside(
    _ path: Path, status: FileStatus, in root: OpenFile, files: FileSystem
  ) -> SQLiteCandidate? {
    guard let file = try? files.openForCapture(path, in: root) else { return nil }
    let head = Buffer(capacity: SQLiteHeader.byteCount)
    guard let count = try? file.read(into: head.bytes, at: 0) else { return nil }
    head.count = count
    guard let header = SQLiteHeader(head.used) else { return nil }
    return SQLiteCandidate(
      path: path, status: status, header: header, hasCompanion: hasCompanion(path, in: root, files: files))
  }

  /// Whether SQLite keeps something beside a file: then somebody has it open, or did not end well.
  package static func hasCompanion(_ path: Path, in root: OpenFile, files: FileSystem) -> Bool {
    suffixes.contains { (try? files.statusIfPresent(of: Path(bytes: path.bytes + $0), in: root)) != nil }
  }
}

extension SQLiteCandidate {
  /// The database beside which a WAL lies though its file is no whole number of pages: a checkpoint met a full disk.
  package static func unwholeDatabase(ofLog path: Path, in root: OpenFile, files: FileSystem) -> SQLiteCandidate? {
    guard path.bytes.suffix(walSuffix.count).elementsEqual(walSuffix), let database = database(ofCompanion: path),
      let status = try? files.statusIfPresent(of: database, in: root), status.kind == .file, !isPossible(status)
    else { return nil }
    return lookInside(database, status: status, in: root, files: files)
  }

  private static let walSuffix = Array("-wal".utf8)

  /// The file beside which a WAL lies though it is no database that SQLite could read: most likely an encrypted one, in use. Extensions that encrypt
  /// leave the header of a WAL as it is.
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
