package import HoldfastModel
package import HoldfastSystem

/// An extent of changes whose pages are to be moved, without the file that it belongs to.
package struct StoredExtent: Sendable {
  /// The index of this extent among all such extents of the changes, in path order.
  package var ordinal: UInt64
  package var location: PageLocation
  package var byteCount: Int
  package var pageSize: Int
  package var digests: [UInt8]

  package init(ordinal: UInt64, location: PageLocation, byteCount: Int, pageSize: Int, digests: [UInt8]) {
    self.ordinal = ordinal
    self.location = location
    self.byteCount = byteCount
    self.pageSize = pageSize
    self.digests = digests
  }

  /// The range of its pages in the plain bytes of the frame.
  package var range: Range<Int> { Int(location.offset)..<Int(location.offset) + byteCount }

  /// A number from its page digests that distinguishes this extent from others.
  package var check: UInt64 { Self.check(digests) }

  package static func check(_ digests: [UInt8]) -> UInt64 {
    digests.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// The extents of the changes from one state to another whose pages are stored in certain archives, sorted by page
/// location, so that each frame is read once. Memory does not grow with the changes.
package final class StoredExtents {
  private let sorter: RecordSorter

  /// - Parameters:
  ///   - firstArchive: the number of the first of these archives: pages in earlier ones stay where they are.
  ///   - memoryBytes: the memory for extents; beyond it a scratch file is used.
  package init(
    of changes: StateDifference, from firstArchive: UInt64, _ space: ScratchSpace, memoryBytes: Int,
    cancellation: Cancellation
  ) throws {
    sorter = RecordSorter(space, memoryBytes: memoryBytes)
    var ordinal: UInt64 = 0
    var changes = changes
    while let item = try changes.next() {
      try cancellation.check()
      guard case .put(let entry, _, _, var extents?) = item, let file = entry.file else { continue }
      while let extent = try extents.next() {
        try cancellation.check()
        guard let location = extent.location, location.archive >= firstArchive else { continue }
        try sorter.append(Self.record(extent, at: location, of: file, ordinal: ordinal))
        ordinal += 1
      }
    }
    try sorter.finish()
  }

  /// Returns a reader from the first extent on. Several may be used side by side.
  package func makeReader() throws -> Reader { Reader(records: try sorter.makeReader()) }

  private static func record(
    _ extent: PageExtent, at location: PageLocation, of file: FileContent, ordinal: UInt64
  ) -> SortableRecord {
    var encoder = ByteEncoder()
    encoder.varint(ordinal)
    encoder.varint(Pages.bytes(first: extent.first, count: extent.count, size: file.size, pageSize: file.pageSize))
    encoder.varint(file.pageSize)
    encoder.raw(extent.digests)
    return SortableRecord(
      high: location.archive, low: UInt64(location.frame) << 32 | UInt64(location.offset), payload: encoder.bytes)
  }

  package struct Reader {
    fileprivate var records: RecordReader

    package mutating func next() throws -> StoredExtent? {
      guard let record = try records.next() else { return nil }
      let cursor = ByteCursor(BlockSupply(record.payload, name: "scratch file"))
      let ordinal = try cursor.varint()
      let byteCount = try cursor.varint(as: Int.self)
      let pageSize = try cursor.varint(as: Int.self)
      return StoredExtent(
        ordinal: ordinal,
        location: PageLocation(
          archive: record.high, frame: UInt32(truncatingIfNeeded: record.low >> 32),
          offset: UInt32(truncatingIfNeeded: record.low)),
        byteCount: byteCount, pageSize: pageSize,
        digests: try cursor.raw(count: record.payload.count - Int(cursor.consumed)))
    }
  }
}

/// The new location of every extent that is moved: appended in any order, read in path order.
package final class MovedExtents {
  private let sorter: RecordSorter

  /// - Parameter memoryBytes: the memory for records; beyond it a scratch file is used.
  package init(_ space: ScratchSpace, memoryBytes: Int) {
    sorter = RecordSorter(space, memoryBytes: memoryBytes)
  }

  package func append(_ extent: StoredExtent, at location: PageLocation) throws {
    var encoder = ByteEncoder()
    encoder.varint(extent.check)
    encoder.varint(location.frame)
    encoder.varint(location.offset)
    // The archive is the second sort key, beside the ordinal. It decides nothing, because each ordinal has only one
    // record.
    try sorter.append(SortableRecord(high: extent.ordinal, low: location.archive, payload: encoder.bytes))
  }

  package func finish() throws { try sorter.finish() }

  package func makeReader() throws -> Reader { Reader(records: try sorter.makeReader()) }

  package struct Reader {
    fileprivate var records: RecordReader

    package mutating func next() throws -> (ordinal: UInt64, check: UInt64, location: PageLocation)? {
      guard let record = try records.next() else { return nil }
      let cursor = ByteCursor(BlockSupply(record.payload, name: "scratch file"))
      let check = try cursor.varint()
      return (
        record.high, check,
        PageLocation(
          archive: record.low, frame: try cursor.varint(as: UInt32.self), offset: try cursor.varint(as: UInt32.self))
      )
    }
  }
}
