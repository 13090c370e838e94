internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The databases in a restored tree: SQLite files, by their first bytes, and data directories of PostgreSQL.
struct RestoredDatabases {
  private static let magic = Array("SQLite format 3\0".utf8)
  private static let controlFile = Path("global/pg_control")
  /// Paths relative to the tree.
  private(set) var sqlite: [Path] = []
  private(set) var clusters: [Path] = []

  init(in tree: Path, files: FileSystem, cancellation: Cancellation) throws {
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
      case .file where status.size >= UInt64(Self.magic.count):
        var head = [UInt8](repeating: 0, count: Self.magic.count)
        let file = try files.open(name, in: directory, .read)
        _ = try head.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        if head == Self.magic { sqlite.append(inner) }
      default: break
      }
    }
  }
}
