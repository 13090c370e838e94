internal import HoldfastCodec
internal import HoldfastModel
package import HoldfastSystem

/// Writes an archive or body: frames as they come, then the index, and then the parity if there is any.
package final class ContainerWriter {
  package let head: ContainerHead
  private let sink: any ByteSink
  private let parity: ParitySection?
  private var frames: [FrameEntry?] = []
  /// Bytes written so far.
  package private(set) var length: UInt64 = 0
  /// The bytes of parity; 0 until the container is finished.
  package private(set) var parityBytes: UInt64 = 0

  /// - Parameter scratch: the space in which parity waits for the end of the container; `nil` for memory.
  package init(_ head: ContainerHead, sink: any ByteSink, scratch: ScratchSpace? = nil) throws {
    self.head = head
    self.sink = sink
    parity = try head.parity.map { try ParitySection($0, in: scratch?.make() ?? MemoryBytes()) }
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
    try write(made.bytes)
  }

  /// Writes everything behind the frames. Every reserved frame must have been written.
  package func finish() throws -> ObjectReference {
    let indexOffset = length
    var index: [UInt8] = []
    index.reserveCapacity(frames.count * ContainerLayout.indexEntryCount)
    for frame in frames {
      guard let frame else { preconditionFailure("a reserved frame was never written") }
      index += ContainerLayout.indexEntry(frame)
    }
    let sealCount = head.key == nil ? 0 : SealingKey.tagByteCount
    let behind = index.count + sealCount
    let layout = try parity?.layout(adding: behind)
    let trailer = ContainerLayout.trailer(
      indexOffset: indexOffset, frameCount: UInt32(frames.count),
      length: layout?.objectBytes ?? indexOffset + UInt64(behind + ContainerLayout.trailerCount))
    var hasher = Hasher()
    for part in [head.header, head.preamble, index, trailer] { hasher.update(part) }
    let seal = try head.seal(over: hasher.snapshot())
    hasher.update(seal)
    for part in [index, seal] { try write(part) }
    if let parity { hasher.update(try finish(parity, trailer)) }
    try trailer.withUnsafeBytes { try append($0) }
    return ObjectReference(id: head.name.id, length: length, digest: hasher.finish())
  }

  /// Writes the parity.
  /// - Returns: its end, which covers all of it.
  private func finish(_ parity: ParitySection, _ trailer: [UInt8]) throws -> [UInt8] {
    let coreBytes = length
    let end = try parity.finish(of: head.name.id, trailer: trailer) { try append($0) }.bytes
    try end.withUnsafeBytes { try append($0) }
    parityBytes = length - coreBytes
    return end
  }

  /// Writes bytes of the core, which parity protects.
  private func write(_ bytes: UnsafeRawBufferPointer) throws {
    try append(bytes)
    try parity?.append(bytes)
  }

  private func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

  private func append(_ bytes: UnsafeRawBufferPointer) throws {
    try sink.append(bytes)
    length += UInt64(bytes.count)
  }
}
