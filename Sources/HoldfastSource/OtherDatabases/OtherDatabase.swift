package import HoldfastModel
package import HoldfastSystem

/// A database of a kind that cannot be captured while it is open, found by looking at its files.
package struct OtherDatabase {
  package enum Kind: Sendable, Equatable {
    case mySQL, lmdb, rocksDB, levelDB

    /// The name of the kind, with its article.
    package var name: String {
      switch self {
      case .mySQL: "a MariaDB or MySQL server"
      case .lmdb: "an LMDB database"
      case .rocksDB: "a RocksDB database"
      case .levelDB: "a LevelDB database"
      }
    }
  }

  package let kind: Kind
  /// Its directory, or its main file.
  package let path: Path
  /// The files that a program locks or opens for writing when it opens the database, each with its status when it was
  /// found.
  private var watched: [(path: Path, status: FileStatus)] = []

  var keys: [FileSystem.FileKey] { watched.map { FileSystem.FileKey($0.status) } }

  /// Examines a file; `nil` if it does not belong to such a database, or cannot be examined.
  /// - Parameter root: the root of the source.
  package init?(_ suspect: Suspect, in root: OpenFile, files: FileSystem) {
    guard let head = Head(of: suspect.path, in: root, files: files) else { return nil }
    let lock: Path?
    switch suspect.family {
    case .mySQL:
      // A database that is captured as one of SQLite may have any name.
      guard !head.isSQLite else { return nil }
      (kind, path, lock) = (.mySQL, suspect.path, nil)
    case .lmdb:
      guard head.isLMDB else { return nil }
      (kind, path, lock) = (.lmdb, suspect.path, suspect.lock)
    case .logStructured:
      guard head.namesManifest, let directory = suspect.path.parent else { return nil }
      kind = Self.isRocksDB(directory, in: root, files: files) ? .rocksDB : .levelDB
      (path, lock) = (directory, directory.appending("LOCK"))
    }
    watched = [(suspect.path, head.status)]
    if let lock, let status = try? files.statusIfPresent(of: lock, in: root), status.kind == .file {
      watched.append((lock, status))
    }
  }

  /// Returns true if the options of RocksDB are beside the database. LevelDB has none.
  private static func isRocksDB(_ directory: Path, in root: OpenFile, files: FileSystem) -> Bool {
    names(in: directory, of: root, files: files).contains { $0.starts(with: Array("OPTIONS-".utf8)) }
  }

  private static func names(in directory: Path, of root: OpenFile, files: FileSystem) -> [ArraySlice<UInt8>] {
    guard let folder = try? files.openBeneath(directory, in: root, .directory), let listing = try? folder.listing()
    else { return [] }
    return (0..<listing.count).map { listing[$0] }
  }

  // MARK: Use by other processes

  func lockHolder(in root: OpenFile, files: FileSystem) -> FileHolder? {
    for (path, _) in watched {
      // If the name now belongs to another file, `hasChanged` finds it.
      if let file = try? files.openForCapture(path, in: root), let holder = try? file.lockHolder(files) {
        return holder
      }
    }
    return nil
  }

  func hasChanged(in root: OpenFile, files: FileSystem) -> Bool {
    watched.contains { path, before in
      guard let now = try? files.status(of: path, in: root) else { return true }
      return !now.isUntouched(since: before)
    }
  }

  /// Returns the files that show the database's state. Tables of RocksDB and LevelDB are not among them, because they
  /// never change once they are written.
  func writtenFiles(in root: OpenFile, files: FileSystem) -> [Path] {
    guard kind == .rocksDB || kind == .levelDB else { return [path] }
    let written = Self.names(in: path, of: root, files: files).filter { name in
      name.elementsEqual(Array("CURRENT".utf8)) || name.starts(with: Array("MANIFEST-".utf8))
        || name.suffix(4).elementsEqual(Array(".log".utf8))
    }
    return written.map { path.appending($0) }
  }
}

extension OtherDatabase {
  /// A file whose name suggests such a database.
  package struct Suspect {
    enum Family {
      case mySQL, lmdb
      /// RocksDB and LevelDB.
      case logStructured
    }

    let family: Family
    /// The file that may be the database, or a part of it.
    let path: Path
    /// The lock file of an LMDB environment.
    var lock: Path?
    /// True for a table file. There may be many of them.
    var isTable = false

    private static let serverFiles = ["ibdata1", "aria_log_control", "ib_logfile0"].map { Array($0.utf8) }
    private static let redoPrefix = Array("#ib_redo".utf8)
    private static let tableSuffix = Array(".ibd".utf8)
    private static let currentName = Array("CURRENT".utf8)
    private static let dataName = Array("data.mdb".utf8)
    private static let lockSuffix = Array("-lock".utf8)

    /// Examines a path; `nil` if its name suggests no such database.
    package init?(_ path: Path) {
      let name = path.lastComponent
      if name.elementsEqual(Self.currentName) {
        (family, self.path) = (.logStructured, path)
      } else if name.elementsEqual(Self.dataName) {
        (family, self.path) = (.lmdb, path)
        lock = (path.parent ?? .root).appending("lock.mdb")
      } else if name.count > Self.lockSuffix.count, name.suffix(Self.lockSuffix.count).elementsEqual(Self.lockSuffix) {
        // An LMDB environment that is a single file, opened with MDB_NOSUBDIR.
        (family, self.path) = (.lmdb, Path(bytes: Array(path.bytes.dropLast(Self.lockSuffix.count))))
        lock = path
      } else if name.suffix(Self.tableSuffix.count).elementsEqual(Self.tableSuffix) {
        (family, self.path, isTable) = (.mySQL, path, true)
      } else if name.starts(with: Self.redoPrefix) || Self.serverFiles.contains(where: { name.elementsEqual($0) }) {
        (family, self.path) = (.mySQL, path)
      } else {
        return nil
      }
    }
  }

  /// The first bytes of a file.
  private struct Head {
    let status: FileStatus
    private let bytes: [UInt8]

    init?(of path: Path, in root: OpenFile, files: FileSystem) {
      guard let file = try? files.openForCapture(path, in: root), let status = try? file.status(), status.kind == .file
      else { return nil }
      let head = Buffer(capacity: 32)
      guard let count = try? file.read(into: head.bytes, at: 0) else { return nil }
      head.count = count
      self.status = status
      bytes = Array(head.used)
    }

    var isSQLite: Bool { bytes.starts(with: Array("SQLite format 3".utf8)) }

    /// True if a meta page with LMDB's magic number, in either byte order, follows the page's header.
    var isLMDB: Bool {
      let magic: [UInt8] = [0xde, 0xc0, 0xef, 0xbe]
      return bytes.dropFirst(16).starts(with: magic) || bytes.dropFirst(16).starts(with: magic.reversed())
    }

    var namesManifest: Bool { bytes.starts(with: Array("MANIFEST-".utf8)) }
  }
}
