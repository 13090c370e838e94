internal import HoldfastCodec
internal import HoldfastModel
package import HoldfastSystem

/// Writes an archive or body: frames as they come, then the index.
package final class ContainerWriter {
  package let head: ContainerHead
  private let sink: any ByteSink
  private var frames: [FrameEntry?] = []
  /// Bytes written so far.
  package private(set) var length: UInt64 = 0

  package init(_ head: ContainerHead, sink: any ByteSink) throws {
    self.head = head
    self.sink = sink
    try write(head.header)
    try write(head.preamble)
  }

  package var frameCount: Int { frames.count }

  /// Reserves the number of a frame that is written later. Extents need it before the frame is full, because they name
  /// the frame in which their pages are gathered.
  package func reserveFrame() -> UInt32 {
    frames.append(nil)
    return UInt32(frames.count - 1)
  }

  /// Writes the bytes of a reserved frame. They must have been made for the head of this container.
  package func write(frame number: UInt32, _ stored: StoredFrame) throws {
    let made = stored.frame
    frames[Int(number)] = FrameEntry(
      offset: length, storedCount: UInt32(made.bytes.count), plainCount: UInt32(made.plainCount), codec: made.codec,
      sealNumber: made.sealNumber, digest: stored.digest)
    try sink.append(made.bytes)
    length += UInt64(made.bytes.count)
  }

  /// Writes index, seal and trailer. Every reserved frame must have been written.
  package func finish() throws -> ObjectReference {
    let indexOffset = length
    var index: [UInt8] = []
    index.reserveCapacity(frames.count * ContainerLayout.indexEntryCount)
    for frame in frames {
      guard let frame else { preconditionFailure("a reserved frame was never written") }
      index += ContainerLayout.indexEntry(frame)
    }
    let sealCount = head.key == nil ? 0 : SealingKey.tagByteCount
    let trailer = ContainerLayout.trailer(
      indexOffset: indexOffset, frameCount: UInt32(frames.count),
      length: indexOffset + UInt64(index.count + sealCount + ContainerLayout.trailerCount))
    var hasher = Hasher()
    for part in [head.header, head.preamble, index, trailer] { hasher.update(part) }
    let seal = try head.seal(over: hasher.snapshot())
    hasher.update(seal)
    for part in [index, seal, trailer] { try write(part) }
    return ObjectReference(id: head.name.id, length: length, digest: hasher.finish())
  }

  private func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try sink.append($0) }
    length += UInt64(bytes.count)
  }
}
