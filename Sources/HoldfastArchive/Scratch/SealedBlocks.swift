package import HoldfastCodec
internal import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// Seals a private file of this machine block by block, so that it can be read at any offset. The number of a block,
/// the fact that it is or is not the last, and the context of the file are authenticated with it: no block can be
/// moved, removed or replaced.
private struct BlockSeal {
  static let plainCount = 64 << 10
  static let storedCount = plainCount + SealingKey.tagByteCount
  let key: SealingKey
  let context: [UInt8]

  func associated(isLast: Bool) -> [UInt8] { context + [isLast ? 1 : 0] }
}

/// Seals what is appended, and passes it to another sink.
package final class SealedWriter: ByteSink {
  private let sink: any ByteSink
  private let seal: BlockSeal
  private var block: [UInt8] = []
  private var number: UInt32 = 0

  /// - Parameters:
  ///   - key: used for this file only.
  ///   - context: identifies the file and its owner.
  package init(to sink: any ByteSink, key: SealingKey, context: [UInt8]) {
    self.sink = sink
    seal = BlockSeal(key: key, context: context)
    block.reserveCapacity(BlockSeal.plainCount)
  }

  package func append(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      // A full block is held back, because it may be the last.
      if block.count == BlockSeal.plainCount { try flush(isLast: false) }
      let taken = min(rest.count, BlockSeal.plainCount - block.count)
      block.append(contentsOf: rest.prefix(taken))
      rest = rest.dropFirst(taken)
    }
  }

  /// Ends the file. Nothing more may be appended.
  package func finish() throws { try flush(isLast: true) }

  private func flush(isLast: Bool) throws {
    let sealed = try seal.key.seal(block, number: number, associated: seal.associated(isLast: isLast))
    try sealed.withUnsafeBytes { try sink.append($0) }
    number += 1
    block.removeAll(keepingCapacity: true)
  }
}

/// Reads what a `SealedWriter` wrote, at any offset.
package final class SealedReader: ReadableBytes {
  private static let keptMax = 4
  private let bytes: any ReadableBytes
  private let seal: BlockSeal
  private let blockCount: UInt64
  package let length: UInt64
  package var name: String { bytes.name }
  /// The blocks that were opened last.
  private let kept = Mutex<[(number: UInt64, plain: [UInt8])]>([])

  /// - Throws: `DamageError` when the last block was not sealed as the last one: the file was cut.
  package init(_ bytes: any ReadableBytes, key: SealingKey, context: [UInt8]) throws {
    self.bytes = bytes
    seal = BlockSeal(key: key, context: context)
    let stored = UInt64(BlockSeal.storedCount)
    blockCount = (bytes.length + stored - 1) / stored
    let tags = blockCount * UInt64(SealingKey.tagByteCount)
    guard blockCount >= 1, blockCount < UInt32.max, bytes.length >= tags,
      bytes.length - (blockCount - 1) * stored >= UInt64(SealingKey.tagByteCount)
    else { throw DamageError(bytes.name, "it is no whole number of sealed blocks") }
    length = bytes.length - tags
    // A reader of only the blocks before it would not notice.
    _ = try block(blockCount - 1)
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    guard offset <= length, UInt64(buffer.count) <= length - offset else { throw SystemError.endOfFile(name) }
    var done = 0
    while done < buffer.count {
      let position = offset + UInt64(done)
      let plain = try block(position / UInt64(BlockSeal.plainCount))
      let start = Int(position % UInt64(BlockSeal.plainCount))
      let count = min(buffer.count - done, plain.count - start)
      plain.withUnsafeBytes {
        UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
      }
      done += count
    }
  }

  private func block(_ number: UInt64) throws -> [UInt8] {
    try kept.withLock { kept in
      if let found = kept.first(where: { $0.number == number }) { return found.plain }
      let offset = number * UInt64(BlockSeal.storedCount)
      var stored = [UInt8](repeating: 0, count: Int(min(UInt64(BlockSeal.storedCount), bytes.length - offset)))
      try stored.withUnsafeMutableBytes { try bytes.read(into: $0, at: offset) }
      let associated = seal.associated(isLast: number == blockCount - 1)
      guard let plain = seal.key.open(stored, number: UInt32(number), associated: associated) else {
        throw DamageError(name, "a block of it cannot be opened")
      }
      if kept.count >= Self.keptMax { kept.removeFirst() }
      kept.append((number, plain))
      return plain
    }
  }
}
