internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The page map of one file, in which the extent of any page is found. The digests of a large file take gigabytes, so
/// the map lies in scratch space, and a few blocks of it in memory. Only one thread may use it.
final class PageIndex {
  private static let blockBytes = 64 << 10
  private static let keptMax = 8

  /// Consecutive extents that lie together in scratch space.
  private struct Block {
    /// The first page of the first extent.
    let first: UInt64
    let offset: UInt64
    let count: Int
  }

  private let bytes: any ScratchBytes
  private let name: String
  private var blocks: [Block] = []
  /// The blocks that were used last, the newest at the end.
  private var kept: [(index: Int, extents: [PageExtent])] = []

  /// Reads the whole map. Pages of zeros are left out.
  init(_ file: SnapshotFile, _ space: ScratchSpace) throws {
    bytes = space.make()
    name = file.path.description
    var extents = file.extents
    var encoder = ExtentEncoder()
    while let extent = try extents.next() {
      encoder.append(extent)
      if encoder.bytes.count >= Self.blockBytes { try flush(&encoder) }
    }
    try flush(&encoder)
    try bytes.finish()
  }

  private func flush(_ encoder: inout ExtentEncoder) throws {
    guard let first = encoder.first else { return }
    // Scratch space does not tell its length before it is finished.
    let offset = blocks.last.map { $0.offset + UInt64($0.count) } ?? 0
    blocks.append(Block(first: first, offset: offset, count: encoder.bytes.count))
    try encoder.bytes.withUnsafeBytes { try bytes.append($0) }
    encoder = ExtentEncoder()
  }

  /// Returns the extents that lie together with that of a page, in order, and the index of the first of them that ends
  /// beyond the page. It may begin beyond it, or not exist: then the page is zero.
  func extents(around page: UInt64) throws -> (extents: [PageExtent], index: Int) {
    let after = blocks.partitioningIndex { $0.first > page }
    guard after > 0 else { return ([], 0) }
    let extents = try block(after - 1)
    return (extents, extents.partitioningIndex { $0.end > page })
  }

  /// Returns the first stored extent that ends beyond a page; `nil` if all pages from it on are zero.
  func extent(endingBeyond page: UInt64) throws -> PageExtent? {
    let (extents, index) = try extents(around: page)
    if index < extents.count { return extents[index] }
    let next = blocks.partitioningIndex { $0.first > page }
    return next < blocks.count ? try block(next).first : nil
  }

  private func block(_ index: Int) throws -> [PageExtent] {
    if let found = kept.lastIndex(where: { $0.index == index }) {
      if found < kept.count - 1 { kept.append(kept.remove(at: found)) }
      return kept[kept.count - 1].extents
    }
    let block = blocks[index]
    var stored = [UInt8](repeating: 0, count: block.count)
    try stored.withUnsafeMutableBytes { try bytes.read(into: $0, at: block.offset) }
    let extents = stored.withUnsafeBytes { ExtentEncoder.extents($0) }
    if kept.count == Self.keptMax { kept.removeFirst() }
    kept.append((index, extents))
    return extents
  }
}

/// Extents in scratch space: four numbers each, and the digests. Nobody else writes there, so nothing is checked.
private struct ExtentEncoder {
  private static let numbersCount = 4 * MemoryLayout<UInt64>.size
  private(set) var bytes: [UInt8] = []
  /// The first page of the first extent; `nil` as long as there is none.
  private(set) var first: UInt64?

  mutating func append(_ extent: PageExtent) {
    guard let location = extent.location else { return }
    first = first ?? extent.first
    for number in [
      extent.first, extent.count, location.archive, UInt64(location.frame) << 32 | UInt64(location.offset),
    ] {
      withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
    }
    bytes.append(contentsOf: extent.digests)
  }

  static func extents(_ bytes: UnsafeRawBufferPointer) -> [PageExtent] {
    var extents: [PageExtent] = []
    var position = 0
    func number(_ index: Int) -> UInt64 {
      bytes.loadUnaligned(fromByteOffset: position + index * MemoryLayout<UInt64>.size, as: UInt64.self)
    }
    while position < bytes.count {
      let count = number(1)
      let start = position + numbersCount
      let end = start + Int(count) * PageDigest.byteCount
      let location = PageLocation(
        archive: number(2), frame: UInt32(truncatingIfNeeded: number(3) >> 32),
        offset: UInt32(truncatingIfNeeded: number(3)))
      extents.append(
        PageExtent(first: number(0), count: count, location: location, digests: Array(bytes[start..<end])))
      position = end
    }
    return extents
  }
}

extension RandomAccessCollection where Index == Int {
  /// Returns the index of the first element for which `isBeyond` is true, which it is for all after it as well.
  fileprivate func partitioningIndex(where isBeyond: (Element) -> Bool) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = low + (high - low) / 2
      if isBeyond(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
