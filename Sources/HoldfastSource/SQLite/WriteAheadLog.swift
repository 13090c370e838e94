internal import HoldfastModel
internal import HoldfastSystem

/// The committed part of a WAL: for every page in it where its newest version lies. https://www.sqlite.org/fileformat2.html, section 4.
struct WriteAheadLog {
  static let headerCount = 32
  fileprivate static let frameHeaderCount = 24
  fileprivate static let magic: UInt32 = 0x377f_0682

  /// Whether a file that begins with these bytes is a WAL, in either order of its checksums.
  static func isBeginning(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= headerCount && UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)) & ~1 == magic
  }

  /// Its first 32 bytes: another generation of the WAL has others.
  let header: [UInt8]
  /// Of the database after the last commit, in pages.
  let pageCount: UInt32
  /// Frames up to the last commit.
  let frameCount: UInt32
  /// Pages in ascending order, and where in the WAL their newest version begins.
  private let pages: [UInt32]
  private let offsets: [UInt64]

  /// What tells this generation and this commit from every other one.
  var mark: [UInt8] {
    Array(header[16..<24]) + withUnsafeBytes(of: frameCount.bigEndian) { Array($0) }
  }

  fileprivate init(header: [UInt8], pageCount: UInt32, pageSize: UInt32, committed: [UInt32]) {
    self.header = header
    self.pageCount = pageCount
    frameCount = UInt32(committed.count)
    var found = committed.enumerated().map { (page: $1, frame: UInt32($0)) }
    // The newest version of a page is in its last frame.
    found.sort { ($0.page, $0.frame) < ($1.page, $1.frame) }
    var newest: [(page: UInt32, frame: UInt32)] = []
    for entry in found {
      if newest.last?.page == entry.page { newest.removeLast() }
      newest.append(entry)
    }
    let frameBytes = UInt64(Self.frameHeaderCount) + UInt64(pageSize)
    pages = newest.map(\.page)
    offsets = newest.map {
      UInt64(Self.headerCount) + UInt64($0.frame) * frameBytes + UInt64(Self.frameHeaderCount)
    }
  }

  /// Where the newest version of a page begins; `nil` when the main file has it.
  func offset(of page: UInt32) -> UInt64? {
    let index = firstIndex(from: page)
    return index < pages.count && pages[index] == page ? offsets[index] : nil
  }

  /// The first page from `page` on that is in the WAL.
  func next(from page: UInt32) -> UInt32? {
    let index = firstIndex(from: page)
    return index < pages.count ? pages[index] : nil
  }

  private func firstIndex(from page: UInt32) -> Int {
    var low = 0
    var high = pages.count
    while low < high {
      let middle = (low + high) / 2
      if pages[middle] < page { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// Walks a WAL from its header as far as salts and running checksums hold. It can go on later, behind the last commit that it found: what came after
/// that one may have been rewritten meanwhile, by the same transaction or by another in its place.
struct WriteAheadLogWalk {
  typealias Read = (UnsafeMutableRawBufferPointer, UInt64) throws(SystemError) -> Void

  let header: [UInt8]
  private let pageSize: UInt32
  private var sum: Checksum
  /// The page of every sound frame, in order; and how many of them lie before the last commit.
  private var pages: [UInt32] = []
  private var committedCount = 0
  private var committedSum: Checksum
  private var pageCount: UInt32 = 0

  /// - Returns: `nil` when there is no sound header: an empty WAL, or one that is just being made.
  init?(size: UInt64, pageSize: UInt32, read: Read) throws(SystemError) {
    guard size >= UInt64(WriteAheadLog.headerCount) else { return nil }
    let head = Buffer(capacity: WriteAheadLog.headerCount)
    try read(head.bytes, 0)
    head.count = WriteAheadLog.headerCount
    header = Array(head.used)
    self.pageSize = pageSize
    let magic = Self.word(head.used, 0)
    sum = Checksum(isBigEndian: magic & 1 == 1)
    sum.add(UnsafeRawBufferPointer(rebasing: head.used[..<24]))
    committedSum = sum
    guard magic & ~1 == WriteAheadLog.magic, Self.word(head.used, 8) == pageSize,
      sum.first == Self.word(head.used, 24), sum.second == Self.word(head.used, 28)
    else { return nil }
  }

  /// Of the database after the last commit, in pages; `nil` where there is none.
  var pageCountAfterCommit: UInt32? { committedCount > 0 ? pageCount : nil }

  /// The committed part of what was walked.
  var log: WriteAheadLog {
    WriteAheadLog(
      header: header, pageCount: pageCount, pageSize: pageSize, committed: Array(pages[..<committedCount]))
  }

  /// Goes on up to `size` bytes of the WAL.
  mutating func advance(to size: UInt64, read: Read) throws(SystemError) {
    pages.removeLast(pages.count - committedCount)
    sum = committedSum
    let frameBytes = WriteAheadLog.frameHeaderCount + Int(pageSize)
    let block = Buffer(capacity: max(1, (1 << 20) / frameBytes) * frameBytes)
    while true {
      let offset = UInt64(WriteAheadLog.headerCount) + UInt64(pages.count) * UInt64(frameBytes)
      guard offset + UInt64(frameBytes) <= size else { return }
      let count = min(block.capacity / frameBytes, Int((size - offset) / UInt64(frameBytes)))
      block.count = count * frameBytes
      try read(UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<block.count]), offset)
      for index in 0..<count {
        let frame = UnsafeRawBufferPointer(rebasing: block.used[index * frameBytes..<(index + 1) * frameBytes])
        guard add(frame) else { return }
      }
    }
  }

  /// - Returns: whether the frame belongs to this generation of the WAL, whole.
  private mutating func add(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard frame[8..<16].elementsEqual(header[16..<24]) else { return false }
    var next = sum
    next.add(UnsafeRawBufferPointer(rebasing: frame[..<8]))
    next.add(UnsafeRawBufferPointer(rebasing: frame[WriteAheadLog.frameHeaderCount...]))
    guard next.first == Self.word(frame, 16), next.second == Self.word(frame, 20) else { return false }
    sum = next
    pages.append(Self.word(frame, 0))
    let pagesAfterCommit = Self.word(frame, 4)
    if pagesAfterCommit > 0 { (committedCount, committedSum, pageCount) = (pages.count, sum, pagesAfterCommit) }
    return true
  }

  private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
    UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  /// The running checksum over 32-bit words (section 4.2).
  private struct Checksum {
    let isBigEndian: Bool
    var first: UInt32 = 0
    var second: UInt32 = 0

    init(isBigEndian: Bool) { self.isBigEndian = isBigEndian }

    /// - Parameter bytes: a multiple of eight.
    mutating func add(_ bytes: UnsafeRawBufferPointer) {
      var offset = 0
      while offset + 8 <= bytes.count {
        let left = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
        let right = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
        first = first &+ (isBigEndian ? left.bigEndian : left.littleEndian) &+ second
        second = second &+ (isBigEndian ? right.bigEndian : right.littleEndian) &+ first
        offset += 8
      }
    }
  }
}
