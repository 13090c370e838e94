/// Bytes in memory with the interfaces of a file: one owner appends them first, then they are only read.
package final class MemoryBytes: ByteSink, ReadableBytes, @unchecked Sendable {
  // That is why it is Sendable without a lock.
  private var bytes: [UInt8] = []
  package let name: String

  package init(_ bytes: [UInt8] = [], name: String = "memory") {
    self.bytes = bytes
    self.name = name
  }

  package var length: UInt64 { UInt64(bytes.count) }
  package var contents: [UInt8] { bytes }

  package func append(_ more: UnsafeRawBufferPointer) {
    bytes.append(contentsOf: more)
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    guard offset <= length, UInt64(buffer.count) <= length - offset else { throw SystemError.endOfFile(name) }
    bytes.withUnsafeBytes {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(offset)..<Int(offset) + buffer.count]))
    }
  }
}
