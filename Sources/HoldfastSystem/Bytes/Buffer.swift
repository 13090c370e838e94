/// A fixed block of memory that is filled and emptied many times, aligned for vector instructions.
package final class Buffer: @unchecked Sendable {
  // Sendable without a lock: a buffer belongs to one job, and a job to one thread at a time.
  package let bytes: UnsafeMutableRawBufferPointer
  /// The number of bytes in use.
  package var count = 0

  package init(capacity: Int) {
    bytes = .allocate(byteCount: capacity, alignment: 64)
  }

  deinit {
    bytes.deallocate()
  }

  package var capacity: Int { bytes.count }
  package var used: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[..<count]) }
  package var free: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: bytes[count...]) }

  package func append(_ source: UnsafeRawBufferPointer) {
    free.copyMemory(from: source)
    count += source.count
  }
}
