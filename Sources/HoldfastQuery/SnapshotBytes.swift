internal import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// The bytes of one file of a snapshot, read at any offset: page map → frame → pages, each verified by its digest. The
/// extents that were used last stay in memory. Only one thread may use it.
package final class SnapshotBytes {
  package static let usualKeptBytesMax = 32 << 20
  /// The most frames that are fetched at once when a file is read from front to back.
  private static let framesAheadMax = 16

  package let length: UInt64
  /// The frames that were fetched, and their stored bytes.
  package private(set) var framesRead: UInt64 = 0
  package private(set) var bytesFetched: UInt64 = 0

  private let file: SnapshotFile
  private let index: PageIndex
  private let fetcher: PageFetcher
  private let keptBytesMax: Int
  private let ownsFetcher: Bool
  /// The extents in memory, by their first pages.
  private var kept: [UInt64: ExtentBytes] = [:]
  private var keptBytes = 0
  private var clock: UInt64 = 0
  /// The page after the last one that was fetched, and the number of frames that were fetched with it; `nil` when
  /// nothing is known of how the file is read.
  private var last: (end: UInt64, frames: Int)?

  /// - Parameters:
  ///   - shared: fetches its pages and those of other files of the snapshot; `nil` for a fetcher of its own.
  ///   - keptBytesMax: the most bytes of it that stay in memory.
  /// - Throws: `FrozenArchives` when the provider must thaw some of its archives first.
  package init(
    _ file: SnapshotFile, in repository: Repository, sharing shared: PageFetcher? = nil,
    keptBytesMax: Int = usualKeptBytesMax
  ) throws {
    self.file = file
    self.keptBytesMax = keptBytesMax
    length = file.content.size
    index = try PageIndex(file, repository.containers.scratch)
    ownsFetcher = shared == nil
    if let shared {
      try file.checkReadable()
      fetcher = shared
    } else {
      fetcher = try file.makeFetcher()
    }
  }

  deinit {
    if ownsFetcher { fetcher.stop() }
  }

  /// Returns the first offset from `offset` on that is stored; `nil` if there are only holes up to the end.
  package func nextData(from offset: UInt64) throws -> UInt64? {
    let pageSize = UInt64(file.content.pageSize)
    guard offset < length, let extent = try index.extent(endingBeyond: offset / pageSize) else { return nil }
    return max(offset, extent.first * pageSize)
  }

  /// Returns the first offset from `offset` on that lies in a hole. The end of the file counts as one.
  package func nextHole(from offset: UInt64) throws -> UInt64 {
    let pageSize = UInt64(file.content.pageSize)
    var position = offset
    while position < length, let extent = try index.extent(endingBeyond: position / pageSize) {
      guard extent.first * pageSize <= position else { return position }
      position = extent.end * pageSize
    }
    return min(position, length)
  }

  /// Fills all of `buffer` from `offset` on, which must lie within the file.
  /// - Throws: `DamageError` when a page is damaged or missing.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    let pageSize = UInt64(file.content.pageSize)
    var done = 0
    while done < buffer.count {
      let position = offset + UInt64(done)
      let (extents, found) = try index.extents(around: position / pageSize)
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      guard found < extents.count, extents[found].first * pageSize <= position else {
        // Zeros, up to the next stored extent of this part of the map.
        let next = found < extents.count ? extents[found].first * pageSize : (position / pageSize + 1) * pageSize
        let count = min(rest.count, Int(clamping: next - position))
        UnsafeMutableRawBufferPointer(rebasing: rest[..<count]).initializeMemory(as: UInt8.self, repeating: 0)
        done += count
        continue
      }
      let bytes = try bytes(of: found, in: extents)
      let start = Int(position - extents[found].first * pageSize)
      let count = min(rest.count, bytes.used.count - start)
      guard count > 0 else { throw SystemError.endOfFile(file.path.description) }
      rest.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.used[start..<start + count]))
      done += count
    }
  }

  private func bytes(of index: Int, in extents: [PageExtent]) throws -> ExtentBytes {
    clock += 1
    let extent = extents[index]
    if let found = kept[extent.first] {
      found.lastUse = clock
      return found
    }
    try fetchAhead(index, in: extents)
    guard let fetched = kept[extent.first] else { throw SystemError.endOfFile(file.path.description) }
    return fetched
  }

  /// Fetches the frame of an extent. Whoever reads on where the last fetch ended gets twice as many frames.
  private func fetchAhead(_ index: Int, in extents: [PageExtent]) throws {
    guard let last, last.end == extents[index].first else { return try fetch(1, from: index, in: extents) }
    do {
      try fetch(min(2 * last.frames, Self.framesAheadMax), from: index, in: extents)
    } catch  where error.isDamage {
      // Damage to frames that nobody has asked for yet stops no query.
      try fetch(1, from: index, in: extents)
    }
  }

  /// Fetches the frame of an extent and the ones that follow, with all extents of the file that lie in them.
  private func fetch(_ count: Int, from index: Int, in extents: [PageExtent]) throws {
    last = nil
    var frames: Set<Frame> = []
    for extent in extents[index...] {
      if let frame = Frame(extent), frames.count < count || frames.contains(frame) { frames.insert(frame) }
      if frames.count == count { break }
    }
    var plan = PagePlan()
    var added: [UInt64: ExtentBytes] = [:]
    var end = extents[index].end
    for extent in extents where kept[extent.first] == nil {
      guard let frame = Frame(extent), frames.contains(frame) else { continue }
      let bytes = ExtentBytes(extent, of: file.content, lastUse: clock)
      added[extent.first] = bytes
      end = max(end, extent.end)
      plan.add(extent, of: file.content, to: bytes)
    }
    var failure: (any Error)?
    try fetcher.fetch(&plan) { fetched in
      framesRead += 1
      bytesFetched += fetched.storedBytes
      failure = failure ?? fetched.failure
    }
    if let failure { throw failure }
    last = (end, count)
    keep(added)
  }

  private func keep(_ added: [UInt64: ExtentBytes]) {
    kept.merge(added) { $1 }
    keptBytes += added.values.reduce(0) { $0 + $1.used.count }
    guard keptBytes > keptBytesMax else { return }
    // Half of it goes at once, so that sorting costs little.
    for (first, bytes) in kept.sorted(by: { $0.value.lastUse < $1.value.lastUse }) {
      guard keptBytes > keptBytesMax / 2, bytes.lastUse < clock else { return }
      kept[first] = nil
      keptBytes -= bytes.used.count
    }
  }
}

/// The frame in which an extent is stored.
private struct Frame: Hashable {
  let archive: UInt64
  let number: UInt32

  init?(_ extent: PageExtent) {
    guard let location = extent.location else { return nil }
    (archive, number) = (location.archive, location.frame)
  }
}

/// The bytes of one extent.
private final class ExtentBytes: PageSink, @unchecked Sendable {
  // A worker writes them once, and they are only read after the fetch has ended.
  private let buffer: Buffer
  /// The number of the read that used it last.
  var lastUse: UInt64

  init(_ extent: PageExtent, of file: FileContent, lastUse: UInt64) {
    let count = Pages.bytes(first: extent.first, count: extent.count, size: file.size, pageSize: file.pageSize)
    buffer = Buffer(capacity: Int(count))
    self.lastUse = lastUse
  }

  var used: UnsafeRawBufferPointer { buffer.used }

  func write(_ pages: UnsafeRawBufferPointer, at offset: UInt64) {
    buffer.bytes.copyMemory(from: pages)
    buffer.count = pages.count
  }
}
