internal import HoldfastCodec
package import HoldfastSystem

/// Keeps data that is too large for memory during a run. The scratch files of a sealed repository are sealed too, under
/// keys that are never stored, so that none of the data lies on a disk in the clear.
package struct ScratchSpace: Sendable {
  private let host: Host
  private let isSealed: Bool

  package init(host: Host, isSealed: Bool) {
    self.host = host
    self.isSealed = isSealed
  }

  /// Returns scratch bytes that stay in memory as long as they are few.
  package func make() -> any ScratchBytes { SpooledBytes(self) }

  /// Returns scratch bytes in a file, for callers that will write many.
  func makeFile() throws -> any ScratchBytes {
    let file = try host.makeScratchFile()
    return isSealed ? SealedScratch(file) : file
  }
}

/// Bytes that one owner appends in order, and that are only read after `finish`.
package protocol ScratchBytes: ByteSink, ReadableBytes {
  func finish() throws
}

extension MemoryBytes: ScratchBytes {
  package func finish() {}
}

extension ScratchFile: ScratchBytes {
  package func finish() {}
}

private final class SealedScratch: ScratchBytes, @unchecked Sendable {
  // Sendable without a lock, because one owner writes it first, and after that it is only read.
  private static let context = Array("scratch".utf8)
  private let file: ScratchFile
  private let key = SealingKey()
  private let writer: SealedWriter
  private var reader: SealedReader?

  init(_ file: ScratchFile) {
    self.file = file
    writer = SealedWriter(to: file, key: key, context: Self.context)
  }

  var name: String { file.name }
  var length: UInt64 { reader?.length ?? 0 }

  func append(_ bytes: UnsafeRawBufferPointer) throws { try writer.append(bytes) }

  func finish() throws {
    try writer.finish()
    reader = try SealedReader(file, key: key, context: Self.context)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    guard let reader else { throw SystemError.endOfFile(name) }
    try reader.read(into: buffer, at: offset)
  }
}
