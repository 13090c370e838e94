internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The part of one frame that a state needs.
struct FrameUse {
  let archive: UInt64
  let frame: UInt32
  /// The needed ranges of plain bytes, in ascending order, with gaps between them.
  private(set) var live: [Range<Int>] = []
  /// The number of live bytes before each range.
  private var before: [Int] = []
  private(set) var liveBytes = 0
  /// The number of needed pages; a page that several files share counts once.
  private(set) var pageCount: UInt64 = 0
  private(set) var extentCount = 0

  init(archive: UInt64, frame: UInt32) {
    self.archive = archive
    self.frame = frame
  }

  /// Adds an extent. Extents must come in the order of their offsets.
  mutating func add(_ extent: StoredExtent) {
    extentCount += 1
    let last = live.last ?? 0..<0
    let start = max(extent.range.lowerBound, last.upperBound)
    guard start < extent.range.upperBound else { return }
    let added = extent.range.upperBound - start
    pageCount += UInt64((added + extent.pageSize - 1) / extent.pageSize)
    if !live.isEmpty, start == last.upperBound {
      live[live.count - 1] = last.lowerBound..<extent.range.upperBound
    } else {
      live.append(start..<extent.range.upperBound)
      before.append(liveBytes)
    }
    liveBytes += added
  }

  /// Returns true if every byte of the frame is needed.
  func isWhole(_ entry: FrameEntry) -> Bool { live == [0..<Int(entry.plainCount)] }

  /// Returns the offset of a live byte when the dead bytes before it are left out.
  func position(of offset: Int) -> Int {
    var low = 0
    var high = live.count
    while low < high {
      let middle = (low + high) / 2
      if live[middle].upperBound <= offset { low = middle + 1 } else { high = middle }
    }
    return before[low] + offset - live[low].lowerBound
  }
}

/// The frames that a state needs, in the order of page locations.
struct FrameUses {
  private var extents: StoredExtents.Reader
  private var ahead: StoredExtent?

  init(_ extents: StoredExtents) throws {
    self.extents = try extents.makeReader()
    ahead = try self.extents.next()
  }

  mutating func next() throws -> FrameUse? {
    guard let first = ahead?.location else { return nil }
    var use = FrameUse(archive: first.archive, frame: first.frame)
    while let extent = ahead, extent.location.archive == first.archive, extent.location.frame == first.frame {
      use.add(extent)
      ahead = try extents.next()
    }
    return use
  }
}

/// The way of a frame into the new archives.
enum FrameWay {
  /// It is carried over unchanged: every byte of it is live.
  case carried
  /// Its live bytes become a new frame.
  case remade
  /// Its live bytes are gathered with those of other frames.
  case gathered

  /// The most live bytes of a frame that is gathered.
  private static let gatheredBytesMax = Limits.archiveFrameBytes / 4

  init(_ use: FrameUse, of entry: FrameEntry) {
    self = use.isWhole(entry) ? .carried : use.liveBytes > Self.gatheredBytesMax ? .remade : .gathered
  }
}

/// The amounts that a merge will read, carry over and compress again, known before anything is written.
package struct MergePlan: Sendable {
  /// The number of frames that are read, and their stored bytes.
  package private(set) var frames: UInt64 = 0
  package private(set) var readBytes: UInt64 = 0
  /// The number of frames in which every byte is live, and their stored bytes.
  package private(set) var carriedFrames: UInt64 = 0
  package private(set) var carriedBytes: UInt64 = 0
  /// The number of live pages, and their bytes before compression.
  package private(set) var pages: UInt64 = 0
  package private(set) var pageBytes: UInt64 = 0
  /// The plain bytes that are compressed again.
  package private(set) var compressedBytes: UInt64 = 0
  /// The stored bytes of the new archives, if pages that are compressed again become as small as before.
  package private(set) var expectedBytes: UInt64 = 0

  init(_ extents: StoredExtents, readers: ArchiveReaders, cancellation: Cancellation) throws {
    var uses = try FrameUses(extents)
    while let use = try uses.next() {
      try cancellation.check()
      add(use, try readers.entry(of: use))
    }
  }

  private mutating func add(_ use: FrameUse, _ entry: FrameEntry) {
    let stored = UInt64(entry.storedCount)
    frames += 1
    readBytes += stored
    pages += use.pageCount
    pageBytes += UInt64(use.liveBytes)
    if case .carried = FrameWay(use, of: entry) {
      carriedFrames += 1
      carriedBytes += stored
      expectedBytes += stored
    } else {
      compressedBytes += UInt64(use.liveBytes)
      expectedBytes += stored * UInt64(use.liveBytes) / UInt64(entry.plainCount)
    }
  }
}

extension ArchiveReaders {
  /// Returns the index entry of the frame.
  /// - Throws: `DamageError` if there is no such frame, or it is too short.
  func entry(of use: FrameUse) throws -> FrameEntry {
    let reader = try reader(use.archive)
    guard use.frame < reader.frames.count else { throw DamageError(reader.name, "it has no frame \(use.frame)") }
    let entry = reader.frames[Int(use.frame)]
    guard use.live.last.map({ $0.upperBound <= Int(entry.plainCount) }) ?? true else {
      throw DamageError(reader.name, "frame \(use.frame) is shorter than its manifest says")
    }
    return entry
  }
}
