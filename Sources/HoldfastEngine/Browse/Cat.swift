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
    let file = try SnapshotFiles(of: snapshot, in: repository).file(at: path)
    try Self.write(file, to: sink)
    return file.content.consistency
  }

  /// Writes a file that was found already.
  package static func write(_ found: SnapshotFile, to sink: OpenFile) throws {
    let file = found.content
    let window = Window(bytes: windowBytes)
    let fetcher = try found.makeFetcher()
    func check(_ fetched: PageFetcher.Fetched) throws {
      if let failure = fetched.failure { throw failure }
    }
    var extents = found.extents
    var plan = PagePlan()
    while let extent = try extents.next() {
      var start = extent.first
      while start < extent.end {
        let offset = start * UInt64(file.pageSize)
        if offset >= window.start + windowBytes {
          try fetcher.fetch(&plan, onFrame: check)
          try window.write(upTo: offset, to: sink)
        }
        let room = (window.start + windowBytes - offset) / UInt64(file.pageSize)
        let end = min(extent.end, start + max(room, 1))
        plan.add(extent.slice(from: start, to: end, pageSize: file.pageSize), of: file, to: window)
        start = end
      }
    }
    try fetcher.fetch(&plan, onFrame: check)
    try window.write(upTo: file.size, to: sink)
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
