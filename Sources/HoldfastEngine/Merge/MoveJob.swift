internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The work on one frame that moves from an old archive to a new one: it is read, opened and decompressed, every page
/// is verified at its new position, and the result is made ready to be stored. The owner fills a job, a worker performs
/// it.
final class MoveJob {
  /// The most extents that one job verifies. A frame that very many files share has more, and is read again for them.
  private static let extentsMax = 4096
  private static let digestBytesMax = 1 << 20
  private(set) var use = FrameUse(archive: 0, frame: 0)
  private(set) var way = FrameWay.gathered
  private(set) var extents: [StoredExtent] = []
  /// True if this job stores the frame. Further jobs verify more extents of the same frame.
  private(set) var storesFrame = false
  /// The new frame; `nil` if its live bytes are gathered.
  private(set) var frame: StoredFrame?
  /// The head of the archive for which the frame is made.
  private(set) var head: ContainerHead?
  private(set) var storedBytes: UInt64 = 0
  private(set) var failure: (any Error)?
  private var reader: ContainerReader?
  private var digestBytes = 0
  private var check = PageCheck()
  private let stored = Buffer(capacity: ContainerReader.storedCapacity())
  private let plain = Buffer(capacity: Limits.framePlainBytesMax)
  private let decompressor = Decompressor()
  private let frames: FrameMaker

  init(compression: Compression) throws {
    frames = try FrameMaker(compression, capacity: Limits.frameStoredBytesMax)
  }

  /// The live bytes of the frame, without gaps.
  var live: UnsafeRawBufferPointer { plain.used }

  // MARK: For the owner

  /// - Parameter head: the head of the archive for which a frame is to be made; `nil` if none is.
  func prepare(_ use: FrameUse, _ way: FrameWay, reader: ContainerReader, storesFrame: Bool, head: ContainerHead?) {
    (self.use, self.way, self.reader, self.storesFrame, self.head) = (use, way, reader, storesFrame, head)
    extents.removeAll(keepingCapacity: true)
    digestBytes = 0
    storedBytes = 0
    frame = nil
    failure = nil
  }

  var hasRoom: Bool { extents.count < Self.extentsMax && digestBytes < Self.digestBytesMax }

  func add(_ extent: StoredExtent) {
    extents.append(extent)
    digestBytes += extent.digests.count
  }

  // MARK: For the worker

  func perform() {
    defer { reader = nil }
    do {
      guard let reader else { return }
      try reader.firstSound { reader in
        try read(from: reader)
        for extent in extents { try verify(extent, name: reader.name) }
      }
      if case .remade = way, storesFrame, let head { frame = try frames.make(live, for: head) }
    } catch {
      failure = error
    }
  }

  /// Reads the frame. If it is carried over, its stored bytes are verified too, and its compressed bytes are kept.
  private func read(from reader: ContainerReader) throws {
    var isCarried = false
    if case .carried = way { isCarried = true }
    try reader.readFrame(
      use.frame, stored: stored, plain: plain, decompressor: decompressor, verifying: isCarried,
      prefixCount: isCarried ? nil : use.live.last?.upperBound
    ) { [self] compressed, entry in
      if isCarried, storesFrame, let head { frame = try frames.carry(compressed, of: entry, for: head) }
    }
    storedBytes = UInt64(stored.count)
    if !isCarried { moveLiveTogether() }
  }

  private func moveLiveTogether() {
    plain.count = 0
    guard let base = plain.bytes.baseAddress else { return }
    for range in use.live {
      if range.lowerBound != plain.count {
        (base + plain.count).copyMemory(from: base + range.lowerBound, byteCount: range.count)
      }
      plain.count += range.count
    }
  }

  /// Verifies the pages at their new position, so that an error in computing positions is noticed.
  private func verify(_ extent: StoredExtent, name: String) throws {
    let start = use.position(of: extent.range.lowerBound)
    let pages = UnsafeRawBufferPointer(rebasing: live[start..<start + extent.byteCount])
    guard check.holds(pages, pageSize: extent.pageSize, digests: extent.digests[...]) else {
      throw DamageError(name, "a page in frame \(use.frame) does not have its digest")
    }
  }
}
