internal import HoldfastSystem

/// Bytes that are written once and then read from the beginning: in memory, and beyond some MiB in a scratch file.
final class SpooledBytes {
  private static let memoryBytesMax: UInt64 = 4 << 20
  private let space: ScratchSpace
  private var memory: MemoryBytes? = MemoryBytes()
  private var scratch: (any ScratchBytes)?
  private var isFinished = false

  init(_ space: ScratchSpace) {
    self.space = space
  }

  func append(_ bytes: [UInt8]) throws {
    guard !bytes.isEmpty else { return }
    if let memory, memory.length > Self.memoryBytesMax {
      let file = try space.make()
      try memory.contents.withUnsafeBytes { try file.append($0) }
      scratch = file
      self.memory = nil
    }
    try bytes.withUnsafeBytes { bytes in
      if let scratch { try scratch.append(bytes) } else { memory?.append(bytes) }
    }
  }

  /// Everything from the first byte on, as often as it is wanted; nothing may be appended any more.
  func finish() throws -> ByteCursor {
    if !isFinished { try scratch?.finish() }
    isFinished = true
    let bytes: any ReadableBytes = scratch ?? memory ?? MemoryBytes()
    return ByteCursor(RangeSupply(bytes, from: 0, to: bytes.length))
  }
}
