internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// An existing file of the target that is compared with the snapshot.
final class ComparedFile {
  struct Found {
    let file: OpenFile
    /// The status of the file when it was opened.
    let status: FileStatus
    let origin: RestoredFile.Origin
  }

  let entry: Entry
  let content: FileContent
  let found: Found
  /// True if the file itself is a mount point, so that it can be neither moved nor replaced.
  let isMounted: Bool
  /// The file that gets the pages; `nil` if nothing is written (dry run).
  var restored: RestoredFile?
  /// True if any of its content is or will be changed.
  var isTouched: Bool
  /// The bytes of the pages that must be written.
  var differingBytes: UInt64 = 0

  init(_ entry: Entry, content: FileContent, _ found: Found, isMounted: Bool) {
    (self.entry, self.content, self.found, self.isMounted) = (entry, content, found, isMounted)
    isTouched = found.status.size != content.size
    if case .staging = found.origin { isTouched = true }
  }
}

/// The result of comparing consecutive pages of one file.
struct ComparedStretch {
  let file: ComparedFile
  /// The extents to write, in the order of pages.
  let differing: [PageExtent]
  /// The bytes of stored pages that are right already.
  let sameBytes: UInt64
  /// True if these are the last pages of the file.
  let isLast: Bool
}

/// Compares files of the target with the snapshot, page by page, on all workers. The stretches come back in order to
/// whoever calls `compare` or `drain`, at the latest in `drain`.
final class ExistingComparison {
  private let pool: OrderedPool<ComparisonJob>
  /// The next stretch: extents of consecutive pages.
  private var batch: [PageExtent] = []
  private var batchPages: UInt64 = 0

  init(host: Host) {
    pool = OrderedPool(
      workers: host.workers, capacity: host.workers * 2 + 2, makeJob: { ComparisonJob() }, perform: { $0.perform() })
  }

  deinit { pool.stop() }

  func stop() { pool.stop() }

  /// Compares a whole file.
  /// - Parameters:
  ///   - extents: the complete map of the file.
  ///   - consume: gets the stretches that are done by now, also those of earlier files.
  func compare(
    _ extents: any PageMapReader, of file: ComparedFile, consume: (ComparedStretch) throws -> Void
  ) throws {
    var extents = extents
    let pageSize = file.content.pageSize
    let pagesMax = UInt64(ComparisonJob.bytesMax) / UInt64(pageSize)
    while let extent = try extents.next() {
      var start = extent.first
      while start < extent.end {
        if extent.location == nil {
          guard let data = try nextData(in: file, start..<extent.end) else { break }
          start = max(start, data)
        }
        let last = batch.last?.end ?? start
        if last != start || batchPages >= pagesMax { try submit(file, isLast: false, consume) }
        let end = min(extent.end, start + (pagesMax - batchPages))
        batch.append(extent.slice(from: start, to: end, pageSize: pageSize))
        batchPages += end - start
        start = end
      }
    }
    try submit(file, isLast: true, consume)
  }

  private func submit(
    _ file: ComparedFile, isLast: Bool, _ consume: (ComparedStretch) throws -> Void
  ) throws {
    func take(_ job: ComparisonJob) throws { if let stretch = try job.takeResult() { try consume(stretch) } }
    try pool.next(take).prepare(batch, of: file, isLast: isLast)
    batch.removeAll(keepingCapacity: true)
    batchPages = 0
    try pool.submit(take)
  }

  func drain(_ consume: (ComparedStretch) throws -> Void) throws {
    try pool.drain { job in if let stretch = try job.takeResult() { try consume(stretch) } }
  }

  /// Returns the first of `pages` that may contain data in the existing file; `nil` if all of them lie in holes. All
  /// `pages` are zero in the snapshot, so that the holes before need no comparison.
  private func nextData(in file: ComparedFile, _ pages: Range<UInt64>) throws -> UInt64? {
    let (pageSize, size) = (UInt64(file.content.pageSize), file.found.status.size)
    let start = pages.lowerBound * pageSize
    guard start < size, let data = try file.found.file.nextData(from: start, size: size) else { return nil }
    let page = data.lowerBound / pageSize
    return page < pages.upperBound ? page : nil
  }
}

/// Compares consecutive pages of one file.
private final class ComparisonJob {
  static let bytesMax = 1 << 20
  private let buffer = Buffer(capacity: bytesMax + Limits.pageSizeMax)
  private var extents: [PageExtent] = []
  private var file: ComparedFile?
  private var isLast = false
  private var differing: [PageExtent] = []
  private var failure: SystemError?

  func prepare(_ extents: [PageExtent], of file: ComparedFile, isLast: Bool) {
    (self.extents, self.file, self.isLast) = (extents, file, isLast)
    (differing, failure) = ([], nil)
  }

  /// - Returns: the result; `nil` if there is none.
  /// - Throws: the error of the comparison.
  func takeResult() throws -> ComparedStretch? {
    if let failure { throw failure }
    guard let file else { return nil }
    self.file = nil
    let content = file.content
    return ComparedStretch(
      file: file, differing: differing,
      sameBytes: storedBytes(extents, content) &- storedBytes(differing, content), isLast: isLast)
  }

  private func storedBytes(_ extents: [PageExtent], _ content: FileContent) -> UInt64 {
    extents.reduce(0) { sum, extent in
      guard extent.location != nil else { return sum }
      return sum
        &+ Pages.bytes(first: extent.first, count: extent.count, size: content.size, pageSize: content.pageSize)
    }
  }

  func perform() {
    guard let file, let first = extents.first, let last = extents.last else { return }
    let content = file.content
    let pageSize = Int(content.pageSize)
    let start = first.first * UInt64(pageSize)
    let length = Int(
      Pages.bytes(first: first.first, count: last.end - first.first, size: content.size, pageSize: content.pageSize))
    do throws(SystemError) {
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<length])
      let present = try file.found.file.read(into: room, at: start)
      var digests = [UInt8](repeating: 0, count: (length + pageSize - 1) / pageSize * PageDigest.byteCount)
      digests.withUnsafeMutableBytes {
        PageHasher.hash(UnsafeRawBufferPointer(rebasing: room[..<present]), pageSize: pageSize, into: $0)
      }
      for extent in extents {
        compare(extent, of: file, digests: digests, firstPage: first.first, presentBytes: present)
      }
    } catch {
      failure = error
    }
  }

  /// - Parameters:
  ///   - digests: the digests of the existing pages, beginning with `firstPage`.
  ///   - presentBytes: the number of bytes of those pages.
  private func compare(
    _ extent: PageExtent, of file: ComparedFile, digests: [UInt8], firstPage: UInt64, presentBytes: Int
  ) {
    let content = file.content
    let pageSize = UInt64(content.pageSize)
    let (size, present) = (file.found.status.size, UInt64(presentBytes))
    var start: UInt64?
    for page in extent.first..<extent.end {
      let index = Int(page - firstPage)
      let end = min((page + 1) * pageSize, content.size) - firstPage * pageSize
      let found = digests[index * PageDigest.byteCount..<(index + 1) * PageDigest.byteCount]
      let wanted = Int(page - extent.first) * PageDigest.byteCount
      let isSame =
        end <= present
        && (extent.location == nil
          ? found.allSatisfy { $0 == 0 }
          : found == extent.digests[wanted..<wanted + PageDigest.byteCount])
      // Zeros beyond the end of the existing file appear when it is resized.
      let isDone =
        isSame
        || (extent.location == nil && end > present && firstPage * pageSize + present == size
          && page * pageSize >= size)
      if isDone {
        if let begun = start { differing.append(extent.slice(from: begun, to: page, pageSize: content.pageSize)) }
        start = nil
      } else if start == nil {
        start = page
      }
    }
    if let begun = start { differing.append(extent.slice(from: begun, to: extent.end, pageSize: content.pageSize)) }
  }
}
