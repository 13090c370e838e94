package import HoldfastSystem
internal import Synchronization

/// A remote store that is read almost as fast as a local one. It fetches announced ranges ahead, neighbouring ranges
/// with one request, and makes several requests at once.
package struct ReadAheadStore: StoreLayer {
  /// The most bytes of neighbouring ranges that are read with one request. The limit lets several requests share an
  /// object.
  package static let requestBytes: UInt64 = 4 << 20
  package let base: any Store
  private let queue: FetchQueue

  /// - Parameter bytesMax: the most bytes that are held in memory, or are being fetched.
  package init(_ base: any Store, bytesMax: Int = 48 << 20) {
    self.base = base
    queue = FetchQueue(connections: base.connections, bytesMax: bytesMax)
  }

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    ReadAheadObject(try base.open(key, length: length), queue)
  }
}

/// An object whose announced ranges are fetched ahead.
private final class ReadAheadObject: ReadableBytes {
  private let base: any ReadableBytes
  private let queue: FetchQueue
  /// The blocks fetched ahead, in the order in which they will be read.
  private let blocks = Mutex<[FetchedBlock]>([])

  init(_ base: any ReadableBytes, _ queue: FetchQueue) { (self.base, self.queue) = (base, queue) }

  deinit { for block in blocks.withLock({ $0 }) { queue.withdraw(block) } }

  var length: UInt64 { base.length }
  var name: String { base.name }

  func expect(_ ranges: [Range<UInt64>]) {
    let sound = ranges.filter { $0.upperBound <= length }
    for joined in JoinedRange.joining(sound) {
      let wanted = joined.members.reduce(0) { $0 + sound[$1].count }
      let block = FetchedBlock(joined.range, of: base, wantedBytes: wanted)
      blocks.withLock { $0.append(block) }
      queue.add(block)
    }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    if let block = block(with: offset, buffer.count) {
      queue.need(block)
      if block.copy(into: buffer, at: offset) { return }
    }
    try base.read(into: buffer, at: offset)
  }

  /// Returns the block with these bytes. Forgets it if nothing more will be read from it.
  private func block(with offset: UInt64, _ count: Int) -> FetchedBlock? {
    blocks.withLock { blocks in
      guard let index = blocks.firstIndex(where: { $0.contains(offset, count) }) else { return nil }
      let block = blocks[index]
      if block.isLastUse(count) { blocks.remove(at: index) }
      return block
    }
  }

  func read(_ parts: [ReadPart]) throws {
    for part in parts {
      guard part.offset <= length, UInt64(part.buffer.count) <= length - part.offset else {
        throw StoreError.endOfObject(name)
      }
    }
    let joined = JoinedRange.joining(parts.map { $0.offset..<$0.offset + UInt64($0.buffer.count) })
    try SideBySide.run(joined.count, threads: queue.connections) { [self] index in
      try read(joined[index], for: parts)
    }
  }

  private func read(_ joined: JoinedRange, for parts: [ReadPart]) throws {
    if joined.members.count == 1 {
      let part = parts[joined.members[0]]
      return try read(into: part.buffer, at: part.offset)
    }
    let bytes = Buffer(capacity: joined.range.count)
    try read(into: bytes.bytes, at: joined.range.lowerBound)
    for part in joined.members.map({ parts[$0] }) {
      let start = Int(part.offset - joined.range.lowerBound)
      part.buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.bytes[start..<start + part.buffer.count]))
    }
  }
}
