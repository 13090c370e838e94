import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// The layout of a damaged container is found in few reads, whatever its bytes claim.
@Suite(.timeLimit(.minutes(30))) struct ParitySearchTests {
  /// The header's word is taken only where nothing speaks against it.
  @Test func aHeaderThatDeniesParityDoesNotHideIt() throws {
    var random = SeededRandom(seed: 21)
    let sample = try ParitySample(coreBytes: 300_000, percent: 5, &random)
    let count = sample.bytes.count
    for flips in [[48, count - 60], [48, count - 60, count - 20], [48, count - 60, 20]] {
      var wrong = sample.bytes
      for index in flips { wrong[index] ^= 1 }
      #expect(try sample.comesBack(from: MemoryBytes(wrong, name: "sample")), "\(flips)")
    }
    var cut = Array(sample.bytes.dropLast(5000))
    cut[48] = 0
    #expect(try sample.comesBack(from: MemoryBytes(cut, name: "sample")), "cut")
  }

  @Test func aContainerWithoutParityIsNotSearched() throws {
    let plain = try SampleContainer(frames: [[UInt8](repeating: 7, count: 1 << 20)])
    var damaged = plain.bytes
    damaged[0] ^= 1
    let counted = CountedReads(damaged)
    let repaired = RepairedBytes("sample", plain.reference.id, length: plain.reference.length) { counted }
    #expect(try !repaired.hasParity())
    #expect(counted.bytesRead < 1000)
  }

  /// A restore from a far target must not take a request for each page.
  @Test func aLostEndIsComputedWithARequestForEachMiB() throws {
    var random = SeededRandom(seed: 22)
    let sample = try ParitySample(coreBytes: (62 << 20) + 1234, percent: 2, &random)
    var wrong = sample.bytes
    wrong[wrong.count - 60] ^= 1
    let counted = CountedReads(wrong)
    let reader = try sample.open(counted)
    #expect(reader.parityBytes > 0)
    #expect(counted.reads <= wrong.count >> 20 + 16, "\(counted.reads) requests")
  }

  @Test func aLostTrailerIsSoughtInManyBlocksAtOnce() throws {
    var random = SeededRandom(seed: 23)
    let sample = try ParitySample(coreBytes: (30 << 20) + 1234, percent: 2, &random)
    var wrong = sample.bytes
    for block in 0..<200 { wrong[sample.places.coreBytes + block * sample.places.blockBytes + 50] ^= 1 }
    wrong[wrong.count - 20] ^= 1
    let counted = CountedReads(wrong)
    let repaired = RepairedBytes("sample", sample.reference.id, length: sample.reference.length) { counted }
    #expect(try repaired.hasParity())
    #expect(counted.reads <= 10, "\(counted.reads) requests")
  }

  // MARK: Hostile

  /// A stripe has at most 255 pages: GF(2⁸) has no more rows for the code.
  @Test(arguments: [(240, 16), (239, 16), (240, 15)])
  func aBlockOfTheLargestCodeIsDamageAtMost(_ code: (data: Int, parity: Int)) throws {
    let core = [UInt8](repeating: 7, count: 5000)
    var block = Array("HOLDFAST\u{1}PARITY\n".utf8) + SampleContainer.id.bytes
    block += Self.littleEndian(UInt64(core.count)) + Self.littleEndian(UInt16(code.data))
    block += Self.littleEndian(UInt16(code.parity)) + Self.littleEndian(UInt32(0))
    // No page has its checksum.
    block += [UInt8](repeating: 0x5A, count: 32 + 4 * code.data + 4096)
    block += Self.littleEndian(block.withUnsafeBytes { CRC32.checksum($0) })
    let rest = [UInt8](repeating: 0, count: block.count * (code.parity - 1) + 80)
    let object = core + block + rest
    let repaired = RepairedBytes("sample", SampleContainer.id, length: UInt64(object.count)) {
      MemoryBytes(object, name: "sample")
    }
    #expect(try repaired.hasParity() == (code.data + code.parity <= 255))
    var page = [UInt8](repeating: 0, count: 4096)
    #expect(throws: DamageError.self) { try page.withUnsafeMutableBytes { try repaired.read(into: $0, at: 0) } }
  }

  /// A layout of which nothing is there but its end. There are as many blocks as a page has bytes.
  @Test func blocksThatAreNotThereAreSoughtForABoundedTime() throws {
    let (data, parity, groups) = (1, 16, 40)
    let core = UInt64(groups * 65 * data * 4096)
    let length = core + UInt64(groups * 65 * parity * (84 + 4 * data + 4096) + 80)
    var end = Self.littleEndian(core) + Self.littleEndian(UInt16(data)) + Self.littleEndian(UInt16(parity))
    end += [UInt8](repeating: 0, count: 32)
    end += Self.littleEndian(end.withUnsafeBytes { CRC32.checksum($0) })
    let object = CountedReads(end + [UInt8](repeating: 0, count: 32), zerosBefore: length - 80)
    let repaired = RepairedBytes("sample", SampleContainer.id, length: length) { object }
    #expect(try repaired.hasParity())
    #expect(object.bytesRead <= 80 << 20 && object.reads < 16 << 10 + 10, "\(object.bytesRead) in \(object.reads)")
  }

  private static func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}

/// Bytes that count reads as a far store counts requests: neighbours that are read together are one.
private final class CountedReads: ReadableBytes {
  let name = "sample"
  let length: UInt64
  private let bytes: [UInt8]
  private let zeros: UInt64
  private let counts = Mutex((reads: 0, bytes: 0))

  /// - Parameter zerosBefore: so many zeros are before the bytes.
  init(_ bytes: [UInt8], zerosBefore: UInt64 = 0) {
    (self.bytes, zeros, length) = (bytes, zerosBefore, zerosBefore + UInt64(bytes.count))
  }

  var reads: Int { counts.withLock { $0.reads } }
  var bytesRead: Int { counts.withLock { $0.bytes } }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    counts.withLock { $0.reads += 1 }
    try fill(buffer, offset)
  }

  func read(_ parts: [ReadPart]) throws {
    var end: UInt64?
    for part in parts.sorted(by: { $0.offset < $1.offset }) {
      if part.offset != end { counts.withLock { $0.reads += 1 } }
      end = part.offset + UInt64(part.buffer.count)
      try fill(part.buffer, part.offset)
    }
  }

  private func fill(_ buffer: UnsafeMutableRawBufferPointer, _ offset: UInt64) throws {
    counts.withLock { $0.bytes += buffer.count }
    guard offset + UInt64(buffer.count) <= length else { throw DamageError(name, "it ends before that") }
    if offset < zeros { buffer.initializeMemory(as: UInt8.self, repeating: 0) }
    let first = max(offset, zeros)
    let end = offset + UInt64(buffer.count)
    guard first < end else { return }
    let place = Int(first - offset)
    let part = bytes[Int(first - zeros)..<Int(end - zeros)]
    UnsafeMutableRawBufferPointer(rebasing: buffer[place...]).copyBytes(from: part)
  }
}
