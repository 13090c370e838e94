internal import HoldfastModel

/// The bytes of extents (format.md, section 6, records 3 and 4).
enum ExtentCoding {
  static let dataRecord: UInt8 = 3
  static let zeroRecord: UInt8 = 4
}

extension ByteEncoder {
  /// - Parameter end: the end of the previous extent of this file.
  mutating func extent(_ extent: PageExtent, after end: UInt64) {
    byte(extent.location == nil ? ExtentCoding.zeroRecord : ExtentCoding.dataRecord)
    varint(extent.first - end)
    varint(extent.count)
    guard let location = extent.location else { return }
    varint(location.archive)
    varint(location.frame)
    varint(location.offset)
    raw(extent.digests)
  }
}

extension ByteCursor {
  /// Decodes an extent whose record byte was already read. Everything in it is checked against the size of the file.
  func extent(record: UInt8, after end: UInt64, file: FileContent) throws -> PageExtent {
    let gap = try varint()
    let count = try varint()
    let (first, overflow) = end.addingReportingOverflow(gap)
    let pageCount = file.pageCount
    guard !overflow, first <= pageCount, count >= 1, count <= pageCount - first else {
      throw damage("a run of pages lies outside its file")
    }
    if record == ExtentCoding.zeroRecord { return PageExtent(first: first, count: count, location: nil, digests: []) }
    let location = PageLocation(
      archive: try varint(), frame: try varint(as: UInt32.self, max: UInt32(Limits.framesPerContainerMax)),
      offset: try varint(as: UInt32.self, max: UInt32(Limits.framePlainBytesMax)))
    let bytes = Pages.bytes(first: first, count: count, size: file.size, pageSize: file.pageSize)
    guard bytes <= UInt64(Limits.framePlainBytesMax) - UInt64(location.offset) else {
      throw damage("a run of pages lies outside its frame")
    }
    return PageExtent(
      first: first, count: count, location: location, digests: try raw(count: Int(count) * PageDigest.byteCount))
  }
}
