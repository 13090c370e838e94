package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
package import HoldfastSystem

/// Writes one file of a snapshot to a sink, in order; every page is verified.
package struct Cat {
  /// The number of bytes that are fetched before they are written.
  private static let windowBytes: UInt64 = 8 << 20
  private let repository: Repository

  package init(repository: Repository) {
    self.repository = repository
  }

  /// - Returns: the file's consistency class.
  package func write(_ path: Path, of snapshot: Snapshot, to sink: OpenFile) throws -> ConsistencyClass {
    let chain = try repository.catalog.chain(to: snapshot)
    let state = try repository.containers.replay(chain)
    let (file, mapOffset) = try find(path, in: state)
    try repository.containers.checkReadable(
      chain.archiveKeys(of: archives(with: state.extents(at: mapOffset, of: file))))
    let window = Window(bytes: Self.windowBytes)
    let fetcher = PageFetcher(
      readers: ArchiveReaders(chain, in: repository.containers), host: repository.host, isVerifying: false)
    func check(_ fetched: PageFetcher.Fetched) throws {
      if let failure = fetched.failure { throw failure }
    }
    var extents = state.extents(at: mapOffset, of: file)
    var plan = PagePlan()
    while let extent = try extents.next() {
      var start = extent.first
      while start < extent.end {
        let offset = start * UInt64(file.pageSize)
        if offset >= window.start + Self.windowBytes {
          try fetcher.fetch(&plan, onFrame: check)
          try window.write(upTo: offset, to: sink)
        }
        let room = (window.start + Self.windowBytes - offset) / UInt64(file.pageSize)
        let end = min(extent.end, start + max(room, 1))
        plan.add(extent.slice(from: start, to: end, pageSize: file.pageSize), of: file, to: window)
        start = end
      }
    }
    try fetcher.fetch(&plan, onFrame: check)
    try window.write(upTo: file.size, to: sink)
    return file.consistency
  }

  private func archives(with extents: any PageMapReader) throws -> Set<UInt64> {
    var (extents, archives) = (extents, Set<UInt64>())
    while let extent = try extents.next() {
      if let location = extent.location { archives.insert(location.archive) }
    }
    return archives
  }

  private func find(_ path: Path, in state: StateFile) throws -> (FileContent, mapOffset: UInt64) {
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      guard entry.path == path else { continue }
      switch entry.content {
      case .file(let file) where file.consistency != .unreadable: return (file, reader.mapOffset)
      case .file:
        throw EngineError(
          .usage, "\(path) could not be read when the snapshot was taken", hint: "Try an older snapshot.",
          exitStatus: .incomplete)
      case .hardLink(let original): return try find(original, in: state)
      default:
        throw EngineError(
          .usage, "\(path) is not a file", hint: "Run `holdfast restore --path` for directories and links.")
      }
    }
    throw EngineError(
      .usage, "the snapshot has no \(path)", hint: "Run `holdfast show SNAPSHOT --files` to see what it has.")
  }

  /// A part of the file in memory. Pages that are not fetched are zero.
  private final class Window: PageSink, @unchecked Sendable {
    // Workers write disjoint ranges; the owner moves the window only between two fetches.
    private let bytes: UnsafeMutableRawBufferPointer
    private(set) var start: UInt64 = 0

    init(bytes count: UInt64) {
      bytes = .allocate(byteCount: Int(count) + Limits.pageSizeMax, alignment: 64)
      bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { bytes.deallocate() }

    func write(_ pages: UnsafeRawBufferPointer, at offset: UInt64) {
      UnsafeMutableRawBufferPointer(rebasing: bytes[Int(offset - start)...]).copyMemory(from: pages)
    }

    func write(upTo end: UInt64, to sink: OpenFile) throws {
      while start < end {
        let count = Int(min(end - start, Cat.windowBytes))
        try sink.append(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        start += UInt64(count)
      }
    }
  }
}
