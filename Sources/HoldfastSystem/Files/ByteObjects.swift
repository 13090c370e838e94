/// Bytes that can be read at any place and never change: an object of a store, a file of our own.
package protocol ReadableBytes: Sendable {
  /// Bytes in all.
  var length: UInt64 { get }
  /// What it is, for messages.
  var name: String { get }
  /// Fills all of `buffer` from `offset` on; throws where the bytes end before.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws
}

/// A place to which bytes are written once, in order.
package protocol ByteSink: AnyObject {
  func append(_ bytes: UnsafeRawBufferPointer) throws
}
