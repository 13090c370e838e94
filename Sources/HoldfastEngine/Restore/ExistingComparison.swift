internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// Compares files of the target with what the snapshot has, page by page, on all workers, and tells in order which pages differ.
final class ExistingComparison {
  private let pool: OrderedPool<ComparisonJob>

  init(host: Host) {
    pool = OrderedPool(
      workers: host.workers, capacity: host.workers * 2 + 2, makeJob: { ComparisonJob() }, perform: { $0.perform() })
    pool.consume = { job in try job.deliver() }
  }

  deinit { pool.stop() }

  func stop() { pool.stop() }

  /// - Parameters:
  ///   - runs: the complete map of the file.
  ///   - size: bytes of the existing file.
  ///   - differing: gets what has to be written, in the order of pages; perhaps later, at the latest in `drain()`.
  ///   - same: gets how many bytes of stored pages need not be written, now and then.
  ///   - end: called after the last of them.
  func compare(
    _ extents: any PageMapReader, of content: FileContent, with file: OpenFile, size: UInt64,
    differing: @escaping (PageExtent) throws -> Void, same: @escaping (UInt64) -> Void,
    end: @escaping () throws -> Void
  ) throws {
    var extents = extents
    var batch: [PageExtent] = []
    var batchPages: UInt64 = 0
    let pagesMax = UInt64(ComparisonJob.bytesMax) / UInt64(content.pageSize)
    func submit(isLast: Bool) throws {
      let job = try pool.next()
      job.prepare(
        batch, of: content, in: file, size: size, differing: differing, same: same, end: isLast ? end : nil)
      batch.removeAll(keepingCapacity: true)
      batchPages = 0
      try pool.submit()
    }
    while let extent = try extents.next() {
      var start = extent.first
      while start < extent.end {
        if extent.location == nil {
          guard let data = try nextData(in: file, size, start..<extent.end, content) else { break }
          start = max(start, data)
        }
        let last = batch.last?.end ?? start
        if last != start || batchPages >= pagesMax { try submit(isLast: false) }
        let end = min(extent.end, start + (pagesMax - batchPages))
        batch.append(extent.slice(from: start, to: end, pageSize: content.pageSize))
        batchPages += end - start
        start = end
      }
    }
    try submit(isLast: true)
  }

  func drain() throws { try pool.drain() }

  /// The first of these pages, which the snapshot has as zeros, of which the file system does not say that it has no data; `nil` where it says so of all.
  private func nextData(
    in file: OpenFile, _ size: UInt64, _ pages: Range<UInt64>, _ content: FileContent
  ) throws -> UInt64? {
    let start = pages.lowerBound * UInt64(content.pageSize)
    guard start < size, let data = try file.nextData(from: start, size: size) else { return nil }
    let page = data.lowerBound / UInt64(content.pageSize)
    return page < pages.upperBound ? page : nil
  }
}

/// A stretch of consecutive pages of one file.
private final class ComparisonJob {
  static let bytesMax = 1 << 20
  private let buffer = Buffer(capacity: bytesMax + Limits.pageSizeMax)
  private var extents: [PageExtent] = []
  private var content: FileContent?
  private var file: OpenFile?
  private var size: UInt64 = 0
  private var result: [PageExtent] = []
  private var failure: SystemError?
  private var differing: (PageExtent) throws -> Void = { _ in }
  private var same: (UInt64) -> Void = { _ in }
  private var end: (() throws -> Void)?

  func prepare(
    _ extents: [PageExtent], of content: FileContent, in file: OpenFile, size: UInt64,
    differing: @escaping (PageExtent) throws -> Void, same: @escaping (UInt64) -> Void, end: (() throws -> Void)?
  ) {
    self.same = same
    self.extents = extents
    self.content = content
    self.file = file
    self.size = size
    self.differing = differing
    self.end = end
    result = []
    failure = nil
  }

  func deliver() throws {
    if let failure { throw failure }
    for extent in result { try differing(extent) }
    if let content { same(storedBytes(extents, content) &- storedBytes(result, content)) }
    try end?()
    (file, end, differing, same) = (nil, nil, { _ in }, { _ in })
  }

  private func storedBytes(_ extents: [PageExtent], _ content: FileContent) -> UInt64 {
    extents.reduce(0) { sum, extent in
      guard extent.location != nil else { return sum }
      return sum
        &+ Pages.bytes(first: extent.first, count: extent.count, size: content.size, pageSize: content.pageSize)
    }
  }

  func perform() {
    guard let content, let file, let first = extents.first, let last = extents.last else { return }
    let pageSize = Int(content.pageSize)
    let start = first.first * UInt64(pageSize)
    let length = Int(
      Pages.bytes(first: first.first, count: last.end - first.first, size: content.size, pageSize: content.pageSize))
    do throws(SystemError) {
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<length])
      let present = try file.read(into: room, at: start)
      var digests = [UInt8](repeating: 0, count: (length + pageSize - 1) / pageSize * PageDigest.byteCount)
      digests.withUnsafeMutableBytes {
        PageHasher.hash(UnsafeRawBufferPointer(rebasing: room[..<present]), pageSize: pageSize, into: $0)
      }
      for extent in extents {
        compare(extent, digests: digests, firstPage: first.first, presentBytes: present, content)
      }
    } catch {
      failure = error
    }
  }

  private func compare(
    _ extent: PageExtent, digests: [UInt8], firstPage: UInt64, presentBytes: Int, _ content: FileContent
  ) {
    let pageSize = UInt64(content.pageSize)
    var start: UInt64?
    for page in extent.first..<extent.end {
      let index = Int(page - firstPage)
      let end = min((page + 1) * pageSize, content.size) - firstPage * pageSize
      let found = digests[index * PageDigest.byteCount..<(index + 1) * PageDigest.byteCount]
      let wanted = Int(page - extent.first) * PageDigest.byteCount
      let isSame =
        end <= UInt64(presentBytes)
        && (extent.location == nil
          ? found.allSatisfy { $0 == 0 }
          : found == extent.digests[wanted..<wanted + PageDigest.byteCount])
      // Zeros beyond the end of the existing file appear when it is resized.
      let isDone =
        isSame
        || (extent.location == nil && end > UInt64(presentBytes) && firstPage * pageSize + UInt64(presentBytes) == size
          && (page * pageSize >= size))
      if isDone {
        if let begun = start { result.append(extent.slice(from: begun, to: page, pageSize: content.pageSize)) }
        start = nil
      } else if start == nil {
        start = page
      }
    }
    if let begun = start { result.append(extent.slice(from: begun, to: extent.end, pageSize: content.pageSize)) }
  }
}
