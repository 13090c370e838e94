package import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// Reads the frames of one archive or body. Nothing in it is believed before the envelope's digest has vouched for it.
package final class ContainerReader: Sendable {
  package let frames: [FrameEntry]
  private let bytes: any ReadableBytes

  package var name: String { bytes.name }

  /// Reads header, index and trailer, and checks them against `reference`.
  /// - Throws: `DamageError` when the object is not what the envelope says.
  package init(
    _ bytes: any ReadableBytes, kind: ContainerKind, repository: Identifier, reference: ObjectReference
  ) throws {
    self.bytes = bytes
    let minimum = UInt64(ContainerLayout.headerCount + ContainerLayout.trailerCount)
    guard bytes.length == reference.length, bytes.length >= minimum else {
      throw DamageError(bytes.name, "it has \(bytes.length) bytes instead of \(reference.length)")
    }
    let header = try Self.read(bytes, at: 0, count: ContainerLayout.headerCount)
    let trailer = try Self.read(
      bytes, at: bytes.length - UInt64(ContainerLayout.trailerCount), count: ContainerLayout.trailerCount)
    let indexOffset: UInt64 = trailer.littleEndian(at: 0)
    let frameCount: UInt32 = trailer.littleEndian(at: 8)
    let indexCount = Int(frameCount) * ContainerLayout.indexEntryCount
    guard frameCount <= Limits.framesPerContainerMax,
      indexOffset == bytes.length - UInt64(ContainerLayout.trailerCount) &- UInt64(indexCount),
      indexOffset >= UInt64(ContainerLayout.headerCount), indexOffset < bytes.length
    else { throw DamageError(bytes.name, "its trailer is not sound") }
    let index = try Self.read(bytes, at: indexOffset, count: indexCount)
    var hasher = Hasher()
    hasher.update(header)
    hasher.update(index)
    hasher.update(trailer)
    guard hasher.finish() == reference.digest else {
      throw DamageError(bytes.name, "its index does not have the digest that the manifest records")
    }
    guard header == ContainerLayout.header(kind: kind, repository: repository, object: reference.id),
      trailer == ContainerLayout.trailer(indexOffset: indexOffset, frameCount: frameCount, length: bytes.length)
    else { throw DamageError(bytes.name, "its header belongs to another object") }
    frames = try Self.parse(index, name: bytes.name)
    try checkTiling(from: UInt64(ContainerLayout.headerCount), to: indexOffset)
  }

  /// Reads one frame and decompresses it into `plain`, whose `count` is set.
  /// - Parameters:
  ///   - stored: room for the stored bytes.
  ///   - proving: whether the stored bytes are checked against the index. Pages carry digests of their own, so a restore need not.
  ///   - prefixCount: how many plain bytes from the beginning are needed. Default: all; the rest of `plain` is undefined.
  package func readFrame(
    _ number: UInt32, stored: Buffer, plain: Buffer, decompressor: Decompressor, proving: Bool, prefixCount: Int? = nil
  ) throws {
    guard number < frames.count else { throw DamageError(name, "it has no frame \(number)") }
    let frame = frames[Int(number)]
    stored.count = Int(frame.storedCount)
    plain.count = Int(frame.plainCount)
    try bytes.read(into: UnsafeMutableRawBufferPointer(rebasing: stored.bytes[..<stored.count]), at: frame.offset)
    if proving {
      guard Hasher.digest(stored.used) == frame.digest else {
        throw DamageError(name, "frame \(number) does not have its digest")
      }
    }
    do {
      try decompressor.decompress(
        stored.used, codec: frame.codec, into: UnsafeMutableRawBufferPointer(rebasing: plain.bytes[..<plain.count]),
        prefixCount: prefixCount)
    } catch {
      throw DamageError(name, "frame \(number): \(error.message)")
    }
  }

  private static func parse(_ index: [UInt8], name: String) throws -> [FrameEntry] {
    try stride(from: 0, to: index.count, by: ContainerLayout.indexEntryCount).map { start in
      guard let frame = ContainerLayout.frameEntry(index[start..<start + ContainerLayout.indexEntryCount]) else {
        throw DamageError(name, "an entry of its index is not sound")
      }
      return frame
    }
  }

  /// The frames fill the space between preamble and index without gap or overlap: so no byte is unaccounted for.
  private func checkTiling(from start: UInt64, to end: UInt64) throws {
    var position = start
    for frame in frames.sorted(by: { $0.offset < $1.offset }) {
      guard frame.offset == position else { throw DamageError(name, "its frames overlap or leave gaps") }
      position = frame.end
    }
    guard position == end else { throw DamageError(name, "its frames overlap or leave gaps") }
  }

  private static func read(_ bytes: any ReadableBytes, at offset: UInt64, count: Int) throws -> [UInt8] {
    var block = [UInt8](repeating: 0, count: count)
    try block.withUnsafeMutableBytes { try bytes.read(into: $0, at: offset) }
    return block
  }
}
