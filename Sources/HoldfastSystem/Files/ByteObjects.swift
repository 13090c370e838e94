/// Bytes that can be read at any offset and never change: an object of a store, or a file of our own.
package protocol ReadableBytes: Sendable {
  /// Number of bytes.
  var length: UInt64 { get }
  /// The name of the bytes in messages.
  var name: String { get }
  /// Fills all of `buffer` from `offset` on; throws when the bytes end before.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws
}

/// Takes bytes that are written once, in order.
package protocol ByteSink: AnyObject {
  func append(_ bytes: UnsafeRawBufferPointer) throws
}
