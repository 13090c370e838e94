internal import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
internal import HoldfastSystem

/// Keeps the state of each source's newest snapshot on the machine that takes backups, so that an incremental need not replay the chain.
/// Losing it, or finding it damaged, costs time only. Layout: magic, ID of the snapshot that the state belongs to, state, SHA-256 of all before.
package struct StateCache: Sendable {
  private static let magic = Array("HFSTATE1".utf8)
  private static let headerCount = UInt64(magic.count + Identifier.byteCount)
  private let directory: Path?

  /// - Parameter directory: `nil` for none.
  package init(directory: Path?) {
    self.directory = directory
  }

  private func path(_ repository: Repository, _ source: SourceName) -> Path? {
    directory?.appending(repository.id.description).appending(source.text + ".state")
  }

  /// The cached state of a chain's tip; `nil` when there is none that is sound.
  func load(_ chain: Chain, in repository: Repository) -> StateFile? {
    guard let path = path(repository, chain.tip.sourceName) else { return nil }
    // Whatever is wrong with a cache, the answer is the same: do without.
    guard let file = try? repository.host.files.open(path, .read), let size = try? file.status().size,
      let state = try? prove(CacheFile(file: file, length: size), belongsTo: chain.lastChanging.id)
    else { return nil }
    return StateFile(bytes: state, summary: chain.tip.envelope.state)
  }

  private func prove(_ bytes: CacheFile, belongsTo snapshot: Identifier) throws -> Section? {
    let digestCount = UInt64(Digest.byteCount)
    guard bytes.length >= Self.headerCount + digestCount else { return nil }
    let end = bytes.length - digestCount
    var header = [UInt8](repeating: 0, count: Int(Self.headerCount))
    try header.withUnsafeMutableBytes { try bytes.read(into: $0, at: 0) }
    guard header == Self.magic + snapshot.bytes else { return nil }
    var hasher = Hasher()
    let block = Buffer(capacity: 1 << 18)
    var offset: UInt64 = 0
    while offset < end {
      block.count = Int(min(UInt64(block.capacity), end - offset))
      try bytes.read(into: UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<block.count]), at: offset)
      hasher.update(block.used)
      offset += UInt64(block.count)
    }
    var recorded = [UInt8](repeating: 0, count: Digest.byteCount)
    try recorded.withUnsafeMutableBytes { try bytes.read(into: $0, at: end) }
    guard hasher.finish().bytes == recorded else { return nil }
    return Section(bytes: bytes, start: Self.headerCount, length: end - Self.headerCount)
  }

  /// Begins the state that will follow; `nil` when no directory can be written.
  func begin(_ repository: Repository, source: SourceName, snapshot: Identifier) -> Draft? {
    guard let path = path(repository, source), let parent = path.parent else { return nil }
    let files = repository.host.files
    do {
      for folder in [parent.parent?.parent, parent.parent, parent].compactMap({ $0 }) where !folder.isEmpty {
        if try files.statusIfPresent(of: folder) == nil { try files.makeDirectory(folder) }
      }
      return try Draft(path: path, files: files, header: Self.magic + snapshot.bytes, random: repository.host.random)
    } catch {
      return nil
    }
  }

  /// A new cached state on its way.
  final class Draft: ByteSink {
    private let path: Path
    private let temporary: Path
    private let files: FileSystem
    private let file: OpenFile
    private var hasher = Hasher()
    private var offset: UInt64 = 0
    private var isKept = false
    /// Why it cannot be kept: a backup does not depend on it.
    private var failure: (any Error)?

    init(path: Path, files: FileSystem, header: [UInt8], random: Randomness) throws {
      self.path = path
      self.files = files
      temporary = Path(bytes: path.bytes + Array(".\(random.identifier().short)".utf8))
      file = try files.open(temporary, .create)
      header.withUnsafeBytes { append($0) }
    }

    deinit {
      if !isKept { try? files.removeFile(temporary) }
    }

    func append(_ bytes: UnsafeRawBufferPointer) {
      guard failure == nil else { return }
      hasher.update(bytes)
      do {
        try write(bytes)
      } catch {
        failure = error
      }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
      try file.write(bytes, at: offset)
      offset += UInt64(bytes.count)
    }

    /// Puts the state in the place of the older one. Not synchronized: its digest tells whether it is whole.
    func keep() throws {
      if let failure { throw failure }
      try hasher.finish().bytes.withUnsafeBytes { try write($0) }
      try files.rename(temporary, to: path, replacing: true)
      isKept = true
    }
  }
}

/// A file as readable bytes.
private struct CacheFile: ReadableBytes {
  let file: OpenFile
  let length: UInt64
  var name: String { "the local cache" }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    guard try file.read(into: buffer, at: offset) == buffer.count else { throw SystemError.endOfFile(name) }
  }
}

/// A part of other bytes.
private struct Section: ReadableBytes {
  let bytes: any ReadableBytes
  let start: UInt64
  let length: UInt64
  var name: String { bytes.name }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try bytes.read(into: buffer, at: start + offset)
  }
}
