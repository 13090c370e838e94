internal import HoldfastModel
package import HoldfastSystem

/// The committed part of a WAL, read from its header on as long as salts and running checksums are right
/// (https://www.sqlite.org/fileformat2.html, section 4).
package struct WriteAheadLog {
  package static let headerCount = 32
  private static let frameHeaderCount = 24
  private static let magic: UInt32 = 0x377f_0682
  private static let version: UInt32 = 3_007_000

  /// Returns true if a file that begins with these bytes is a WAL, in either byte order of its checksums.
  package static func isBeginning(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= headerCount && UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)) & ~1 == magic
  }

  /// The first 32 bytes. Every generation of a WAL has its own.
  package let header: [UInt8]
  package let pageSize: UInt32
  private var sum: Checksum
  /// The page of every valid frame, in order. The first `committedCount` of them are committed.
  private var pages: [UInt32] = []
  private var committedCount = 0
  private var committedSum: Checksum
  /// The pages of the database after the last commit; 0 if there is none.
  package private(set) var pageCount: UInt32 = 0

  /// - Returns: `nil` if there is no valid header, because the WAL is empty or just being made.
  package init?(_ file: OpenFile) throws(SystemError) {
    let head = Buffer(capacity: Self.headerCount)
    head.count = try file.read(into: head.bytes, at: 0)
    guard Self.isBeginning(head.used) else { return nil }
    header = Array(head.used)
    pageSize = Self.word(head.used, 8)
    sum = Checksum(isBigEndian: Self.word(head.used, 0) & 1 == 1)
    sum.add(UnsafeRawBufferPointer(rebasing: head.used[..<24]))
    committedSum = sum
    guard (512...65_536).contains(pageSize), pageSize.nonzeroBitCount == 1, sum.first == Self.word(head.used, 24),
      sum.second == Self.word(head.used, 28)
    else { return nil }
  }

  /// True if it has the only version of the format. SQLite does not open a database with a WAL of another version.
  package var isSupported: Bool { header.withUnsafeBytes { Self.word($0, 4) } == Self.version }

  /// The number of frames up to the last commit.
  package var frameCount: Int { committedCount }

  /// A value that distinguishes this generation and commit from every other one: salts, number of frames, and the
  /// running checksum, which covers every frame up to the commit. A machine that lost its power may have lost frames
  /// that were committed, and others have their numbers then.
  package var mark: [UInt8] {
    [UInt32(committedCount), committedSum.first, committedSum.second].reduce(into: Array(header[16..<24])) {
      $0 += withUnsafeBytes(of: $1.bigEndian) { Array($0) }
    }
  }

  /// Returns the pages that were committed after an earlier commit, ascending, each once.
  /// - Parameters:
  ///   - mark: the mark of the earlier commit.
  ///   - last: the mark of the last commit that counts.
  ///   - isCancelled: checked between two blocks.
  /// - Returns: `nil` if the earlier commit is not in this generation of the WAL.
  package static func pages(
    after mark: [UInt8], upTo last: [UInt8], in file: OpenFile, isCancelled: () -> Bool
  ) throws(SystemError) -> [UInt32]? {
    guard let earlier = frameCount(mark), let count = frameCount(last), earlier <= count, var log = try Self(file)
    else { return nil }
    try log.walk(file, max: earlier, isCancelled: isCancelled)
    guard log.mark == mark else { return nil }
    try log.walk(file, max: count, isCancelled: isCancelled)
    guard log.mark == last else { return nil }
    return Array(Set(log.pages[earlier..<count])).sorted()
  }

  /// Returns the number of frames up to the commit that a mark means; `nil` for a mark of another form.
  private static func frameCount(_ mark: [UInt8]) -> Int? {
    guard mark.count == 20 else { return nil }
    return mark.withUnsafeBytes { Int(word($0, 8)) }
  }

  /// The offset of the newest committed version of each page.
  package var index: PageIndex {
    let offset = UInt64(Self.headerCount + Self.frameHeaderCount)
    return PageIndex(
      pages: Array(pages[..<committedCount]), in: [PageIndex.Segment(first: 0, offset: offset)],
      stride: UInt64(Self.frameHeaderCount) + UInt64(pageSize))
  }

  /// Returns true if the last commit is the one that the index names.
  package func ends(at commit: WriteAheadLogIndex) -> Bool {
    committedCount == Int(commit.frameCount) && pageCount == commit.pageCount && committedSum.first == commit.sum.first
      && committedSum.second == commit.sum.second && header[16..<24].elementsEqual(commit.salts)
  }

  /// Reads the frames up to the last valid one, or at most `frames`. Frames after the last commit may be rewritten
  /// meanwhile.
  /// - Parameter isCancelled: checked between two blocks.
  package mutating func walk(
    _ file: OpenFile, max frames: Int, isCancelled: () -> Bool
  ) throws(SystemError) {
    let frameBytes = Self.frameHeaderCount + Int(pageSize)
    let block = Buffer(capacity: max(1, (1 << 20) / frameBytes) * frameBytes)
    while pages.count < frames, !isCancelled() {
      let offset = UInt64(Self.headerCount) + UInt64(pages.count) * UInt64(frameBytes)
      let wanted = min(block.capacity / frameBytes, frames - pages.count) * frameBytes
      block.count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<wanted]), at: offset)
      for index in 0..<block.count / frameBytes {
        let frame = UnsafeRawBufferPointer(rebasing: block.used[index * frameBytes..<(index + 1) * frameBytes])
        guard add(frame) else { return }
      }
      if block.count < wanted { return }
    }
  }

  /// - Returns: true if the frame is complete and belongs to this generation of the WAL.
  private mutating func add(_ frame: UnsafeRawBufferPointer) -> Bool {
    let page = Self.word(frame, 0)
    guard page > 0, frame[8..<16].elementsEqual(header[16..<24]) else { return false }
    var next = sum
    next.add(UnsafeRawBufferPointer(rebasing: frame[..<8]))
    next.add(UnsafeRawBufferPointer(rebasing: frame[Self.frameHeaderCount...]))
    guard next.first == Self.word(frame, 16), next.second == Self.word(frame, 20) else { return false }
    sum = next
    pages.append(page)
    let pagesAfterCommit = Self.word(frame, 4)
    if pagesAfterCommit > 0 { (committedCount, committedSum, pageCount) = (pages.count, sum, pagesAfterCommit) }
    return true
  }

  private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
    UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  /// The running checksum over 32-bit words (section 4.2).
  fileprivate struct Checksum {
    let isBigEndian: Bool
    var first: UInt32 = 0
    var second: UInt32 = 0

    init(isBigEndian: Bool) { self.isBigEndian = isBigEndian }

    /// - Parameter bytes: a multiple of eight bytes.
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

/// The state of a WAL that programs share in the first part of the `-shm` file (https://www.sqlite.org/walformat.html,
/// section 2.1). All numbers are in the byte order of this machine.
package struct WriteAheadLogIndex: Equatable {
  private static let copyCount = 48

  /// The frames up to the last commit, and the pages of the database after it.
  package let frameCount: UInt32
  package let pageCount: UInt32
  /// The running checksum at the last commit.
  let sum: Pair
  package let salts: [UInt8]

  struct Pair: Equatable { let first, second: UInt32 }

  /// - Returns: `nil` if it is just being changed, or does not exist yet.
  package init?(_ file: OpenFile) throws(SystemError) {
    let head = Buffer(capacity: 2 * Self.copyCount)
    head.count = try file.read(into: head.bytes, at: 0)
    guard head.count == head.capacity,
      head.used[..<Self.copyCount].elementsEqual(head.used[Self.copyCount...])
    else { return nil }
    let bytes = head.used
    func word(_ offset: Int) -> UInt32 { bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
    var checksum = WriteAheadLog.Checksum(isBigEndian: UInt32(1).bigEndian == 1)
    checksum.add(UnsafeRawBufferPointer(rebasing: bytes[..<40]))
    let isMade = bytes[12] == 1
    guard isMade, word(0) == 3_007_000, checksum.first == word(40), checksum.second == word(44) else { return nil }
    frameCount = word(16)
    pageCount = word(20)
    sum = Pair(first: word(24), second: word(28))
    salts = Array(bytes[32..<40])
  }
}
