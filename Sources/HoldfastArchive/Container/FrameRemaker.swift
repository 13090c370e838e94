internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// Makes the stored bytes of a frame again from its plain bytes, byte for byte as the index of its container has them.
/// The index says the codec and not the level, so all levels are tried; the digest in the index decides. What is not
/// stored plain was compressed, however little that saved: an earlier version may have stored it. For one thread at a
/// time.
package final class FrameRemaker {
  private var compressors: [Compression: Compressor] = [:]
  /// The compression that was right last: most frames of an archive have the same.
  private var last: Compression?
  private let stored = Buffer(capacity: Limits.framePlainBytesMax + SealingKey.tagByteCount)

  package init() {}

  /// - Returns: the stored bytes, which are valid until the next call; `nil` if no compression of this version gives
  ///   them from these plain bytes, or if the container is sealed and was not opened.
  package func remake(
    _ plain: UnsafeRawBufferPointer, as number: UInt32, of container: ContainerReader
  ) throws -> UnsafeRawBufferPointer? {
    guard number < container.frames.count, !container.isClosed else { return nil }
    let entry = container.frames[Int(number)]
    guard plain.count == Int(entry.plainCount), plain.count <= Limits.framePlainBytesMax else { return nil }
    let all = Compression.all(of: entry.codec)
    for compression in all.filter({ $0 == last }) + all.filter({ $0 != last }) {
      guard try make(plain, by: compression, entry, container) else { continue }
      last = compression
      return stored.used
    }
    return nil
  }

  /// Returns true if `stored` has the bytes of the frame. Bytes of another length are not sealed: the key of a
  /// container seals no other bytes under the number of a frame, and what does not have the digest goes nowhere.
  private func make(
    _ plain: UnsafeRawBufferPointer, by compression: Compression, _ entry: FrameEntry, _ container: ContainerReader
  ) throws -> Bool {
    let compressor = try compressors[compression] ?? Compressor(compression, savesLittle: true)
    compressors[compression] = compressor
    let (codec, count) = try compressor.compress(plain, into: stored.bytes)
    stored.count = count
    let tagCount = container.key == nil ? 0 : SealingKey.tagByteCount
    guard codec == entry.codec, count + tagCount == Int(entry.storedCount) else { return false }
    if let key = container.key {
      let part = SealedPart.frame(plainCount: entry.plainCount, codec: codec)
      stored.count = try key.seal(
        stored.used, number: entry.sealNumber, associated: part.associated(container.header), into: stored.bytes)
    }
    return Hasher.digest(stored.used) == entry.digest
  }
}
