internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem

/// A file that PostgreSQL wants archived, after it was examined.
struct WALSourceFile {
  private static let headBytes = 4096
  let name: WALFileName
  /// The size in bytes.
  let size: UInt64
  /// The header of its first page; `nil` for a file without log.
  let segment: WALPageHeader.Segment?
  private let path: Path
  private let file: OpenFile
  /// The identity before anything was read.
  private let identity: WALReceipt.FileIdentity

  /// - Throws: `EngineError` for a name that is not valid, `WALFileError` if the file is not what its name says.
  init(_ path: Path, files: FileSystem) throws {
    let text = String(decoding: path.lastComponent, as: UTF8.self)
    guard let name = WALFileName(text), name.kind != .unfinishedSegment else {
      throw EngineError(
        .usage, "\(path.lastComponentText) is not the name of a file that PostgreSQL archives",
        hint: "Say archive_command = 'holdfast wal push %p --name NAME'.", exitStatus: .usage)
    }
    let file = try files.open(path, .read)
    let status = try file.status()
    guard status.kind == .file else { throw SystemError.notAFile(path) }
    (self.name, self.path, self.file, size) = (name, path, file, status.size)
    identity = WALReceipt.FileIdentity(status)
    segment = name.isLog ? try Self.checkSegment(name, file, status.size, path) : nil
    if !name.isLog { try WALFile.checkText(name, file.contents(max: WALFile.textBytesMax), path: path) }
  }

  private static func checkSegment(
    _ name: WALFileName, _ file: OpenFile, _ size: UInt64, _ path: Path
  ) throws -> WALPageHeader.Segment {
    let head = Buffer(capacity: headBytes)
    head.count = try file.read(into: head.bytes, at: 0)
    return try WALFile.checkSegment(name, head: head.used, size: size, path: path)
  }

  /// Passes its bytes to `body`, in the pieces that become frames.
  func read(_ cancellation: Cancellation, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let block = Buffer(capacity: Limits.archiveFrameBytes)
    var offset: UInt64 = 0
    while offset < size {
      try cancellation.check()
      let wanted = Int(min(UInt64(block.capacity), size - offset))
      block.count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<wanted]), at: offset)
      guard block.count == wanted else { throw SystemError.endOfFile(path.description) }
      try body(block.used)
      offset += UInt64(wanted)
    }
  }

  /// Returns the SHA-256 of the file, or of its beginning.
  /// - Parameter count: the number of bytes of the beginning.
  func digest(ofFirst count: UInt64 = .max, _ cancellation: Cancellation) throws -> Digest {
    var beginning = Beginning(count)
    try read(cancellation) { beginning.add($0) }
    return beginning.finish()
  }

  /// Returns true if the last page of the segment belongs to it.
  func hasLastPage(_ segment: WALPageHeader.Segment, _ number: UInt64) throws -> Bool {
    let page = Buffer(capacity: WALPageHeader.longCount)
    page.count = try file.read(into: page.bytes, at: size - UInt64(segment.pageSize))
    return WALFile.isLastPage(page.used, of: number, segment)
  }

  // MARK: Identity

  /// Returns the identity that shows later whether the file was written since it was opened; `nil` if it was, or so
  /// shortly before that a later write might not show.
  func settledIdentity(_ host: Host) throws -> WALReceipt.FileIdentity? {
    let now = host.clock.now()
    let status = try file.status()
    return WALReceipt.FileIdentity(status) == identity && !ChangeDetection.isRacy(status, at: now) ? identity : nil
  }

  /// Returns true if the file is certainly the same as when `known` was taken.
  func isStill(_ known: WALReceipt.FileIdentity?) -> Bool { known == identity }

  // MARK: Its cluster

  /// Returns the cluster that the file belongs to.
  func system(_ options: WALPush.Options, in archive: WALArchive, files: FileSystem) throws -> SystemIdentifier {
    if let segment { return segment.system }
    if let system = options.system { return system }
    // PostgreSQL archives from `pg_wal`, and the control file is beside that directory.
    let beside = path.parent?.parent
    for directory in [beside, options.clusterDirectory].compactMap({ $0 }) {
      if let system = try ClusterIdentity.system(of: directory, files: files) { return system }
    }
    return try ClusterIdentity.only(in: archive)
  }
}

/// Computes the digest of the first bytes of a stream.
struct Beginning {
  private var hasher = Hasher()
  private var left: UInt64

  init(_ count: UInt64) { left = count }

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    let count = min(UInt64(bytes.count), left)
    left -= count
    hasher.update(UnsafeRawBufferPointer(rebasing: bytes[..<Int(count)]))
  }

  mutating func finish() -> Digest { hasher.finish() }
}

/// Determines the cluster if the arguments of a command do not.
enum ClusterIdentity {
  /// Returns the identifier in the control file of a data directory; `nil` if there is none.
  static func system(of directory: Path, files: FileSystem) throws -> SystemIdentifier? {
    let path = directory.appending(ClusterControl.path.bytes)
    let file: OpenFile
    do throws(SystemError) {
      file = try files.open(path, .read)
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
    let head = Buffer(capacity: ClusterControl.byteCount)
    head.count = try file.read(into: head.bytes, at: 0)
    guard let system = ClusterControl.system(head.used) else {
      throw EngineError(
        .usage, "\(path) is not the control file of PostgreSQL 12 or later",
        hint: "Say --system, as `holdfast wal status` shows it.")
    }
    return system
  }

  /// Returns the only cluster whose WAL is archived.
  /// - Throws: `EngineError` if there is none, or there are several.
  static func only(in archive: WALArchive) throws -> SystemIdentifier {
    let systems = try archive.systems()
    if systems.count == 1 { return systems[0] }
    throw EngineError(
      .usage,
      systems.isEmpty
        ? "no write-ahead log is archived for \(archive.source)"
        : "the logs of \(systems.count) clusters are archived for \(archive.source)",
      hint: systems.isEmpty
        ? "Check --name and --repository; `holdfast wal status` shows what there is."
        : "Run this in the data directory of the cluster, or say which one with --system: "
          + systems.map(\.description).joined(separator: ", ") + ".")
  }
}

extension Path {
  /// The last component as text for messages.
  var lastComponentText: String { Path(bytes: Array(lastComponent)).description }
}
