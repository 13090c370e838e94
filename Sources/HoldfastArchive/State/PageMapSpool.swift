package import HoldfastModel
internal import HoldfastSystem

/// Runs that are kept until the file they belong to is whole: in memory, and beyond some MiB in a scratch file.
package final class PageMapSpool {
  private static let memoryBytesMax: UInt64 = 4 << 20
  private static let blockBytes = 64 << 10
  private let space: ScratchSpace
  private var memory: MemoryBytes? = MemoryBytes()
  private var scratch: (any ScratchBytes)?
  private var block = ByteEncoder()
  private var end: UInt64 = 0
  private var isFinished = false

  package init(_ space: ScratchSpace) {
    self.space = space
  }

  package func append(_ run: PageRun) throws {
    block.run(run, after: end)
    end = run.end
    if block.bytes.count >= Self.blockBytes { try flush() }
  }

  /// The runs from the first on; nothing may be appended any more.
  package func runs(of file: FileContent) throws -> any PageMapReader {
    if !isFinished {
      try flush()
      try scratch?.finish()
      isFinished = true
    }
    let bytes: any ReadableBytes = scratch ?? memory ?? MemoryBytes()
    return Runs(cursor: ByteCursor(RangeSupply(bytes, from: 0, to: bytes.length)), file: file)
  }

  private func flush() throws {
    if let memory, memory.length > Self.memoryBytesMax {
      let file = try space.make()
      try memory.contents.withUnsafeBytes { try file.append($0) }
      scratch = file
      self.memory = nil
    }
    try block.bytes.withUnsafeBytes { bytes in
      if let scratch { try scratch.append(bytes) } else { memory?.append(bytes) }
    }
    block.bytes.removeAll(keepingCapacity: true)
  }

  private struct Runs: PageMapReader {
    let cursor: ByteCursor
    let file: FileContent
    var end: UInt64 = 0

    mutating func next() throws -> PageRun? {
      guard try !cursor.isAtEnd() else { return nil }
      let run = try cursor.run(record: try cursor.byte(), after: end, file: file)
      end = run.end
      return run
    }
  }
}
