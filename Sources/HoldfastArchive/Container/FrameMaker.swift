package import HoldfastCodec
package import HoldfastModel
internal import HoldfastSystem

/// The bytes of a frame as they will be stored. They belong to the `FrameMaker` that made them, and are valid until it
/// makes the next.
package struct FrameBytes {
  package let bytes: UnsafeRawBufferPointer
  package let plainCount: Int
  package let codec: FrameCodec
  package let sealNumber: UInt32

  package init(bytes: UnsafeRawBufferPointer, plainCount: Int, codec: FrameCodec, sealNumber: UInt32) {
    (self.bytes, self.plainCount, self.codec, self.sealNumber) = (bytes, plainCount, codec, sealNumber)
  }
}

/// A frame as it will be stored, with its digest.
package struct StoredFrame {
  package let frame: FrameBytes
  /// SHA-256 of the stored bytes.
  package let digest: Digest

  init(_ frame: FrameBytes, digest: Digest) {
    (self.frame, self.digest) = (frame, digest)
  }

  package init(_ frame: FrameBytes) {
    self.init(frame, digest: Hasher.digest(frame.bytes))
  }

  /// Computes the digests of frames, which is faster together than one after the other.
  package static func digest(_ frames: [FrameBytes]) -> [StoredFrame] {
    zip(frames, Hasher.digests(frames.map(\.bytes))).map { StoredFrame($0, digest: $1) }
  }
}

/// Makes stored frames of plain ones: compresses, seals and digests them. For one thread at a time.
package final class FrameMaker {
  private let compressor: Compressor
  private let stored: Buffer

  /// - Parameter capacity: plain bytes of the largest frame.
  package init(_ compression: Compression, capacity: Int) throws {
    compressor = try Compressor(compression)
    stored = Buffer(capacity: capacity + SealingKey.tagByteCount)
  }

  /// - Parameter head: the head of the container that the frame is for.
  package func make(_ plain: UnsafeRawBufferPointer, for head: ContainerHead) throws -> StoredFrame {
    StoredFrame(try makeBytes(plain, for: head))
  }

  /// - Parameter head: the head of the container that the frame is for.
  package func makeBytes(_ plain: UnsafeRawBufferPointer, for head: ContainerHead) throws -> FrameBytes {
    let (codec, compressedCount) = try compressor.compress(plain, into: stored.bytes)
    stored.count = compressedCount
    let number = try head.takeNumber()
    if let key = head.key {
      let part = SealedPart.frame(plainCount: UInt32(plain.count), codec: codec)
      stored.count = try key.seal(
        stored.used, number: number, associated: part.associated(head.header), into: stored.bytes)
    }
    return FrameBytes(bytes: stored.used, plainCount: plain.count, codec: codec, sealNumber: number)
  }

  /// Moves a frame from another container without compressing it again. In a sealed container it is sealed anew.
  /// - Parameters:
  ///   - compressed: the compressed bytes, checked against `frame`.
  ///   - head: the head of the container that the frame moves to.
  package func carry(
    _ compressed: UnsafeRawBufferPointer, of frame: FrameEntry, for head: ContainerHead
  ) throws -> StoredFrame {
    let number = try head.takeNumber()
    guard let key = head.key else {
      return StoredFrame(
        FrameBytes(bytes: compressed, plainCount: Int(frame.plainCount), codec: frame.codec, sealNumber: number),
        digest: frame.digest)
    }
    let part = SealedPart.frame(plainCount: frame.plainCount, codec: frame.codec)
    stored.count = try key.seal(
      compressed, number: number, associated: part.associated(head.header), into: stored.bytes)
    return StoredFrame(
      FrameBytes(bytes: stored.used, plainCount: Int(frame.plainCount), codec: frame.codec, sealNumber: number))
  }
}
