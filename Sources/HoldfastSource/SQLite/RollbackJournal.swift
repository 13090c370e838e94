internal import HoldfastModel
package import HoldfastSystem

/// The pages that a hot journal restores in a database (https://www.sqlite.org/fileformat2.html, section 3). holdfast
/// reads them from the journal. It leaves the rollback itself to the programs that use the database.
package struct RollbackJournal {
  private static let magic: [UInt8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]
  private static let headerCount = 28
  private static let recordOverhead = 8
  /// The least bytes of a journal. SQLite reads no header from one that is shorter than a sector of a disk.
  private static let byteCountMin = 512
  private static let lockByte: UInt32 = 1 << 30

  /// The size of the database before the transaction: the size of a page in bytes, and the number of pages.
  package private(set) var pageSize: UInt32 = 0
  package private(set) var pageCount: UInt32 = 0
  /// The page of every valid record, in order.
  private var pages: [UInt32] = []
  private var segments: [PageIndex.Segment] = []

  private struct Header {
    let recordCount: UInt32
    let checksum: UInt32
    let pageCount: UInt32
    let sectorSize: UInt32
    let pageSize: UInt32

    init?(_ bytes: UnsafeRawBufferPointer) {
      guard bytes.count == headerCount, bytes[..<8].elementsEqual(magic) else { return nil }
      func word(_ offset: Int) -> UInt32 {
        UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      }
      (recordCount, checksum, pageCount, sectorSize, pageSize) = (word(8), word(12), word(16), word(20), word(24))
    }

    /// - Parameter pageSize: the page size in bytes with which its pages are read.
    func isSound(pageSize: UInt32) -> Bool {
      (512...65_536).contains(pageSize) && pageSize.nonzeroBitCount == 1 && (32...65_536).contains(sectorSize)
        && sectorSize.nonzeroBitCount == 1
    }
  }

  /// - Parameters:
  ///   - databasePageSize: the page size in bytes for a journal that does not state it. SQLite states it since version
  ///     3.5.8.
  ///   - framesMax: the most records.
  ///   - isCancelled: checked between two records, and between two headers.
  /// - Returns: `nil` if the journal restores nothing.
  package init?(
    _ file: OpenFile, databasePageSize: UInt32, framesMax: Int, isCancelled: () -> Bool
  ) throws(SystemError) {
    let size = try file.status().size
    guard size >= UInt64(Self.byteCountMin), let first = try Self.header(file, at: 0) else { return nil }
    pageSize = first.pageSize == 0 ? databasePageSize : first.pageSize
    guard first.isSound(pageSize: pageSize) else { return nil }
    pageCount = first.pageCount
    // Both sizes apply to the whole journal, whatever later headers say.
    let sector = UInt64(first.sectorSize)
    var position: UInt64 = 0
    var next: Header? = first
    var headers = 0
    while let header = next, position + sector <= size, pages.count + headers <= framesMax, !isCancelled() {
      headers += 1
      defer { recordCount = pages.count + headers }
      let records = position + sector
      let left = (size - records) / stride
      // A program that does not wait for the disk does not write the number of records.
      let count = header.recordCount == .max && position == 0 ? left : UInt64(header.recordCount)
      let begin = pages.count
      if count > 0 { segments.append(PageIndex.Segment(first: UInt32(clamping: begin), offset: records + 4)) }
      guard try read(file, count, at: records, header.checksum, framesMax, isCancelled) else { return }
      let end = records + UInt64(pages.count - begin) * stride
      position = (end + sector - 1) / sector * sector
      next = try Self.header(file, at: position)
    }
  }

  private static func header(_ file: OpenFile, at position: UInt64) throws(SystemError) -> Header? {
    let head = Buffer(capacity: headerCount)
    head.count = try file.read(into: head.bytes, at: position)
    return Header(head.used)
  }

  private var stride: UInt64 { UInt64(pageSize) + UInt64(Self.recordOverhead) }

  /// The number of records, and of headers between them. It is larger than `framesMax` if there are more than that.
  package private(set) var recordCount = 0

  /// The offsets of the pages as they were before the transaction.
  package var index: PageIndex { PageIndex(pages: pages, in: segments, stride: stride) }

  /// - Returns: true if all records are valid. A record after an invalid one was never meant to be used.
  private mutating func read(
    _ file: OpenFile, _ count: UInt64, at start: UInt64, _ seed: UInt32, _ framesMax: Int, _ isCancelled: () -> Bool
  ) throws(SystemError) -> Bool {
    let record = Buffer(capacity: Int(stride))
    let lockPage = Self.lockByte / pageSize + 1
    for number in 0..<count {
      guard pages.count <= framesMax, !isCancelled() else { return false }
      record.count = try file.read(into: record.bytes, at: start + number * stride)
      guard record.count == record.capacity else { return false }
      let page = UInt32(bigEndian: record.used.loadUnaligned(as: UInt32.self))
      let sum = UInt32(bigEndian: record.used.loadUnaligned(fromByteOffset: 4 + Int(pageSize), as: UInt32.self))
      // A page beyond the end of the database is not restored, and SQLite does not check its checksum.
      guard page > 0, page != lockPage, page > pageCount || sum == checksum(record.used[4...], seed) else {
        return false
      }
      pages.append(page)
    }
    return true
  }

  /// Returns the checksum over the seed and every two hundredth byte, counted from the end of the page.
  private func checksum(_ bytes: Slice<UnsafeRawBufferPointer>, _ seed: UInt32) -> UInt32 {
    let step = 200
    var sum = seed
    var offset = Int(pageSize) - step
    while offset > 0 {
      sum &+= UInt32(bytes[bytes.startIndex + offset])
      offset -= step
    }
    return sum
  }

  /// Returns true if the journal is part of a transaction on several databases. Then another file, which it names,
  /// decides if the transaction was committed, and a rollback removes that file.
  package static func isPartOfLarger(_ file: OpenFile) throws(SystemError) -> Bool {
    let size = try file.status().size
    let tail = Buffer(capacity: 16)
    guard size >= UInt64(tail.capacity) else { return false }
    tail.count = try file.read(into: tail.bytes, at: size - UInt64(tail.capacity))
    guard tail.count == tail.capacity, tail.used[8...].elementsEqual(magic) else { return false }
    let length = UInt32(bigEndian: tail.used.loadUnaligned(as: UInt32.self))
    return length > 0 && UInt64(length) <= size - UInt64(tail.capacity)
  }
}
