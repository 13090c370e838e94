/// Bytes that can be read at any offset and never change: an object of a store, or a file of our own.
package protocol ReadableBytes: Sendable {
  /// Number of bytes.
  var length: UInt64 { get }
  /// The name of the bytes in messages.
  var name: String { get }
  /// Fills all of `buffer` from `offset` on; throws when the bytes end before.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws
  /// Fills several buffers. Where bytes come from afar, neighbouring ones come together, and others side by side.
  func read(_ parts: [ReadPart]) throws
  /// Says what will be read soon, in this order, so that it can be fetched ahead. Nothing follows from it but speed.
  func expect(_ ranges: [Range<UInt64>])
}

extension ReadableBytes {
  /// Where reading takes no time on the way, one after the other.
  package func read(_ parts: [ReadPart]) throws {
    for part in parts { try read(into: part.buffer, at: part.offset) }
  }

  package func expect(_ ranges: [Range<UInt64>]) {}
}

/// A buffer to fill, and where its bytes begin. It belongs to one read.
package struct ReadPart: @unchecked Sendable {
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
