internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// The digests of consecutive pages from an earlier capture.
struct BaseDigests {
  /// 16 bytes for each page; zeros for a page of zeros. Pages after the first `count` did not exist.
  var digests: [UInt8] = []
  var count: Int { digests.count / PageDigest.byteCount }

  static let none = BaseDigests()
}

/// Compares consecutive pages with an earlier capture: moves the changed ones together, and drops the others.
struct PageComparison {
  /// The digests of all pages.
  private(set) var digests: [UInt8]
  /// The pages that differ. Locations are offsets in the buffer; archive and frame are not known yet.
  private(set) var extents: [PageExtent] = []

  /// Digests `buffer.bytes[buffer.count..<buffer.count + length]` page by page, and moves the pages to store together
  /// at `buffer.count`, which grows by their size.
  init(buffer: Buffer, length: Int, firstPage: UInt64, pageSize: Int, base: BaseDigests) {
    let pageCount = (length + pageSize - 1) / pageSize
    let start = buffer.count
    digests = [UInt8](repeating: 0, count: pageCount * PageDigest.byteCount)
    digests.withUnsafeMutableBytes {
      PageHasher.hash(
        UnsafeRawBufferPointer(rebasing: buffer.bytes[start..<start + length]), pageSize: pageSize, into: $0)
    }
    for page in 0..<pageCount {
      let digest = page * PageDigest.byteCount..<(page + 1) * PageDigest.byteCount
      if page < base.count, base.digests[digest] == digests[digest] { continue }
      let isZero = digests[digest].allSatisfy { $0 == 0 }
      let from = start + page * pageSize
      let bytes = min(pageSize, start + length - from)
      append(page: firstPage + UInt64(page), offset: isZero ? nil : buffer.count, digest: digests[digest], pageSize)
      if isZero { continue }
      if from != buffer.count, let base = buffer.bytes.baseAddress {
        (base + buffer.count).copyMemory(from: base + from, byteCount: bytes)
      }
      buffer.count += bytes
    }
  }

  private mutating func append(page: UInt64, offset: Int?, digest: ArraySlice<UInt8>, _ pageSize: Int) {
    let last = extents.count - 1
    if last >= 0, extents[last].end == page, (extents[last].location == nil) == (offset == nil) {
      extents[last].count += 1
      if offset != nil { extents[last].digests.append(contentsOf: digest) }
      return
    }
    let location = offset.map { PageLocation(archive: 0, frame: 0, offset: UInt32($0)) }
    extents.append(PageExtent(first: page, count: 1, location: location, digests: offset == nil ? [] : Array(digest)))
  }
}
