package import HoldfastCodec
package import HoldfastModel

/// The contents of a container (format.md, section 4).
package enum ContainerKind: UInt8, Sendable {
  case archive = 1
  case body = 2
  /// A file of PostgreSQL's write-ahead log.
  case wal = 3
}

/// A reference to an object, as an envelope contains it: its length, and the digest that covers all of its bytes.
package struct ObjectReference: Hashable, Sendable, Codable {
  package var id: Identifier
  /// In bytes.
  package var length: UInt64
  /// The digest over header, preamble, index, trailer, seal and the end of the parity. The index contains the digests
  /// of the frames, and that end the one of the blocks.
  package var digest: Digest

  package init(id: Identifier, length: UInt64, digest: Digest) {
    self.id = id
    self.length = length
    self.digest = digest
  }
}

/// One frame's entry in the index.
package struct FrameEntry: Hashable, Sendable {
  /// Bytes from the start of the object.
  package var offset: UInt64
  package var storedCount: UInt32
  package var plainCount: UInt32
  package var codec: FrameCodec
  /// The number under which the frame was sealed; 0 without sealing.
  package var sealNumber: UInt32
  /// SHA-256 of the stored bytes.
  package var digest: Digest

  package var end: UInt64 { offset + UInt64(storedCount) }
}

/// The fixed parts of a container, byte by byte.
enum ContainerLayout {
  static let headerCount = 64
  static let trailerCount = 32
  static let indexEntryCount = 56
  static let formatVersion: UInt16 = 1
  static let headerMagic = Array("HOLDFAST".utf8)
  static let trailerMagic = Array("TSAFDLOH".utf8)

  static func header(
    kind: ContainerKind, repository: Identifier, object: Identifier, isSealed: Bool, preambleCount: Int,
    hasParity: Bool
  ) -> [UInt8] {
    var bytes = headerMagic
    bytes.appendLittleEndian(formatVersion)
    bytes.append(kind.rawValue)
    bytes.append(isSealed ? 1 : 0)
    bytes.appendLittleEndian(UInt32(preambleCount))
    bytes += repository.bytes
    bytes += object.bytes
    bytes.append(hasParity ? 1 : 0)
    bytes += [UInt8](repeating: 0, count: 15)
    return bytes
  }

  static func indexEntry(_ frame: FrameEntry) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(indexEntryCount)
    bytes.appendLittleEndian(frame.offset)
    bytes.appendLittleEndian(frame.storedCount)
    bytes.appendLittleEndian(frame.plainCount)
    bytes.append(frame.codec.rawValue)
    bytes += [UInt8](repeating: 0, count: 3)
    bytes.appendLittleEndian(frame.sealNumber)
    bytes += frame.digest.bytes
    return bytes
  }

  /// The fields of an index entry except the digest. Reading them allocates nothing, because an index may have a
  /// million entries.
  struct FrameFields {
    let offset: UInt64
    let storedCount: UInt32
    let plainCount: UInt32
    let codec: FrameCodec
    let sealNumber: UInt32
  }

  /// - Parameter bytes: at least 56.
  /// - Returns: `nil` when a field is out of bounds.
  static func fields(_ bytes: UnsafeRawBufferPointer) -> FrameFields? {
    func number<Value: FixedWidthInteger>(_ offset: Int) -> Value {
      Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
    let (storedCount, plainCount): (UInt32, UInt32) = (number(8), number(12))
    guard let codec = FrameCodec(rawValue: bytes[16]), bytes[17] == 0, bytes[18] == 0, bytes[19] == 0,
      storedCount >= 1, storedCount <= UInt32(Limits.frameStoredBytesMax), plainCount >= 1,
      plainCount <= UInt32(Limits.framePlainBytesMax)
    else { return nil }
    return FrameFields(
      offset: number(0), storedCount: storedCount, plainCount: plainCount, codec: codec, sealNumber: number(20))
  }

  /// `nil` when a field is out of bounds.
  static func frameEntry(_ bytes: ArraySlice<UInt8>) -> FrameEntry? {
    guard bytes.count >= indexEntryCount, let frame = bytes.withUnsafeBytes({ fields($0) }),
      let digest = Digest(bytes: bytes[bytes.startIndex + 24..<bytes.startIndex + indexEntryCount])
    else { return nil }
    return FrameEntry(
      offset: frame.offset, storedCount: frame.storedCount, plainCount: frame.plainCount, codec: frame.codec,
      sealNumber: frame.sealNumber, digest: digest)
  }

  static func trailer(indexOffset: UInt64, frameCount: UInt32, length: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(indexOffset)
    bytes.appendLittleEndian(frameCount)
    bytes.appendLittleEndian(UInt32(indexEntryCount))
    bytes.appendLittleEndian(length)
    bytes += trailerMagic
    return bytes
  }
}

extension [UInt8] {
  mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}

extension Collection where Element == UInt8, Index == Int {
  /// Returns the number at `index`. The caller must have checked that all of its bytes are there.
  func littleEndian<Value: FixedWidthInteger & UnsignedInteger>(at index: Int) -> Value {
    var value: Value = 0
    for position in (0..<MemoryLayout<Value>.size).reversed() { value = value << 8 | Value(self[index + position]) }
    return value
  }
}
