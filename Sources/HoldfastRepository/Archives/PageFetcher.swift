internal import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// Takes fetched pages. Called on several threads.
package protocol PageSink: AnyObject {
  /// Takes the bytes of one planned extent.
  func write(_ pages: UnsafeRawBufferPointer, at offset: UInt64) throws
}

/// Extents that are fetched together, so that each frame is read once. The plan is bounded: further extents go into the
/// next plan.
package struct PagePlan {
  package struct Extent {
    package let target: any PageSink
    package let location: PageLocation
    /// The offset in the file, and the number of bytes.
    package let fileOffset: UInt64
    package let byteCount: Int
    package let pageSize: Int
    package let firstDigest: Int
  }

  /// 4 GiB of 4 KiB pages: 16 MiB of digests.
  private static let pagesMax = 1 << 20
  private static let extentsMax = 1 << 18
  package private(set) var extents: [Extent] = []
  package private(set) var digests: [UInt8] = []

  package init() {}

  package var isEmpty: Bool { extents.isEmpty }
  package var isFull: Bool { extents.count >= Self.extentsMax || digests.count >= Self.pagesMax * PageDigest.byteCount }

  /// - Parameter extent: stored pages; pages of zeros need not be fetched.
  package mutating func add(_ extent: PageExtent, of file: FileContent, to target: any PageSink) {
    guard let location = extent.location else { return }
    let bytes = Pages.bytes(first: extent.first, count: extent.count, size: file.size, pageSize: file.pageSize)
    extents.append(
      Extent(
        target: target, location: location, fileOffset: extent.first * UInt64(file.pageSize), byteCount: Int(bytes),
        pageSize: Int(file.pageSize), firstDigest: digests.count))
    digests += extent.digests
  }

  package mutating func removeAll() {
    extents.removeAll(keepingCapacity: true)
    digests.removeAll(keepingCapacity: true)
  }

  /// Sorts the extents by frame.
  package mutating func sort() {
    var positions = extents.indices.map { Position(extents[$0].location, index: $0) }
    if zip(positions, positions.dropFirst()).allSatisfy({ !($1 < $0) }) { return }
    positions.sort()
    extents = positions.map { extents[$0.index] }
  }

  /// The archives of sorted extents, ascending.
  fileprivate var archives: [UInt64] {
    extents.reduce(into: []) { archives, extent in
      if archives.last != extent.location.archive { archives.append(extent.location.archive) }
    }
  }

  /// The page location of an extent. Locations are sorted instead of extents, because moving an extent counts
  /// references, which takes several times as long.
  private struct Position: Comparable {
    let archive: UInt64
    let frame: UInt32
    let offset: UInt32
    let index: Int

    init(_ location: PageLocation, index: Int) {
      (archive, frame, offset) = (location.archive, location.frame, location.offset)
      self.index = index
    }

    static func < (left: Position, right: Position) -> Bool {
      (left.archive, left.frame, left.offset) < (right.archive, right.frame, right.offset)
    }
  }
}

/// Gives, for each frame of a sorted plan, the indices of its extents.
private struct FramesOfPlan: Sequence, IteratorProtocol {
  let plan: PagePlan
  private var start = 0

  init(plan: PagePlan) { self.plan = plan }

  mutating func next() -> Range<Int>? {
    let extents = plan.extents
    guard start < extents.count else { return nil }
    let first = extents[start].location
    let end =
      extents[start...].firstIndex { $0.location.archive != first.archive || $0.location.frame != first.frame }
      ?? extents.count
    defer { start = end }
    return start..<end
  }
}

/// Fetches planned pages: it reads each frame once, decompresses it, verifies every page, and gives it to its sink.
/// Pages leave a repository in this way only: restore, cat and verify differ only in their sinks.
package final class PageFetcher {
  /// The maximum memory for frames in progress and the indexes in which they were found. Most frames are small, and
  /// many are read side by side.
  private static let bytesUnderWayMax = 96 << 20
  private var bytesUnderWay = 0
  private let readers: ArchiveReaders
  private let pool: OrderedPool<FetchJob>
  private let cancellation: Cancellation
  /// The result for a frame, reported in order.
  package struct Fetched {
    package let frame: PageLocation
    package let storedBytes: UInt64
    /// Bytes of the pages that were given to their sinks.
    package let pageBytes: UInt64
    /// The fault that was found; `nil` for a sound frame.
    package let failure: (any Error)?
  }

  /// - Parameter isVerifying: true if the stored bytes are checked against the index, in addition to the pages against
  ///   their digests.
  package init(
    readers: ArchiveReaders, host: Host, isVerifying: Bool
  ) {
    self.readers = readers
    self.cancellation = host.cancellation
    pool = OrderedPool(
      workers: host.workers, capacity: host.workers * 3 + 2, batch: 2, makeJob: { FetchJob(isVerifying: isVerifying) },
      perform: FetchJob.perform)
  }

  deinit { pool.stop() }

  package func stop() { pool.stop() }

  /// Fetches everything in `plan`, and empties it.
  /// - Parameter onFrame: gets the result for each frame in order, and throws to stop.
  package func fetch(_ plan: inout PagePlan, onFrame: (Fetched) throws -> Void) throws {
    plan.sort()
    try fetchFrames(of: plan, onFrame)
    try drain(onFrame: onFrame)
    plan.removeAll()
  }

  private func fetchFrames(of plan: PagePlan, _ onFrame: (Fetched) throws -> Void) throws {
    readers.expect(plan.archives)
    let frames = FramesOfPlan(plan: plan)
    var announcement = FrameAnnouncement(of: frames.lazy.map { plan.extents[$0.lowerBound].location }, readers)
    for frame in frames {
      try cancellation.check()
      announcement?.arrive()
      try fetch(
        frame: plan.extents[frame.lowerBound].location, extents: plan.extents[frame], digests: plan.digests,
        onFrame)
    }
  }

  /// Reads frames that no page needs, to verify their stored bytes.
  /// - Parameters:
  ///   - frames: the numbers of frames of the archive, ascending.
  ///   - onFrame: gets the results for these frames and for those before them in order, as far as they are there: call
  ///     `drain` for the rest.
  package func verify(
    archive: UInt64, frames: some Sequence<UInt32>, onFrame: (Fetched) throws -> Void
  ) throws {
    let locations = frames.lazy.map { PageLocation(archive: archive, frame: $0, offset: 0) }
    var announcement = FrameAnnouncement(of: locations, readers)
    for location in locations {
      try cancellation.check()
      announcement?.arrive()
      try fetch(frame: location, extents: [], digests: [], onFrame)
    }
  }

  package func drain(onFrame: (Fetched) throws -> Void) throws { try pool.drain { try take($0, onFrame) } }

  private func take(_ job: FetchJob, _ onFrame: (Fetched) throws -> Void) throws {
    bytesUnderWay -= job.weight
    try onFrame(
      Fetched(frame: job.frame, storedBytes: job.storedBytes, pageBytes: job.pageBytes, failure: job.failure))
  }

  private func fetch(
    frame: PageLocation, extents: ArraySlice<PagePlan.Extent>, digests: [UInt8], _ onFrame: (Fetched) throws -> Void
  ) throws {
    let reader: ContainerReader
    do {
      reader = try readers.reader(frame.archive)
    } catch {
      return try onFrame(Fetched(frame: frame, storedBytes: 0, pageBytes: 0, failure: error))
    }
    let weight = FetchJob.weight(of: frame.frame, in: reader)
    if bytesUnderWay + weight > Self.bytesUnderWayMax { try drain(onFrame: onFrame) }
    let job = try pool.next { try take($0, onFrame) }
    job.prepare(frame, reader: reader, weight: weight, extents: extents, digests: digests)
    bytesUnderWay += weight
    try pool.submit { try take($0, onFrame) }
  }
}

/// A frame that is being fetched.
private final class FetchJob {
  private(set) var frame = PageLocation(archive: 0, frame: 0, offset: 0)
  private(set) var weight = 0
  private(set) var storedBytes: UInt64 = 0
  private(set) var pageBytes: UInt64 = 0
  /// The number of extents whose pages were delivered.
  private var deliveredCount = 0
  private(set) var failure: (any Error)?
  private var reader: ContainerReader?
  private var readFrame: ReadFrame?
  private var extents: ArraySlice<PagePlan.Extent> = []
  private var digests: [UInt8] = []
  private var check = PageCheck()
  private let stored = Buffer(capacity: ContainerReader.storedCapacity())
  private let plain = Buffer(capacity: Limits.framePlainBytesMax)
  private let decompressor = Decompressor()
  private let isVerifying: Bool

  init(isVerifying: Bool) {
    self.isVerifying = isVerifying
  }

  /// Returns the memory that a job for a frame takes.
  static func weight(of frame: UInt32, in reader: ContainerReader) -> Int {
    guard frame < reader.frames.count else { return 0 }
    let entry = reader.frames[Int(frame)]
    // A large index counts as a whole for each of its frames, so that only a few are in memory.
    let index = reader.frames.byteCount > 1 << 20 ? reader.frames.byteCount : 0
    return Int(entry.storedCount) + Int(entry.plainCount) + index / 8
  }

  func prepare(
    _ frame: PageLocation, reader: ContainerReader, weight: Int, extents: ArraySlice<PagePlan.Extent>, digests: [UInt8]
  ) {
    self.frame = frame
    self.reader = reader
    self.weight = weight
    self.extents = extents
    self.digests = digests
    storedBytes = 0
    (pageBytes, deliveredCount) = (0, 0)
    failure = nil
  }

  /// Runs on a worker. All frames that were read are verified together.
  static func perform(_ jobs: [FetchJob]) {
    for job in jobs { job.read() }
    let unverified = jobs.filter { $0.unverified != nil }
    for (job, failure) in zip(unverified, ReadFrame.verify(unverified.compactMap(\.unverified))) {
      job.failure = failure
    }
    for job in jobs { job.finish() }
  }

  /// Keeps the first error.
  private func note(_ body: () throws -> Void) {
    do { try body() } catch { failure = error }
  }

  /// The stored bytes that must be checked against the index. Without a key, nothing else can be verified.
  private var unverified: ReadFrame? { isVerifying || reader?.isClosed == true ? readFrame : nil }

  private func read() {
    note { readFrame = try reader?.readStored(frame.frame, into: stored) }
  }

  /// Decompresses the frame and delivers its pages.
  private func finish() {
    defer {
      reader = nil
      readFrame = nil
      extents = []
      digests = []
    }
    guard let reader else { return }
    if let readFrame, failure == nil { note { try deliver(readFrame, from: reader) } }
    guard let damage = failure, damage.isDamage else { return }
    failure = nil
    note { try reader.sound(after: damage) { try readAndDeliver(from: $0) } }
  }

  /// Does the rest again with a reader of another copy. Pages that were delivered have their digests, and a file counts
  /// its extents.
  private func readAndDeliver(from reader: ContainerReader) throws {
    let read = try reader.readStored(frame.frame, into: stored)
    if isVerifying || reader.isClosed { try read.verify() }
    try deliver(read, from: reader)
  }

  private func deliver(_ read: ReadFrame, from reader: ContainerReader) throws {
    if reader.isClosed { return storedBytes = UInt64(stored.count) }
    // Bytes after the last one that is needed are not decompressed.
    let needed = isVerifying ? nil : extents.map { Int($0.location.offset) + $0.byteCount }.max()
    try reader.open(read, plain: plain, decompressor: decompressor, prefixCount: needed)
    storedBytes = UInt64(stored.count)
    for extent in extents.dropFirst(deliveredCount) {
      try deliver(extent, name: reader.name)
      deliveredCount += 1
    }
  }

  private func deliver(_ extent: PagePlan.Extent, name: String) throws {
    let start = Int(extent.location.offset)
    guard start + extent.byteCount <= plain.count else {
      throw DamageError(name, "frame \(frame.frame) is shorter than its manifest says")
    }
    let pages = UnsafeRawBufferPointer(rebasing: plain.bytes[start..<start + extent.byteCount])
    let count = (extent.byteCount + extent.pageSize - 1) / extent.pageSize * PageDigest.byteCount
    guard
      check.holds(pages, pageSize: extent.pageSize, digests: digests[extent.firstDigest..<extent.firstDigest + count])
    else {
      throw DamageError(name, "a page in frame \(frame.frame) does not have its digest")
    }
    try extent.target.write(pages, at: extent.fileOffset)
    pageBytes += UInt64(extent.byteCount)
  }
}

/// Compares pages with their digests, with memory that is allocated once.
package struct PageCheck {
  private var computed: [UInt8] = []

  package init() {}

  /// True if every page has its digest; the last page may be short.
  /// - Parameter digests: 16 bytes for each page.
  package mutating func holds(_ pages: UnsafeRawBufferPointer, pageSize: Int, digests: ArraySlice<UInt8>) -> Bool {
    let count = (pages.count + pageSize - 1) / pageSize * PageDigest.byteCount
    if computed.count < count { computed = [UInt8](repeating: 0, count: count) }
    computed.withUnsafeMutableBytes {
      PageHasher.hash(pages, pageSize: pageSize, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]))
    }
    return computed[..<count] == digests
  }
}

/// Drops the pages. Verify restores to it.
package final class NullSink: PageSink {
  package init() {}

  package func write(_ pages: UnsafeRawBufferPointer, at offset: UInt64) {}
}
