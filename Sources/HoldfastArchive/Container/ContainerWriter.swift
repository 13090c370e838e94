package import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// Writes one archive or body: frames as they come, the index at the end.
package final class ContainerWriter {
  package let id: Identifier
  private let header: [UInt8]
  private let sink: any ByteSink
  private var frames: [FrameEntry?] = []
  /// Bytes written so far.
  package private(set) var length: UInt64 = 0

  package init(kind: ContainerKind, repository: Identifier, id: Identifier, sink: any ByteSink) throws {
    self.id = id
    self.sink = sink
    header = ContainerLayout.header(kind: kind, repository: repository, object: id)
    try write(header)
  }

  package var frameCount: Int { frames.count }

  /// The number of a frame whose bytes come later: pages that are gathered know their place before the frame is full.
  package func reserveFrame() -> UInt32 {
    frames.append(nil)
    return UInt32(frames.count - 1)
  }

  /// Writes the bytes of a reserved frame.
  /// - Parameter digest: SHA-256 of `stored`.
  package func write(
    frame number: UInt32, stored: UnsafeRawBufferPointer, plainCount: Int, codec: FrameCodec, digest: Digest
  ) throws {
    frames[Int(number)] = FrameEntry(
      offset: length, storedCount: UInt32(stored.count), plainCount: UInt32(plainCount), codec: codec, digest: digest)
    try sink.append(stored)
    length += UInt64(stored.count)
  }

  /// Writes index and trailer. Every reserved frame must have been written.
  package func finish() throws -> ObjectReference {
    let indexOffset = length
    var index: [UInt8] = []
    index.reserveCapacity(frames.count * ContainerLayout.indexEntryCount)
    for frame in frames {
      guard let frame else { preconditionFailure("a reserved frame was never written") }
      index += ContainerLayout.indexEntry(frame)
    }
    let trailer = ContainerLayout.trailer(
      indexOffset: indexOffset, frameCount: UInt32(frames.count),
      length: indexOffset + UInt64(index.count + ContainerLayout.trailerCount))
    var hasher = Hasher()
    hasher.update(header)
    hasher.update(index)
    hasher.update(trailer)
    try write(index)
    try write(trailer)
    return ObjectReference(id: id, length: length, digest: hasher.finish())
  }

  private func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try sink.append($0) }
    length += UInt64(bytes.count)
  }
}
