internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// The parts of a container beside its frames and its parity, checked against the container's digest.
struct Outline {
  let header: [UInt8]
  let preamble: [UInt8]
  let index: [UInt8]
  let seal: [UInt8]
  /// The end of the parity; `nil` when there is none.
  let parity: ParityEnd?
  let trailer: [UInt8]
  let indexOffset: UInt64
  /// The digest over header, preamble, index and trailer: that of the reference before the seal and the end of the
  /// parity are added.
  let indexDigest: Digest

  var isSealed: Bool { header[11] == 1 }

  init(_ bytes: any ReadableBytes, reference: ObjectReference) throws {
    let minimum = UInt64(ContainerLayout.headerCount + ContainerLayout.trailerCount)
    // An object that may be read with its parity always claims the recorded length, so this does not see one that is
    // too long: presence checks and scrubs do.
    guard bytes.length == reference.length, bytes.length >= minimum else {
      throw DamageError(bytes.name, "it has \(bytes.length) bytes instead of \(reference.length)")
    }
    let ends = try ContainerEnds(of: bytes)
    header = try ends.read(at: 0, count: ContainerLayout.headerCount)
    let trailerOffset = bytes.length - UInt64(ContainerLayout.trailerCount)
    trailer = try ends.read(at: trailerOffset, count: ContainerLayout.trailerCount)
    indexOffset = trailer.littleEndian(at: 0)
    parity = try header[ParityCode.flagOffset] == 0 ? nil : Self.parity(in: ends, of: bytes)
    let coreBytes = parity?.layout.coreBytes ?? trailerOffset
    let frameCount: UInt32 = trailer.littleEndian(at: 8)
    let preambleCount: UInt32 = header.littleEndian(at: 12)
    let indexCount = Int(frameCount) * ContainerLayout.indexEntryCount
    let sealCount = header[11] == 1 ? SealingKey.tagByteCount : 0
    guard frameCount <= Limits.framesPerContainerMax, preambleCount <= Limits.preambleBytesMax,
      indexOffset == coreBytes &- UInt64(indexCount + sealCount),
      indexOffset >= UInt64(ContainerLayout.headerCount) + UInt64(preambleCount), indexOffset < bytes.length
    else { throw DamageError(bytes.name, "its trailer is not sound") }
    preamble = try ends.read(at: UInt64(ContainerLayout.headerCount), count: Int(preambleCount))
    index = try ends.read(at: indexOffset, count: indexCount)
    seal = try ends.read(at: indexOffset + UInt64(indexCount), count: sealCount)
    var hasher = Hasher()
    for part in [header, preamble, index, trailer] { hasher.update(part) }
    indexDigest = hasher.snapshot()
    hasher.update(seal)
    if let parity { hasher.update(parity.bytes) }
    guard hasher.finish() == reference.digest else {
      throw DamageError(bytes.name, "its index does not have the digest that the manifest records")
    }
    guard
      trailer
        == ContainerLayout.trailer(indexOffset: indexOffset, frameCount: frameCount, length: bytes.length)
    else { throw DamageError(bytes.name, "its trailer is not sound") }
  }

  private static func parity(in ends: ContainerEnds, of bytes: any ReadableBytes) throws -> ParityEnd {
    let fromEnd = UInt64(ParityEnd.byteCount + ContainerLayout.trailerCount)
    guard bytes.length >= fromEnd,
      let end = ParityEnd(
        try ends.read(at: bytes.length - fromEnd, count: ParityEnd.byteCount), length: bytes.length)
    else { throw DamageError(bytes.name, "the end of its parity is not sound") }
    return end
  }
}
