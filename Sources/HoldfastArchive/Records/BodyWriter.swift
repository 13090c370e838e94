package import HoldfastCodec
package import HoldfastModel

/// Writes the records of a body (format.md, section 6) and compresses them, frame by frame.
package final class BodyWriter {
  private let container: ContainerWriter
  private let frames: FrameMaker
  /// Makes frames without compression, for frames that would compress so well that a reader would take them for an
  /// attack. This is decided for each body, because a chain may have any number of them.
  private let storedFrames: FrameMaker
  private var plainBytes: UInt64 = 0
  private var storedBytes: UInt64 = 0
  private var encoder = ByteEncoder()
  private var path = Path.root
  private var recordCount: UInt64 = 0
  private var extentEnd: UInt64 = 0

  package init(_ container: ContainerWriter, compression: Compression) throws {
    self.container = container
    frames = try FrameMaker(compression, capacity: Limits.bodyFrameBytes)
    storedFrames = try FrameMaker(.none, capacity: Limits.bodyFrameBytes)
  }

  /// Adds an entry that is new or changed; the extents of a file follow.
  package func put(_ entry: Entry, inherits: Bool) throws {
    encoder.byte(1)
    reference(entry.path)
    encoder.state(of: entry)
    encoder.identity(of: entry)
    encoder.byte(inherits ? 1 : 0)
    extentEnd = 0
    try flushFull()
  }

  /// Adds the removal of an entry that exists in the parent.
  package func remove(_ path: Path) throws {
    encoder.byte(2)
    reference(path)
    try flushFull()
  }

  /// Adds the next extent of the file that was put last.
  package func append(_ extent: PageExtent) throws {
    // Such pages could never be found again.
    guard extent.location?.isKnown ?? true else {
      throw DamageError("the local cache", "it does not know where the pages of \(path) lie")
    }
    encoder.extent(extent, after: extentEnd)
    extentEnd = extent.end
    try flushFull()
  }

  /// Bytes of parity; 0 until the body is finished.
  package var parityBytes: UInt64 { container.parityBytes }

  package func finish() throws -> ObjectReference {
    encoder.byte(0)
    encoder.varint(recordCount)
    try flushFull()
    if !encoder.bytes.isEmpty { try flush(encoder.bytes.count) }
    return try container.finish()
  }

  private func reference(_ next: Path) {
    encoder.path(next, after: path)
    path = next
    recordCount += 1
  }

  private func flushFull() throws {
    while encoder.bytes.count >= Limits.bodyFrameBytes { try flush(Limits.bodyFrameBytes) }
  }

  private func flush(_ count: Int) throws {
    try encoder.bytes.withUnsafeBytes { bytes in
      let plain = UnsafeRawBufferPointer(rebasing: bytes[..<count])
      plainBytes += UInt64(count)
      var frame = try frames.make(plain, for: container.head)
      let stored = storedBytes + UInt64(frame.frame.bytes.count)
      if plainBytes > stored * Limits.bodyRatioMax { frame = try storedFrames.make(plain, for: container.head) }
      storedBytes += UInt64(frame.frame.bytes.count)
      try container.write(frame: container.reserveFrame(), frame)
    }
    encoder.bytes.removeFirst(count)
  }
}
