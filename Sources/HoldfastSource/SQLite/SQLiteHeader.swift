package import HoldfastModel
package import HoldfastSystem

/// The first 100 bytes of an SQLite database: https://www.sqlite.org/fileformat2.html, section 1.3.
struct SQLiteHeader: Equatable {
  static let byteCount = 100
  private static let magic = Array("SQLite format 3".utf8) + [0]

  /// All of it.
  let bytes: [UInt8]
  /// Bytes: a power of two, 512 to 65536.
  let pageSize: UInt32

  /// `nil` for what is no such database.
  init?(_ bytes: some Collection<UInt8>) {
    let bytes = Array(bytes.prefix(Self.byteCount))
    guard bytes.count == Self.byteCount, bytes.starts(with: Self.magic) else { return nil }
    let size = UInt32(bytes[16]) << 8 | UInt32(bytes[17])
    pageSize = size == 1 ? 65_536 : size
    guard (512...65_536).contains(pageSize), pageSize.nonzeroBitCount == 1 else { return nil }
    self.bytes = bytes
  }

  /// - Returns: `nil` for what is no such database.
  init?(of file: OpenFile) throws(SystemError) {
    let head = Buffer(capacity: Self.byteCount)
    head.count = try file.read(into: head.bytes, at: 0)
    self.init(head.used)
  }

  /// Whether it is in WAL mode.
  var isWAL: Bool { bytes[19] == 2 }

  /// Pages of the database; `nil` where a program wrote to it that does not keep the number: then the file is as long as the database.
  var pageCount: UInt32? {
    let count = word(28)
    return count > 0 && word(24) == word(92) ? count : nil
  }

  /// Why SQLite does not open it; `nil` where nothing in the header keeps it from doing so.
  var unsupported: String? {
    let fractions: [UInt8] = [64, 32, 32]
    let schemaFormatMax: UInt32 = 4
    if bytes[19] > 2 || !bytes[21..<24].elementsEqual(fractions) { return "file is not a database" }
    return word(44) > schemaFormatMax ? "unsupported file format" : nil
  }

  private func word(_ offset: Int) -> UInt32 { bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } }
}

/// An SQLite database in a source, as a look at its header and its companions found it.
package struct SQLiteCandidate: Sendable {
  package let path: Path
  package let status: FileStatus
  let header: SQLiteHeader
  /// Whether SQLite keeps something beside it.
  let hasCompanion: Bool
  /// Whether whatever was written to it since shows in its status.
  let isSettled: Bool
  /// What was looked into, where it is to be captured through it.
  var file: OpenFile?

  /// What SQLite keeps beside the database.
  static let suffixes = ["-wal", "-shm", "-journal"].map { Array($0.utf8) }

  package var companions: [Path] { Self.suffixes.map { Path(bytes: path.bytes + $0) } }

  /// The database beside which SQLite would keep a file of this name; `nil` where the name is none of its.
  package static func database(ofCompanion path: Path) -> Path? {
    // Asked for every file of a source, and nearly none ends so.
    guard let last = path.bytes.last, last == UInt8(ascii: "l") || last == UInt8(ascii: "m") else { return nil }
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

  /// Whether a file that begins so is a database.
  package static func isBeginning(_ bytes: UnsafeRawBufferPointer) -> Bool { SQLiteHeader(bytes) != nil }

  /// Looks at one file.
  /// - Parameter keepsOpen: whether it stays open, for its capture.
  /// - Returns: `nil` when it is no database, or cannot be looked at.
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
      // What was put into its place since is what counts.
      let now = try? file.status()
    else { return nil }
    // Before the companions are looked for.
    let isSettled = now.isSettled
    let hasCompanion = hasCompanion(path, in: root, files: files)
    return SQLiteCandidate(
      path: path, status: now, header: header, hasCompanion: hasCompanion,
      isSettled: isSettled, file: keepsOpen ? file : nil)
  }

  /// Whether SQLite keeps something beside a file: then somebody has it open, or did not end well. What cannot be examined may be there.
  package static func hasCompanion(_ path: Path, in root: OpenFile, files: FileSystem) -> Bool {
    suffixes.contains { suffix in
      do throws(SystemError) {
        return try files.statusIfPresent(of: Path(bytes: path.bytes + suffix), in: root) != nil
      } catch {
        return true
      }
    }
  }

  /// The candidates as they are now, as far as something lies beside those beside which nothing lay.
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
  /// The database beside which a WAL lies though its file is no whole number of pages: a checkpoint met a full disk.
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

  /// Whether it has to be captured as its programs see it: in WAL mode where there is a WAL, in rollback mode always, because nothing tells whether somebody
  /// writes.
  package var isLive: Bool { !header.isWAL || hasCompanion }

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
