internal import HoldfastModel
internal import HoldfastSystem

/// The pages that a hot journal restores in a database (https://www.sqlite.org/fileformat2.html, section 3). Holdfast
/// reads them from the journal; the rollback itself is left to the programs that use the database.
struct RollbackJournal {
  private static let magic: [UInt8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]
  private static let headerCount = 28
  private static let recordOverhead = 8
  private static let lockByte: UInt32 = 1 << 30

  /// The size of the database before the transaction.
  private(set) var pageSize: UInt32 = 0
  private(set) var pageCount: UInt32 = 0
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
      guard (512...65_536).contains(pageSize), pageSize.nonzeroBitCount == 1, (32...65_536).contains(sectorSize),
        sectorSize.nonzeroBitCount == 1
      else { return nil }
    }
  }

  /// - Parameters:
  ///   - framesMax: the most records.
  ///   - isCancelled: checked between two records.
  /// - Returns: `nil` when the journal restores nothing.
  init?(_ file: OpenFile, framesMax: Int, isCancelled: () -> Bool) throws(SystemError) {
    let size = try file.status().size
    guard let first = try Self.header(file, at: 0) else { return nil }
    (pageSize, pageCount) = (first.pageSize, first.pageCount)
    let sector = UInt64(first.sectorSize)
    var position: UInt64 = 0
    var next: Header? = first
    var headers = 0
    while let header = next, position + sector <= size, pages.count + headers <= framesMax {
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

  /// Number of records, and of headers between them; larger than `framesMax` when there are more than that.
  private(set) var recordCount = 0

  /// The offsets of the pages as they were before the transaction.
  var index: PageIndex { PageIndex(pages: pages, in: segments, stride: stride, winner: .first) }

  /// - Returns: whether all records are valid. No record after an invalid one was ever meant to be used.
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
      guard page > 0, page != lockPage, sum == checksum(record.used[4...], seed) else { return false }
      pages.append(page)
    }
    return true
  }

  /// The checksum over the seed and every two hundredth byte, counted from the end of the page.
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

  /// Whether it is part of a transaction on several databases. Then another file, which it names, decides whether the
  /// transaction was committed, and a rollback removes that file.
  static func isPartOfLarger(_ file: OpenFile) throws(SystemError) -> Bool {
    let size = try file.status().size
    let tail = Buffer(capacity: 16)
    guard size >= UInt64(tail.capacity) else { return false }
    tail.count = try file.read(into: tail.bytes, at: size - UInt64(tail.capacity))
    guard tail.count == tail.capacity, tail.used[8...].elementsEqual(magic) else { return false }
    let length = UInt32(bigEndian: tail.used.loadUnaligned(as: UInt32.self))
    return length > 0 && UInt64(length) <= size - UInt64(tail.capacity)
  }
}
