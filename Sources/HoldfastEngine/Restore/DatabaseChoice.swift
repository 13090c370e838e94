internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem
internal import Synchronization

/// The databases of a cluster in a snapshot whose contents are not restored: their files become zeros of the same size,
/// which take no room, so that the server can replay its log and drop them afterwards.
struct DatabaseChoice {
  private static let contentsMax: UInt64 = 16 << 20
  /// The databases that the server itself needs have lower OIDs, unless they were made anew.
  private static let firstOfUsers: UInt32 = 16384
  private static let namesOfServer: Set = ["postgres", "template0", "template1"]
  /// The directories of these databases, in all tablespaces.
  private(set) var zeroed: Set<Path> = []
  /// In the order of their OIDs.
  private(set) var databases: [ClusterDatabase] = []
  /// `nil` if it is not understood.
  private let control: ControlFile?

  /// - Parameter wanted: the names or OIDs of the databases that are restored.
  /// - Throws: `EngineError` if the snapshot has no such database.
  init(_ wanted: [String], _ state: StateFile, _ readers: ArchiveReaders, _ host: Host) throws {
    let found = try ClusterDirectories(in: state)
    let map = try Self.contents(of: found.cluster.appending("global/pg_filenode.map"), state, readers, host)
    guard let file = DatabaseCatalog.fileName(inMap: map) else { throw Self.unknown(wanted, []) }
    let catalog = try Self.contents(of: found.cluster.appending("global/\(file)"), state, readers, host)
    control = try Self.contents(of: found.cluster.appending(ControlFile.path.bytes), state, readers, host)
      .withUnsafeBytes { ControlFile($0) }
    let known = DatabaseCatalog.databases(in: catalog).filter { found.directories[$0.oid] != nil }
    var kept = Set(known.filter { Self.namesOfServer.contains($0.name) }.map(\.oid))
    for text in wanted {
      let fitting = Set(known.filter { $0.name == text }.map(\.oid))
      if fitting.count == 1 {
        kept.formUnion(fitting)
      } else if fitting.isEmpty, let oid = UInt32(text), found.directories[oid] != nil {
        kept.insert(oid)
      } else if fitting.isEmpty {
        throw Self.unknown(
          wanted, known.filter { $0.oid >= Self.firstOfUsers && !Self.namesOfServer.contains($0.name) })
      } else {
        let oids = fitting.sorted().map(String.init).joined(separator: " and ")
        throw EngineError(
          .usage, "the snapshot knows the name \(Path(text)) of the databases \(oids), as one of them was renamed",
          hint: "Say its OID: --db-include OID.", exitStatus: .usage)
      }
    }
    for (oid, directories) in found.directories.sorted(by: { $0.key < $1.key })
    where oid >= Self.firstOfUsers && !kept.contains(oid) {
      zeroed.formUnion(directories)
      databases.append(known.first { $0.oid == oid } ?? ClusterDatabase(oid: oid, name: ""))
    }
  }

  /// Refuses what would end the replay of the log: a record that expects a page, and brings no image of it, finds
  /// zeros, and the server takes that for damage (PANIC).
  func check(_ recovery: RecoverySettings?) throws {
    guard !databases.isEmpty, replays(recovery), !(recovery?.ignoresInvalidPages ?? false) else { return }
    let hasImages = control.map { $0.logsHints && $0.writesFullPages } ?? false
    guard !hasImages else { return }
    throw EngineError(
      .usage,
      "the server would not get through its log with databases that are zeros: that takes page checksums or wal_log_hints = on, and full_page_writes = on, and this cluster does not have them",
      hint:
        "Leave out --db-include; or say --recovery-option ignore_invalid_pages=on with --to-end (or --standby): then the server passes over every page that is missing, also in the databases that are kept.",
      exitStatus: .usage)
  }

  /// False if the server starts on a cluster that was shut down.
  private func replays(_ recovery: RecoverySettings?) -> Bool {
    switch recovery?.purpose {
    case .recovery, .standby: true
    case .unchanged, nil: !(control?.isShutDown ?? false)
    }
  }

  private static func unknown(_ wanted: [String], _ known: [ClusterDatabase]) -> EngineError {
    let list = known.map { "\(Path($0.name)) (\($0.oid))" }.joined(separator: ", ")
    return EngineError(
      .usage, "the snapshot does not have all of the databases \(wanted.map { "\(Path($0))" }.joined(separator: ", "))",
      hint: list.isEmpty
        ? "Leave out --db-include: no other database than the server's own was found in it." : "It has \(list).",
      exitStatus: .usage)
  }

  /// Reads a file of the snapshot.
  private static func contents(
    of path: Path, _ state: StateFile, _ readers: ArchiveReaders, _ host: Host
  ) throws -> [UInt8] {
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      guard entry.path == path, let file = entry.file, file.size <= contentsMax else { continue }
      let bytes = FileBytes(count: Int(file.size))
      var pages = PagePlan()
      var extents = reader.extents()
      while let extent = try extents.next() { pages.add(extent, of: file, to: bytes) }
      let fetcher = PageFetcher(readers: readers, host: host, isVerifying: false)
      defer { fetcher.stop() }
      try fetcher.fetch(&pages) { if let failure = $0.failure { throw failure } }
      return bytes.all
    }
    throw EngineError(
      .usage, "the snapshot has no \(path), in which a cluster names its databases",
      hint: "Restore it without --db-include.", exitStatus: .usage)
  }
}

/// The directories in which the only cluster of a snapshot has its databases.
private struct ClusterDirectories {
  let cluster: Path
  /// The directories of each database, in all tablespaces.
  private(set) var directories: [UInt32: Set<Path>] = [:]

  init(in state: StateFile) throws {
    var clusters: [Path] = []
    var found: [(oid: UInt32, directory: Path)] = []
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      if entry.file != nil, let cluster = ClusterControl.cluster(of: entry.path) {
        clusters.append(cluster)
      }
      guard entry.content == .directory, let oid = UInt32(String(decoding: entry.path.lastComponent, as: UTF8.self)),
        let above = entry.path.parent?.lastComponent, Self.holdsDatabases(above)
      else { continue }
      found.append((oid, entry.path))
    }
    guard clusters.count == 1 else {
      throw EngineError(
        .usage, "the snapshot holds \(clusters.isEmpty ? "no cluster" : "\(clusters.count) clusters") of PostgreSQL",
        hint: "Leave out --db-include: it chooses databases of one cluster.", exitStatus: .usage)
    }
    cluster = clusters[0]
    for (oid, directory) in found where cluster.contains(directory) { directories[oid, default: []].insert(directory) }
  }

  /// Returns true for `base`, and for the directory of one version in a tablespace.
  private static func holdsDatabases(_ name: some Collection<UInt8>) -> Bool {
    name.elementsEqual("base".utf8) || name.starts(with: "PG_".utf8)
  }
}

/// A file of a snapshot in memory.
private final class FileBytes: PageSink, Sendable {
  private let bytes: Mutex<[UInt8]>

  init(count: Int) { bytes = Mutex([UInt8](repeating: 0, count: count)) }

  var all: [UInt8] { bytes.withLock { $0 } }

  func write(_ pages: UnsafeRawBufferPointer, at offset: UInt64) {
    bytes.withLock { $0.replaceSubrange(Int(offset)..<Int(offset) + pages.count, with: pages) }
  }
}
