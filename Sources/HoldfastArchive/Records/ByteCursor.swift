internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// Supplies bytes in consecutive blocks.
protocol ByteSupply: AnyObject {
  /// The name of what is read, for messages.
  var name: String { get }
  /// Returns the next block, valid until the next call; `nil` at the end.
  func next() throws -> UnsafeRawBufferPointer?
}

/// Reads the primitives of format.md, section 3, from consecutive blocks. The bytes may be hostile.
final class ByteCursor {
  private let supply: any ByteSupply
  private var block = UnsafeRawBufferPointer(start: nil, count: 0)
  private var position = 0
  /// Bytes in the blocks before this one.
  private var consumedBlocks: UInt64 = 0

  init(_ supply: any ByteSupply) {
    self.supply = supply
  }

  /// - Parameter bytes: a file of this machine, which is read from its beginning.
  convenience init(_ bytes: any ReadableBytes) {
    self.init(RangeSupply(bytes, from: 0, to: bytes.length))
  }

  var name: String { supply.name }

  /// Bytes read so far.
  var consumed: UInt64 { consumedBlocks + UInt64(position) }

  func damage(_ finding: String) -> DamageError { DamageError(name, finding) }

  /// True if no bytes follow.
  func isAtEnd() throws -> Bool {
    while position == block.count {
      guard let next = try supply.next() else { return true }
      consumedBlocks += UInt64(block.count)
      block = next
      position = 0
    }
    return false
  }

  func byte() throws -> UInt8 {
    if position == block.count, try isAtEnd() { throw damage("it ends in the middle of a record") }
    defer { position += 1 }
    return block[position]
  }

  func varint() throws -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let next = try byte()
      let bits = UInt64(next & 0x7f)
      guard shift < 63 || (shift == 63 && bits <= 1) else { throw damage("a number is too long") }
      value |= bits << shift
      if next < 0x80 {
        guard next != 0 || shift == 0 else { throw damage("a number is not in its shortest form") }
        return value
      }
      shift += 7
    }
  }

  func varint<Value: FixedWidthInteger>(as type: Value.Type, max: Value = .max) throws -> Value {
    guard let value = Value(exactly: try varint()), value <= max else { throw damage("a number is out of its bounds") }
    return value
  }

  func signedVarint() throws -> Int64 {
    let value = try varint()
    return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }

  func raw(count: Int) throws -> [UInt8] {
    if block.count - position >= count {
      defer { position += count }
      return Array(block[position..<position + count])
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(count, 1 << 16))
    while bytes.count < count {
      guard try !isAtEnd() else { throw damage("it ends in the middle of a record") }
      let taken = min(count - bytes.count, block.count - position)
      bytes.append(contentsOf: block[position..<position + taken])
      position += taken
    }
    return bytes
  }

  func counted(max: Int) throws -> [UInt8] {
    try raw(count: try varint(as: Int.self, max: max))
  }

  func skip(_ count: Int) throws {
    var rest = count
    while rest > 0 {
      guard try !isAtEnd() else { throw damage("it ends in the middle of a record") }
      let taken = min(rest, block.count - position)
      position += taken
      rest -= taken
    }
  }

  /// Reads a path that was written as a difference from the path before it.
  func path(after previous: Path) throws -> Path {
    let shared = try varint(as: Int.self, max: previous.bytes.count)
    let count = try varint(as: Int.self, max: Limits.pathBytesMax)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(shared + count)
    bytes.append(contentsOf: previous.bytes[..<shared])
    if block.count - position >= count {
      bytes.append(contentsOf: block[position..<position + count])
      position += count
    } else {
      bytes += try raw(count: count)
    }
    return try entryPath(bytes)
  }

  func time() throws -> Timestamp {
    let seconds = try signedVarint()
    return Timestamp(
      seconds: seconds, nanoseconds: try varint(as: UInt32.self, max: Timestamp.nanosecondsPerSecond - 1))
  }
}

/// Buffers for reading frames, shared by many readers on one thread: a replay reads as many bodies at once as the chain
/// has snapshots.
package final class FrameScratch {
  fileprivate let decompressor = Decompressor()
  fileprivate let stored = Buffer(capacity: ContainerReader.storedCapacity())

  package init() {}
}

/// The plain bytes of a body, frame by frame, each checked against its digest.
final class FrameSupply: ByteSupply {
  /// The stored bytes that are announced at once, at first and at most. The first announcement is small so that a short
  /// body does not hold back the announcements of others.
  private static let stretchBytes: (first: UInt64, most: UInt64) = (1 << 20, 4 << 20)
  private let container: ContainerReader
  private let scratch: FrameScratch
  private var plain: Buffer?
  private var number: UInt32 = 0
  /// The last stretch of frames that was announced: its first frame, and the frame after its end.
  private var stretch: Range<UInt32> = 0..<0
  /// The size of the next stretch, in stored bytes.
  private var stretchBytes = FrameSupply.stretchBytes.first

  /// Lets a remote store begin to fetch the frames now, so that several bodies that are read side by side are fetched
  /// at once.
  init(_ container: ContainerReader, scratch: FrameScratch) {
    self.container = container
    self.scratch = scratch
    announce()
  }

  /// Announces one stretch beyond the one that contains the next frame.
  private func announce() {
    while number >= stretch.lowerBound, stretch.upperBound < container.frames.count {
      var (end, bytes) = (stretch.upperBound, UInt64(0))
      while end < container.frames.count, bytes < stretchBytes {
        bytes += UInt64(container.frames[Int(end)].storedCount)
        end += 1
      }
      stretchBytes = min(2 * stretchBytes, Self.stretchBytes.most)
      stretch = stretch.upperBound..<end
      container.expect(stretch)
    }
  }

  var name: String { container.name }

  func next() throws -> UnsafeRawBufferPointer? {
    guard number < container.frames.count else {
      plain = nil
      return nil
    }
    let needed = Int(container.frames[Int(number)].plainCount)
    guard needed <= Limits.bodyFrameBytesMax else { throw DamageError(name, "frame \(number) of it is too large") }
    let block = plain.flatMap { $0.capacity >= needed ? $0 : nil } ?? Buffer(capacity: needed)
    plain = block
    try container.readFrame(
      number, stored: scratch.stored, plain: block, decompressor: scratch.decompressor, verifying: true)
    number += 1
    announce()
    return block.used
  }
}

/// The bytes of a file of this machine, block by block.
final class RangeSupply: ByteSupply {
  private let bytes: any ReadableBytes
  private let block: Buffer
  private var offset: UInt64
  private let end: UInt64

  init(_ bytes: any ReadableBytes, from offset: UInt64, to end: UInt64, blockCount: Int = 64 << 10) {
    self.bytes = bytes
    self.offset = offset
    self.end = end
    block = Buffer(capacity: blockCount)
  }

  var name: String { bytes.name }

  func next() throws -> UnsafeRawBufferPointer? {
    guard offset < end else { return nil }
    block.count = Int(min(UInt64(block.capacity), end - offset))
    try bytes.read(into: UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<block.count]), at: offset)
    offset += UInt64(block.count)
    return block.used
  }
}
