internal import HoldfastCodec
internal import HoldfastModel

/// One block of parity. It says of which container it is and how that is laid out, so that any block that is left shows
/// where the others are.
struct ParityBlock: Sendable {
  static let magic = Array("HOLDFAST\u{1}PARITY\n".utf8)
  /// The last bytes of a container. Each block has a copy of them.
  static let trailerBytes = 32
  private static let headBytes = 80
  /// The bytes of a block beside the checksums of pages and the parity.
  static let fixedBytes = headBytes + 4

  let layout: ParityLayout
  /// The number of the block in its container.
  let number: UInt64
  let object: Identifier
  let trailer: [UInt8]
  /// The CRC-32 of each page of the stripe, by position; 0 where there is no page.
  let checksums: [UInt32]
  /// The page of parity.
  let parity: [UInt8]

  /// Adds the bytes of a block to `bytes`.
  /// - Parameters:
  ///   - checksums: the checksums of the pages that the stripe has.
  ///   - parity: a page.
  static func append(
    _ layout: ParityLayout, _ number: UInt64, of object: Identifier, trailer: [UInt8], checksums: [UInt32],
    parity: UnsafeRawBufferPointer, to bytes: inout [UInt8]
  ) {
    let start = bytes.count
    bytes += magic
    bytes += object.bytes
    bytes.appendLittleEndian(layout.coreBytes)
    bytes.appendLittleEndian(UInt16(layout.code.data))
    bytes.appendLittleEndian(UInt16(layout.code.parity))
    bytes.appendLittleEndian(UInt32(number))
    bytes += trailer
    for checksum in checksums { bytes.appendLittleEndian(checksum) }
    bytes += [UInt8](repeating: 0, count: 4 * (layout.code.data - checksums.count))
    bytes += parity
    bytes.appendLittleEndian(checksum(of: bytes[start...]))
  }

  /// Reads a block.
  /// - Parameters:
  ///   - bytes: from its beginning on; there may be more.
  ///   - offset: the offset of the block in the container.
  ///   - length: the length of the container.
  /// - Returns: `nil` if this is no block of the container, or one that is damaged.
  init?(_ bytes: ArraySlice<UInt8>, at offset: UInt64, of object: Identifier, length: UInt64) {
    let start = bytes.startIndex
    guard bytes.count >= Self.headBytes, bytes.prefix(Self.magic.count).elementsEqual(Self.magic),
      bytes[(start + 16)..<(start + 32)].elementsEqual(object.bytes),
      let code = ParityCode(
        data: Int(bytes.littleEndian(at: start + 40) as UInt16),
        parity: Int(bytes.littleEndian(at: start + 42) as UInt16)),
      let layout = ParityLayout(code, coreBytes: bytes.littleEndian(at: start + 32)), layout.objectBytes == length
    else { return nil }
    let number = UInt64(bytes.littleEndian(at: start + 44) as UInt32)
    guard number < layout.blockCount, layout.byteRange(ofBlock: number).lowerBound == offset,
      bytes.count >= layout.blockBytes
    else { return nil }
    let end = start + layout.blockBytes - 4
    guard Self.checksum(of: bytes[start..<end]) == bytes.littleEndian(at: end) else { return nil }
    (self.layout, self.number, self.object) = (layout, number, object)
    trailer = Array(bytes[(start + 48)..<(start + Self.headBytes)])
    checksums = (0..<code.data).map { bytes.littleEndian(at: start + Self.headBytes + 4 * $0) }
    parity = Array(bytes[(end - ParityCode.pageBytes)..<end])
  }

  private static func checksum(of bytes: ArraySlice<UInt8>) -> UInt32 {
    bytes.withUnsafeBytes { CRC32.checksum($0) }
  }
}

/// The bytes between the blocks of parity and the trailer.
struct ParityEnd: Hashable, Sendable {
  static let byteCount = 48

  let layout: ParityLayout
  /// The digest of all blocks.
  let digest: Digest

  init(_ layout: ParityLayout, digest: Digest) { (self.layout, self.digest) = (layout, digest) }

  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(layout.coreBytes)
    bytes.appendLittleEndian(UInt16(layout.code.data))
    bytes.appendLittleEndian(UInt16(layout.code.parity))
    bytes += digest.bytes
    bytes.appendLittleEndian(bytes.withUnsafeBytes { CRC32.checksum($0) })
    return bytes
  }

  /// - Parameter length: the length of the container.
  /// - Returns: `nil` when they are damaged, or are not those of such a container.
  init?(_ bytes: [UInt8], length: UInt64) {
    guard bytes.count == Self.byteCount,
      bytes.prefix(44).withUnsafeBytes({ CRC32.checksum($0) }) == bytes.littleEndian(at: 44),
      let code = ParityCode(
        data: Int(bytes.littleEndian(at: 8) as UInt16), parity: Int(bytes.littleEndian(at: 10) as UInt16)),
      let layout = ParityLayout(code, coreBytes: bytes.littleEndian(at: 0)), layout.objectBytes == length,
      let digest = Digest(bytes: bytes[12..<44])
    else { return nil }
    self.init(layout, digest: digest)
  }
}
