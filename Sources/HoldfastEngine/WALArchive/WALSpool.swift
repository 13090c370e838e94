internal import FoundationEssentials
internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The segments that were fetched before the server asked for them. They are in a private directory beside the file
/// that the server asks for, below its `pg_wal`: as well protected as the log itself, and removed with the cluster.
///
/// A file is named after the segment and the digest of its manifest. It contains the segment, followed by its SHA-256,
/// so that an incomplete file never counts.
struct WALSpool {
  /// The source of the segments: a cluster in a repository.
  struct Origin: Codable, Equatable {
    /// The location of the repository.
    let location: String
    let source: SourceName
    let system: SystemIdentifier
  }

  private struct Record: Codable {
    let origin: Origin
    let repository: Identifier
    /// The time at which the location led to this repository.
    let moment: MachineMoment
  }

  static let name = Path(".holdfast-ahead")
  private static let recordName = Path("origin.json")
  private static let recordBytesMax = 1 << 16
  /// The duration for which a location is taken to lead to the same repository.
  private static let validity = TimeSpan.minutes(10)
  private let folder: OpenFile
  private let host: Host
  private var files: FileSystem { host.files }

  /// - Parameters:
  ///   - target: the file that the server asks for.
  ///   - isMade: true if the directory is made if it is missing.
  /// - Returns: `nil` if there is none, or others could have written in it.
  init?(beside target: Path, isMade: Bool = false, on host: Host) throws {
    guard let parent = target.parent else { return nil }
    let directory = try host.files.open(parent, .directoryFollowingLinks)
    if try host.files.statusIfPresent(of: Self.name, in: directory) == nil {
      guard isMade else { return nil }
      try host.files.makeDirectory(Self.name, in: directory)
    }
    folder = try host.files.openBeneath(Self.name, in: directory, .directory)
    let status = try folder.status()
    guard status.userID == FileSystem.userID, status.mode & 0o077 == 0 else { return nil }
    self.host = host
  }

  /// Keeps other fetches from writing here as long as this value exists.
  /// - Returns: true if no other fetch does.
  func lock() throws -> Bool { try folder.lock(exclusively: true, wait: false) }

  // MARK: Taking

  /// Returns true if the segments are certainly from `origin`, without opening the repository.
  func isFresh(from origin: Origin) -> Bool {
    guard let record, record.origin == origin else { return false }
    return record.moment.isWithin(Self.validity, before: MachineMoment(on: host))
  }

  /// Copies a segment to the file that the server asks for, and removes it here.
  /// - Parameter manifest: the digest of its manifest; `nil` for any.
  /// - Returns: `false` if it is not here as a whole.
  func take(_ file: WALFileName, _ manifest: Digest? = nil, to target: () throws -> AtomicFile) throws -> Bool {
    guard let entry = try entries().first(where: { $0.file == file && $0.manifest == manifest ?? $0.manifest }) else {
      return false
    }
    defer { try? files.removeFile(entry.path, in: folder) }
    let spooled = try files.openBeneath(entry.path, in: folder, .read)
    let status = try spooled.status()
    guard status.kind == .file, status.size > UInt64(Digest.byteCount), status.size <= Limits.sizeMax else {
      return false
    }
    let written = try target()
    guard try copy(spooled, status.size - UInt64(Digest.byteCount), to: written) else { return false }
    try written.commit()
    return true
  }

  /// - Returns: true if the bytes have the digest that follows them.
  private func copy(_ spooled: OpenFile, _ size: UInt64, to target: AtomicFile) throws -> Bool {
    let block = Buffer(capacity: Limits.archiveFrameBytes)
    var hasher = Hasher()
    while target.length < size {
      try host.cancellation.check()
      let wanted = Int(min(UInt64(block.capacity), size - target.length))
      block.count = try spooled.read(
        into: UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<wanted]), at: target.length)
      guard block.count == wanted else { return false }
      hasher.update(block.used)
      try target.append(block.used)
    }
    block.count = try spooled.read(
      into: UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<Digest.byteCount]), at: size)
    return Digest(bytes: Array(block.used)) == hasher.finish()
  }

  // MARK: Filling

  /// Prepares the spool for segments from a repository: removes those from elsewhere. The caller holds the lock.
  func begin(from origin: Origin, _ repository: Identifier) throws {
    if let record, record.origin == origin, record.repository == repository {} else { try empty() }
    let record = Record(origin: origin, repository: repository, moment: MachineMoment(on: host))
    let file = try AtomicFile(Self.recordName, in: folder, durability: .none, files: files)
    try file.append(Array(try JSONEncoder().encode(record)))
    try file.commit()
  }

  /// Removes everything but these segments. The caller holds the lock.
  func keepOnly(_ wanted: [WALFileName]) throws {
    let kept = try entries().filter { wanted.contains($0.file) }.map(\.path) + [Self.recordName]
    for path in try paths() where !kept.contains(path) { try files.removeFile(path, in: folder) }
  }

  /// Returns the segments that are here.
  func segments() throws -> Set<WALFileName> { Set(try entries().map(\.file)) }

  /// Fetches a segment. The caller holds the lock.
  func add(_ archived: ArchivedWAL, of archive: WALArchive) throws {
    let file = try AtomicFile(
      Entry(file: archived.file, manifest: archived.digest).path, in: folder, durability: .none, files: files)
    let facts = try archive.read(archived) { try file.append($0) }
    try file.append(facts.digest.bytes)
    try file.commit()
  }

  /// Removes everything. The caller holds the lock.
  func empty() throws {
    for path in try paths() { try files.removeFile(path, in: folder) }
  }

  // MARK: Contents

  private struct Entry {
    let file: WALFileName
    let manifest: Digest

    var path: Path { Path("\(file)-\(manifest)") }

    init(file: WALFileName, manifest: Digest) { (self.file, self.manifest) = (file, manifest) }

    /// Parses the name of a spooled segment; `nil` for any other name.
    init?(_ path: Path) {
      let parts = String(decoding: path.bytes, as: UTF8.self).split(separator: "-", omittingEmptySubsequences: false)
      guard parts.count == 2, let file = WALFileName(parts[0]), file.kind == .segment,
        let manifest = Hex.decode(String(parts[1])).flatMap({ Digest(bytes: $0) })
      else { return nil }
      (self.file, self.manifest) = (file, manifest)
    }
  }

  private var record: Record? {
    guard let file = try? files.openBeneath(Self.recordName, in: folder, .read),
      let bytes = try? file.contents(max: Self.recordBytesMax)
    else { return nil }
    return try? JSONDecoder().decode(Record.self, from: Data(bytes))
  }

  private func entries() throws -> [Entry] { try paths().compactMap { Entry($0) } }

  private func paths() throws -> [Path] {
    let listing = try folder.listing()
    return (0..<listing.count).map { Path(bytes: Array(listing[$0])) }
  }
}
