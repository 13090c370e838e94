/// Bytes that can be read at any offset and never change: an object of a store, or a file of our own.
package protocol ReadableBytes: Sendable {
  /// Number of bytes.
  var length: UInt64 { get }
  /// The name of the bytes in messages.
  var name: String { get }
  /// Fills all of `buffer` from `offset` on; throws when the bytes end before.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws
  /// Fills several buffers. For a remote object, neighbouring ranges are read with one request, and others at the same
  /// time.
  func read(_ parts: [ReadPart]) throws
  /// Announces what will be read soon, in this order, so that it can be fetched ahead. It affects only speed.
  func expect(_ ranges: [Range<UInt64>])
}

extension ReadableBytes {
  /// Objects without latency are read one range after the other.
  package func read(_ parts: [ReadPart]) throws {
    for part in parts { try read(into: part.buffer, at: part.offset) }
  }

  package func expect(_ ranges: [Range<UInt64>]) {}
}

/// A buffer to fill, with the offset of its bytes in the object. It is used for one read.
package struct ReadPart: @unchecked Sendable {
  // Sendable without a lock: one thread fills the buffer, and its owner waits until that has happened.
  package let offset: UInt64
  package let buffer: UnsafeMutableRawBufferPointer

  package init(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    self.offset = offset
    self.buffer = buffer
  }
}

/// Takes bytes that are written once, in order.
package protocol ByteSink: AnyObject {
  func append(_ bytes: UnsafeRawBufferPointer) throws
}
