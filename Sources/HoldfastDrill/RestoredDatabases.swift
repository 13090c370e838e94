internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The databases in a restored tree: SQLite files, and data directories of PostgreSQL. An SQLite file is known by its
/// first bytes; where these are damaged, by the rest of it, or because the configuration names it.
struct RestoredDatabases {
  private static let controlFile = Path("global/pg_control")
  /// Paths relative to the tree.
  private(set) var sqlite: [Path] = []
  private(set) var clusters: [Path] = []
  /// Files with a write-ahead log of SQLite beside them that do not look like a database themselves: extensions that
  /// encrypt a database leave the beginning of its log in clear.
  private(set) var unreadable: [Path] = []
  private let named: Path?

  /// - Parameter named: the path of the database that the configuration names; `nil` if it names none.
  init(in tree: Path, named: Path?, files: FileSystem, cancellation: Cancellation) throws {
    self.named = named
    try look(in: files.open(tree, .directory), at: .root, files, cancellation)
  }

  private mutating func look(
    in directory: OpenFile, at path: Path, _ files: FileSystem, _ cancellation: Cancellation
  ) throws {
    try cancellation.check()
    let listing = try directory.listing()
    if listing.contains(Array(PostgresCluster.versionFile.utf8)),
      try files.statusIfPresent(of: Self.controlFile, beneath: directory)?.kind == .file
    {
      return clusters.append(path)
    }
    for index in 0..<listing.count {
      let name = Path(bytes: Array(listing[index]))
      let inner = path.isEmpty ? name : path.appending(name.bytes)
      guard let status = try files.statusIfPresent(of: name, in: directory) else { continue }
      switch status.kind {
      case .directory: try look(in: files.open(name, in: directory, .directory), at: inner, files, cancellation)
      case .file: try look(at: name, status, in: directory, inner, files)
      default: break
      }
    }
  }

  private mutating func look(
    at name: Path, _ status: FileStatus, in directory: OpenFile, _ path: Path, _ files: FileSystem
  ) throws {
    guard status.size > 0 else { return }
    let file = try files.open(name, in: directory, .read)
    var head = [UInt8](repeating: 0, count: SQLiteRemains.magic.count)
    _ = try head.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
    if head == SQLiteRemains.magic || path == named { return sqlite.append(path) }
    if try SQLiteRemains(file: file, size: status.size).hasPages { return sqlite.append(path) }
    let beside = Path(bytes: name.bytes + Array("-wal".utf8))
    guard try files.statusIfPresent(of: beside, in: directory)?.kind == .file else { return }
    let log = try files.open(beside, in: directory, .read)
    guard let found = try WriteAheadLog(log) else { return }
    if try SQLiteRemains.holdsFirstPage(log, pageSize: UInt64(found.pageSize)) {
      sqlite.append(path)
    } else {
      unreadable.append(path)
    }
  }

  /// Refuses a database with the journal of a transaction over several databases. The journal names a file of the live
  /// source, which decides if the transaction was committed: SQLite would look for it there, and might remove it.
  static func checkJournal(of path: Path, in tree: Path, files: FileSystem) throws {
    let journal = Path(bytes: tree.appending(path.bytes).bytes + Array("-journal".utf8))
    guard try files.statusIfPresent(of: journal)?.kind == .file,
      try RollbackJournal.isPartOfLarger(files.open(journal, .read))
    else { return }
    throw EngineError(
      .usage,
      "\(path) was captured in the middle of a transaction over several databases: SQLite would look for the end of it in the live source, which a drill must not touch",
      hint: "Drill another snapshot, and find out why that transaction did not end.")
  }
}
