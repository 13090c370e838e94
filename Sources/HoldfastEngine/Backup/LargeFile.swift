internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// A file that is captured in chunks. Its results come back in order and are collected here, from its first step to its
/// last.
final class LargeFile {
  private static let attemptsMax = 3

  let item: ScannedItem
  let previous: Entry?
  let base: BaseFile?
  let source: any CapturedBytes
  /// The status when this attempt began.
  let before: FileStatus
  let pageSize: UInt32
  let attempt: Int
  /// The parts that may differ from the base; `nil` if all may.
  let changes: ChangedRanges?
  /// The pages among these that are read to try whether the log names all that differ; `nil` if no log was asked.
  let sample: PageSample?
  /// The digests that this attempt is compared with: those of the base, replaced by those of earlier attempts.
  private(set) var feed: DigestFeed?
  private var digest = PageDigestStream()
  private var spools: [PageMapSpool]
  private let spool: PageMapSpool
  private(set) var isCutShort = false
  private(set) var failure: SystemError?

  /// True if another attempt follows if the file changes during this one.
  var mayBeTriedAgain: Bool { attempt < Self.attemptsMax }

  /// True if this attempt is of no use: it has failed, or it is already certain that another one follows.
  var isLost: Bool { failure != nil || (isCutShort && mayBeTriedAgain && !source.mayShrink) }

  init(
    item: ScannedItem, source: any CapturedBytes, before: FileStatus, pageSize: UInt32, previous: Entry?,
    base: BaseFile?, changes: ChangedRanges? = nil, sample: PageSample? = nil,
    after earlier: LargeFile? = nil, scratch: ScratchSpace
  ) throws {
    self.changes = base?.isSamePath == true && earlier == nil ? changes : nil
    self.sample = self.changes == nil ? nil : sample
    self.item = item
    self.source = source
    self.before = before
    self.pageSize = pageSize
    self.previous = previous
    self.base = base
    attempt = (earlier?.attempt ?? 0) + 1
    spool = PageMapSpool(scratch)
    spools = earlier.map { [$0.spool] + $0.spools } ?? []
    // An earlier attempt may have found more pages than there are now, so that the map needs the largest size.
    let size = max(before.size, earlier?.before.size ?? 0, base?.file.size ?? 0)
    if base != nil || !spools.isEmpty {
      feed = DigestFeed(try Self.overlay(spools, base, size: size, pageSize, coversAll: false))
    }
  }

  /// Returns the digests that the next `count` pages are compared with.
  func takeBase(_ count: Int) throws -> BaseDigests {
    try feed?.take(count) ?? .none
  }

  func add(_ chunk: Chunk, at location: PageLocation?) throws {
    if let failure = chunk.failure { self.failure = failure }
    isCutShort = isCutShort || chunk.isCutShort
    // Missing bytes would be recorded as zeros, and the next attempt would compare with them. It compares page by page
    // from the beginning, so that nothing may follow a gap.
    guard !isLost else { return }
    digest.add(chunk.digests)
    for extent in chunk.extents { try spool.append(extent.moved(to: location)) }
  }

  /// Returns the parts of a hole that were not zeros before.
  func takeHole(firstPage: UInt64, pageCount: UInt64) throws -> [PageExtent] {
    var changed: [PageExtent] = []
    let end = firstPage + pageCount
    var page = firstPage
    while page < end {
      switch try feed?.next(max: end - page) {
      case .zeros(let count): page += count
      case .data(let digests):
        let count = UInt64(digests.count / PageDigest.byteCount)
        changed.append(PageExtent(first: page, count: count, location: nil, digests: []))
        page += count
      case nil:
        changed.append(PageExtent(first: page, count: end - page, location: nil, digests: []))
        page = end
      }
    }
    return changed
  }

  /// Adds pages that are proved to be as the base has them, by its digests.
  func addKnown(_ digests: [UInt8], pageCount: UInt64) {
    guard !isLost else { return }
    guard UInt64(digests.count / PageDigest.byteCount) == pageCount else {
      return failure = SystemError.endOfFile("the parent's state")
    }
    digest.add(digests)
  }

  /// Adds pages of zeros that the file system does not store.
  func addHole(pageCount: UInt64, changed: [PageExtent]) throws {
    guard !isLost else { return }
    digest.addZeros(pageCount)
    for extent in changed { try spool.append(extent) }
  }

  /// Returns the entry for everything that was read.
  func entry(extended: [ExtendedAttribute], consistency: ConsistencyClass) -> Entry {
    var content = FileContent(
      size: before.size, pageSize: pageSize, consistency: consistency,
      digest: digest.finish(size: before.size, pageSize: pageSize))
    if consistency == .badPages, let file = source as? PostgresFile {
      content.badPages = Array(file.badPages.prefix(Limits.badPagesMax))
    }
    var identity = before.identity
    if consistency == .sqliteReadTransaction, let capture = source as? SQLiteCapture {
      identity.mark = capture.mark
    }
    return Entry(
      path: item.path, attributes: before.attributes(extended: extended), content: .file(content),
      identity: identity)
  }

  /// Returns the extents for the manifest: all of them, or the changed ones if the file inherits.
  func extents() throws -> any PageMapReader {
    let inherits = base?.isSamePath ?? false
    return try Self.overlay(
      [spool] + spools, inherits ? nil : base, size: before.size, pageSize, coversAll: !inherits)
  }

  static func overlay(
    _ spools: [PageMapSpool], _ base: BaseFile?, size: UInt64, _ pageSize: UInt32, coversAll: Bool
  ) throws -> any PageMapReader {
    let bounds = FileContent(
      size: Limits.sizeMax, pageSize: pageSize, consistency: .stable, digest: Hasher().finish())
    var layers = try spools.map { try $0.extents(of: bounds) }
    if let base { layers.append(base.extents()) }
    var file = bounds
    file.size = size
    return try PageMapOverlay(layers: layers, file: file, coversAll: coversAll, name: "the capture")
  }
}

extension PageExtent {
  /// Returns the same extent with its location in an archive, instead of its offset in the job's buffer.
  func moved(to start: PageLocation?) -> PageExtent {
    guard let location, let start else { return self }
    return PageExtent(
      first: first, count: count,
      location: PageLocation(archive: start.archive, frame: start.frame, offset: start.offset + location.offset),
      digests: digests)
  }
}

/// A page map of extents in memory.
struct ListedExtents: PageMapReader {
  private var rest: ArraySlice<PageExtent>
  init(_ extents: [PageExtent]) { rest = extents[...] }
  mutating func next() -> PageExtent? { rest.popFirst() }
}
