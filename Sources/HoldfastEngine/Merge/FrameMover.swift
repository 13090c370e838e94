internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Moves the pages that a state needs into new archives: reads each frame once, in the order of page locations, and
/// records the new location of every extent.
///
/// Frames keep their order. So pages that seldom change stay together, apart from pages that were written lately and
/// will soon change again, and the next merge can carry over many frames.
struct FrameMover {
  private let readers: ArchiveReaders
  private let archives: ArchiveSeries
  private let moved: MovedExtents
  private let pool: OrderedPool<MoveJob>
  private let cancellation: Cancellation
  private let progress: any ProgressObserver
  /// The new location of the first live byte of the last frame that was stored.
  private var origin: PageLocation?

  init(
    readers: ArchiveReaders, archives: ArchiveSeries, moved: MovedExtents, host: Host, compression: Compression,
    progress: any ProgressObserver
  ) throws {
    self.readers = readers
    self.archives = archives
    self.moved = moved
    self.progress = progress
    cancellation = host.cancellation
    pool = try OrderedPool(
      workers: host.workers, capacity: host.workers * 2 + 2, makeJob: { try MoveJob(compression: compression) },
      perform: { $0.perform() })
  }

  mutating func move(_ stored: StoredExtents) throws {
    defer { pool.stop() }
    var uses = try FrameUses(stored)
    var extents = try stored.makeReader()
    var announcement = FrameAnnouncement(of: try FrameLocations(uses: FrameUses(stored)), readers)
    while let use = try uses.next() {
      announcement?.arrive()
      let way = FrameWay(use, of: try readers.entry(of: use))
      var left = use.extentCount
      while left > 0 {
        try cancellation.check()
        let job = try pool.next { try finish($0) }
        let storesFrame = left == use.extentCount
        job.prepare(
          use, way, reader: try readers.reader(use.archive), storesFrame: storesFrame,
          head: try storesFrame ? head(for: way) : nil)
        while left > 0, job.hasRoom, let extent = try extents.next() {
          job.add(extent)
          left -= 1
        }
        try pool.submit { try finish($0) }
      }
    }
    try pool.drain { try finish($0) }
  }

  private func head(for way: FrameWay) throws -> ContainerHead? {
    if case .gathered = way { return nil }
    return try archives.headForNextFrame()
  }

  /// Records the results of a job. Jobs come back in the order of frames.
  private mutating func finish(_ job: MoveJob) throws {
    if let failure = job.failure { throw failure }
    if let head = job.head { try archives.endArchives(before: head) }
    if job.storesFrame { origin = try store(job) }
    guard let origin else { return }
    for extent in job.extents {
      var location = origin
      location.offset += UInt32(job.use.position(of: extent.range.lowerBound))
      try moved.append(extent, at: location)
    }
    progress.advance(bytes: job.storesFrame ? job.storedBytes : 0, files: 0)
  }

  private func store(_ job: MoveJob) throws -> PageLocation {
    if let frame = job.frame, let head = job.head { return try archives.place(frame, for: head) }
    return try archives.gather(job.live)
  }
}

/// The locations of the frames that a merge reads. It ends early if the extents cannot be read; the mover itself gets
/// that error.
private struct FrameLocations: Sequence, IteratorProtocol {
  var uses: FrameUses

  mutating func next() -> PageLocation? {
    guard let use = try? uses.next() else { return nil }
    return PageLocation(archive: use.archive, frame: use.frame, offset: 0)
  }
}
