package import HoldfastCodec
package import HoldfastModel
internal import HoldfastSystem

/// The bytes of a frame as they will be stored. They are those of the `FrameMaker` that made them, valid until its next ones.
package struct FrameBytes {
  package let bytes: UnsafeRawBufferPointer
  package let plainCount: Int
  package let codec: FrameCodec
  package let sealNumber: UInt32
}

/// A frame as it will be stored.
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

  /// Digests frames, which takes less time together than one after the other.
  package static func digest(_ frames: [FrameBytes]) -> [StoredFrame] {
    zip(frames, Hasher.digests(frames.map(\.bytes))).map { StoredFrame($0, digest: $1) }
  }
}

/// Makes stored frames of plain ones, one after the other: compresses, seals, digests. Not for two threads at a time.
package final class FrameMaker {
  private let compressor: Compressor
  private let stored: Buffer

  /// - Parameter capacity: plain bytes of the largest frame.
  package init(_ compression: Compression, capacity: Int) throws {
    compressor = try Compressor(compression)
    stored = Buffer(capacity: capacity + SealingKey.tagByteCount)
  }

  /// - Parameter head: of the container that the frame is for.
  package func make(_ plain: UnsafeRawBufferPointer, for head: ContainerHead) throws -> StoredFrame {
    StoredFrame(try makeBytes(plain, for: head))
  }

  /// - Parameter head: of the container that the frame is for.
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

  /// Takes a frame over from another container: what its codec made is sealed anew, where that is done, and not made anew.
  /// - Parameters:
  ///   - compressed: what the codec made, proved against `frame`.
  ///   - head: of the container that the frame is for now.
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
