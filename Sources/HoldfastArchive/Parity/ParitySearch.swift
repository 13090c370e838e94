internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// Finds out how a damaged container is laid out: from the end of its parity if that is left, otherwise from any of its
/// blocks.
struct ParitySearch {
  struct Found {
    let layout: ParityLayout
    /// The last bytes of the container, as a block has them; `nil` if no block is left.
    let trailer: [UInt8]?
  }

  /// Blocks are looked for in this many bytes at the end. A section may be longer, but no stretch that may be lost
  /// takes all of these.
  private static let searchedBytesMax: UInt64 = 64 << 20
  private static let chunkBytes: UInt64 = 1 << 20
  /// The number of blocks that are read together.
  private static let blocksAtOnce = 64
  /// The most blocks that are asked for the trailer. Where there are more, they are taken at equal distances.
  private static let askedBlocksMax: UInt64 = 16 << 10
  private static let blockBytesMax = UInt64(ParityBlock.fixedBytes + 4 * ParityCode.dataMax + ParityCode.pageBytes)

  /// The container as it is stored. It may have another length than it should.
  let bytes: any ReadableBytes
  let object: Identifier
  /// The length that it should have.
  let length: UInt64

  /// - Returns: `nil` when it has no parity, or nothing is left that shows it.
  func run() throws -> Found? {
    if let end = try end() { return Found(layout: end.layout, trailer: try trailer(from: end.layout)) }
    if try saysNone() { return nil }
    return try scan().map { Found(layout: $0.layout, trailer: $0.trailer) }
  }

  /// Returns the end of the parity; `nil` if it is damaged.
  func end() throws -> ParityEnd? {
    let fromEnd = UInt64(ParityEnd.byteCount + ParityBlock.trailerBytes)
    guard length >= fromEnd, let end = try read(length - fromEnd, ParityEnd.byteCount) else { return nil }
    return ParityEnd(end, length: length)
  }

  /// Returns blocks, in the order of their numbers; `nil` for one that is damaged.
  func blocks(_ numbers: [UInt64], _ layout: ParityLayout) throws -> [ParityBlock?] {
    let ranges = numbers.map { layout.byteRange(ofBlock: $0) }
    return zip(ranges, try read(ranges)).map { range, bytes in
      let block = bytes.flatMap { ParityBlock($0[...], at: range.lowerBound, of: object, length: length) }
      return block?.layout == layout ? block : nil
    }
  }

  /// Returns the stored bytes of several ranges, which are read together; `nil` for one that is lost.
  func read(_ ranges: [Range<UInt64>]) throws -> [[UInt8]?] {
    let isThere = ranges.map { $0.upperBound <= bytes.length }
    let buffers = ranges.map { Buffer(capacity: $0.count) }
    do {
      let parts = ranges.indices.filter { isThere[$0] }.map {
        ReadPart(at: ranges[$0].lowerBound, into: buffers[$0].bytes)
      }
      if !parts.isEmpty { try bytes.read(parts) }
      return ranges.indices.map { isThere[$0] ? Array(buffers[$0].bytes) : nil }
    } catch  where error.isDamage {
      return try ranges.map { try read($0.lowerBound, $0.count) }
    }
  }

  /// Returns stored bytes; `nil` if they are lost.
  func read(_ offset: UInt64, _ count: Int) throws -> [UInt8]? {
    guard offset <= bytes.length, UInt64(count) <= bytes.length - offset else { return nil }
    var block = [UInt8](repeating: 0, count: count)
    do {
      try block.withUnsafeMutableBytes { try bytes.read(into: $0, at: offset) }
      return block
    } catch  where error.isDamage {
      return nil
    }
  }

  private func trailer(from layout: ParityLayout) throws -> [UInt8]? {
    let step = (layout.blockCount - 1) / Self.askedBlocksMax + 1
    let asked = Array(stride(from: 0, to: layout.blockCount, by: Int(step)))
    for start in stride(from: 0, to: asked.count, by: Self.blocksAtOnce) {
      let numbers = Array(asked[start..<min(start + Self.blocksAtOnce, asked.count)])
      if let block = try blocks(numbers, layout).lazy.compactMap(\.self).first { return block.trailer }
    }
    return nil
  }

  /// True if the trailer is there, and the index ends where it begins. The header is no witness: its byte that tells of
  /// parity may be what is damaged.
  private func saysNone() throws -> Bool {
    let count = UInt64(ParityBlock.trailerBytes)
    guard length >= count, let trailer = try read(length - count, ParityBlock.trailerBytes) else { return false }
    let (indexOffset, recorded): (UInt64, UInt64) = (trailer.littleEndian(at: 0), trailer.littleEndian(at: 16))
    let (frames, entryBytes): (UInt32, UInt32) = (trailer.littleEndian(at: 8), trailer.littleEndian(at: 12))
    let indexBytes = UInt64(frames) * UInt64(entryBytes)
    let rest = length - count &- indexOffset
    return trailer.suffix(8).elementsEqual(ParityBlock.magic.prefix(8).reversed()) && recorded == length
      && (rest == indexBytes || rest == indexBytes &+ UInt64(SealingKey.tagByteCount))
  }

  // MARK: The search for a block

  private func scan() throws -> ParityBlock? {
    var end = min(bytes.length, length)
    let first = end - min(end, Self.searchedBytesMax)
    while end > first {
      let start = end - min(end - first, Self.chunkBytes)
      // A block may go on behind the chunk in which it begins.
      let chunk = try readable(start..<min(end + Self.blockBytesMax, bytes.length, length))
      if let block = block(in: chunk, from: start) { return block }
      end = start
    }
    return nil
  }

  /// Returns stored bytes, with zeros for pages that are lost.
  func readable(_ range: Range<UInt64>) throws -> [UInt8] {
    if let all = try read(range.lowerBound, Int(range.upperBound - range.lowerBound)) { return all }
    var chunk: [UInt8] = []
    for start in stride(from: range.lowerBound, to: range.upperBound, by: ParityCode.pageBytes) {
      let count = Int(min(range.upperBound - start, UInt64(ParityCode.pageBytes)))
      chunk += try read(start, count) ?? [UInt8](repeating: 0, count: count)
    }
    return chunk
  }

  private func block(in chunk: [UInt8], from offset: UInt64) -> ParityBlock? {
    let candidates = chunk.withUnsafeBytes { chunk -> [Int] in
      guard chunk.count >= ParityBlock.magic.count else { return [] }
      let word = ParityBlock.magic.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
      return (0...(chunk.count - ParityBlock.magic.count)).filter {
        chunk.loadUnaligned(fromByteOffset: $0, as: UInt64.self) == word
      }
    }
    return candidates.lazy.compactMap {
      ParityBlock(chunk[$0...], at: offset + UInt64($0), of: object, length: length)
    }.first
  }
}
