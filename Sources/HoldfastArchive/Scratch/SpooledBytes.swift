internal import HoldfastSystem

/// Scratch bytes in memory, and beyond some MiB in a scratch file: most states are small, and are read several times in
/// a run.
final class SpooledBytes: ScratchBytes, @unchecked Sendable {
  // Sendable without a lock, because one owner writes it first, and after that it is only read.
  private static let memoryBytesMax: UInt64 = 4 << 20
  private let space: ScratchSpace
  private var memory = MemoryBytes(name: "scratch file")
  private var file: (any ScratchBytes)?
  private var isFinished = false

  init(_ space: ScratchSpace) {
    self.space = space
  }

  private var bytes: any ReadableBytes { file ?? memory }
  var name: String { bytes.name }
  var length: UInt64 { bytes.length }

  func append(_ more: UnsafeRawBufferPointer) throws {
    if file == nil, memory.length + UInt64(more.count) > Self.memoryBytesMax { try moveToFile() }
    if let file { try file.append(more) } else { memory.append(more) }
  }

  /// Ends appending. A second call does no harm.
  func finish() throws {
    if !isFinished { try file?.finish() }
    isFinished = true
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try bytes.read(into: buffer, at: offset)
  }

  private func moveToFile() throws {
    let file = try space.makeFile()
    try memory.contents.withUnsafeBytes { try file.append($0) }
    memory = MemoryBytes()
    self.file = file
  }
}
