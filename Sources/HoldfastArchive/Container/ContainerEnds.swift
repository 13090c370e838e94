internal import HoldfastSystem

/// The beginning and the end of a container, which contain everything except frames. Both are read at once, in the size
/// that most containers need: each further read from a remote store takes another round trip.
struct ContainerEnds {
  /// Enough for a header and a preamble of six recipients.
  private static let headBytes: UInt64 = 8 << 10
  private static let tailBytes: UInt64 = 4 << 10
  /// An index has 56 bytes for each frame, and most frames have more than 64 KiB.
  private static let bytesPerIndexByte: UInt64 = 1024
  /// The limit, because the length of the container may be a lie.
  private static let tailBytesMax: UInt64 = 1 << 20

  private let bytes: any ReadableBytes
  private let head: [UInt8]
  private let tail: [UInt8]
  private let tailOffset: UInt64

  init(of bytes: any ReadableBytes) throws {
    self.bytes = bytes
    let length = bytes.length
    var head = [UInt8](repeating: 0, count: Int(min(length, Self.headBytes)))
    let expected = min(Self.tailBytes + length / Self.bytesPerIndexByte, Self.tailBytesMax)
    let tailCount = min(length - UInt64(head.count), expected)
    var tail = [UInt8](repeating: 0, count: Int(tailCount))
    let offset = length - tailCount
    try head.withUnsafeMutableBytes { head in
      try tail.withUnsafeMutableBytes { tail in
        try bytes.read([ReadPart(at: 0, into: head), ReadPart(at: offset, into: tail)])
      }
    }
    (self.head, self.tail, tailOffset) = (head, tail, offset)
  }

  /// Returns bytes of the container. Bytes that are in memory already need no request.
  /// - Parameter offset: `count` bytes from here must lie in the container.
  func read(at offset: UInt64, count: Int) throws -> [UInt8] {
    let end = offset + UInt64(count)
    if end <= UInt64(head.count) { return Array(head[Int(offset)..<Int(end)]) }
    if offset >= tailOffset { return Array(tail[Int(offset - tailOffset)..<Int(end - tailOffset)]) }
    var block = [UInt8](repeating: 0, count: count)
    try block.withUnsafeMutableBytes { try bytes.read(into: $0, at: offset) }
    return block
  }
}
