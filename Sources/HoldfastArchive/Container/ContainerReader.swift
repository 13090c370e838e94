package import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// The access to a container: says whether it must be sealed, and where its key comes from.
package enum ContainerAccess: Sendable {
  /// It must not be sealed.
  case unsealed
  /// It must be sealed; the closure finds its key among the slots, or throws.
  case opening(@Sendable (ContainerName, [KeySlot]) throws -> SealingKey)
  /// It must be sealed, and is not opened: its stored bytes can be verified, but not read.
  case closed
}

/// Reads the frames of an archive or body. Nothing in it is used before it is checked against the digest in the
/// envelope.
package final class ContainerReader: Sendable {
  package let frames: FrameIndex
  /// The key of a sealed container that was opened; otherwise `nil`.
  package let key: SealingKey?
  private let bytes: any ReadableBytes
  private let id: Identifier
  let header: [UInt8]
  private let preamble: Preamble?
  /// Everything but the frames. Its index and that of `frames` share their memory.
  private let outline: Outline

  package var name: String { bytes.name }
  /// True if the container is sealed and was not opened, so that only its stored bytes can be verified.
  package var isClosed: Bool { preamble != nil && key == nil }
  /// The recipients that the container is sealed to.
  package var recipients: [Identifier] { preamble?.slots.map(\.recipient) ?? [] }

  /// Reads header, index and trailer, and checks them against `reference`.
  /// - Throws: `DamageError` when the object is not what the envelope says; `KeyError` when there is no key for it.
  package init(
    _ bytes: any ReadableBytes, kind: ContainerKind, repository: Identifier, reference: ObjectReference,
    access: ContainerAccess
  ) throws {
    (self.bytes, id) = (bytes, reference.id)
    outline = try bytes.firstSound { try Outline($0, reference: reference) }
    let isSealed = if case .unsealed = access { false } else { true }
    let name = ContainerName(kind: kind, repository: repository, id: reference.id)
    header = ContainerLayout.header(
      kind: kind, repository: repository, object: reference.id, isSealed: isSealed,
      preambleCount: outline.preamble.count, hasParity: outline.parity != nil)
    guard outline.header == header else {
      throw DamageError(
        bytes.name,
        outline.isSealed == isSealed
          ? "its header belongs to another object"
          : "it is \(outline.isSealed ? "sealed in an unsealed" : "not sealed in a sealed") repository")
    }
    preamble = isSealed ? Preamble(outline.preamble) : nil
    guard isSealed ? preamble != nil : outline.preamble.isEmpty else {
      throw DamageError(bytes.name, "its preamble is not sound")
    }
    frames = try FrameIndex(
      outline.index, filling: UInt64(header.count + outline.preamble.count)..<outline.indexOffset, isSealed: isSealed,
      name: bytes.name)
    key =
      if case .opening(let find) = access, let preamble { try find(name, preamble.slots) } else { nil }
    try checkSeal(outline)
  }

  /// Makes the same container, with its frames read from `bytes`.
  private init(_ bytes: any ReadableBytes, like other: ContainerReader) {
    self.bytes = bytes
    (frames, key, id, header) = (other.frames, other.key, other.id, other.header)
    (preamble, outline) = (other.preamble, other.outline)
  }

  /// Calls `body` with this container and, if that finds damage, with the same container in each other target that has
  /// it (`ReadableBytes.copies`). `body` must read the bytes that it checks.
  package func firstSound<Found>(_ body: (ContainerReader) throws -> Found) throws -> Found {
    do {
      return try body(self)
    } catch  where error.isDamage {
      return try sound(after: error, body)
    }
  }

  /// Does the same for code that has already read here and found damage.
  /// - Throws: `damage` if no other target has sound bytes.
  package func sound<Found>(after damage: any Error, _ body: (ContainerReader) throws -> Found) throws -> Found {
    try bytes.sound(after: damage) { try body(ContainerReader($0, like: self)) }
  }

  /// Returns the label, which only a recipient can read; empty for a container that is not sealed or was not opened.
  package func label() throws -> [UInt8] {
    guard let key, let preamble else { return [] }
    guard
      let label = key.open(
        preamble.label, number: SealedPart.labelNumber, associated: SealedPart.label.associated(header))
    else { throw DamageError(name, "its label cannot be opened") }
    return Array(label.prefix { $0 != 0 })
  }

  /// Reads one frame and decompresses it into `plain`, whose `count` it sets.
  /// - Parameters:
  ///   - stored: room for the stored bytes: `storedCapacity` bytes.
  ///   - verifying: true if the stored bytes are checked against the index. A restore need not: pages have digests of
  ///     their own.
  ///   - prefixCount: the number of plain bytes that are needed from the beginning; all by default. The rest of `plain`
  ///     is undefined.
  ///   - onOpened: gets the compressed bytes after they were decompressed; they are valid during the call.
  package func readFrame(
    _ number: UInt32, stored: Buffer, plain: Buffer, decompressor: Decompressor, verifying: Bool,
    prefixCount: Int? = nil,
    onOpened: ((UnsafeRawBufferPointer, FrameEntry) throws -> Void)? = nil
  ) throws {
    try firstSound { reader in
      let read = try reader.readStored(number, into: stored)
      if verifying { try read.verify() }
      try reader.open(read, plain: plain, decompressor: decompressor, prefixCount: prefixCount, onOpened: onOpened)
    }
  }

  /// Decompresses a frame that this reader has read into `plain`, whose `count` it sets. It overwrites the stored
  /// bytes. The parameters are those of `readFrame`.
  package func open(
    _ read: ReadFrame, plain: Buffer, decompressor: Decompressor, prefixCount: Int? = nil,
    onOpened: ((UnsafeRawBufferPointer, FrameEntry) throws -> Void)? = nil
  ) throws {
    let (number, frame, stored) = (read.number, read.entry, read.stored)
    if isClosed { throw DamageError(name, "it is sealed and was not opened") }
    plain.count = Int(frame.plainCount)
    let decompress = { (bytes: UnsafeRawBufferPointer) throws in
      do throws(CodecError) {
        try decompressor.decompress(
          bytes, codec: frame.codec, into: UnsafeMutableRawBufferPointer(rebasing: plain.bytes[..<plain.count]),
          prefixCount: prefixCount)
      } catch {
        guard error.isDamage else { throw error }
        throw DamageError(self.name, "frame \(number): \(error.message)")
      }
      try onOpened?(bytes, frame)
    }
    guard let key else { return try decompress(stored.used) }
    let part = SealedPart.frame(plainCount: frame.plainCount, codec: frame.codec)
    let sealed = UnsafeMutableRawBufferPointer(rebasing: stored.bytes[..<(lead + stored.count)])
    guard
      try key.open(inPlace: sealed, number: frame.sealNumber, associated: part.associated(header), decompress) != nil
    else { throw DamageError(name, "frame \(number) cannot be opened: its seal does not fit") }
  }

  /// Room for a nonce before the stored bytes of a frame, when the container is sealed and opened.
  private var lead: Int { key == nil ? 0 : SealingKey.nonceByteCount }

  /// The size of a buffer for the stored bytes of any frame of up to `storedCount` bytes.
  package static func storedCapacity(_ storedCount: Int = Limits.frameStoredBytesMax) -> Int {
    storedCount + SealingKey.nonceByteCount
  }

  /// Reads the stored bytes of frames and checks them against the index. Without a key, nothing more can be verified.
  /// - Parameters:
  ///   - numbers: the numbers of the frames.
  ///   - onFrame: gets each frame in that order, and the damage if there is any; throws to stop.
  package func verifyStored(
    _ numbers: some Sequence<UInt32>, _ onFrame: (FrameEntry, DamageError?) throws -> Void
  ) throws {
    // Two digests are computed faster together than one after the other.
    let buffers = (0..<2).map { _ in Buffer(capacity: Self.storedCapacity(frames.storedBytesMax)) }
    var pair: [UInt32] = []
    func verifyPair() throws {
      for (number, damage) in zip(pair, try verify(pair, into: buffers)) { try onFrame(frames[Int(number)], damage) }
      pair.removeAll(keepingCapacity: true)
    }
    for number in numbers {
      pair.append(number)
      if pair.count == buffers.count { try verifyPair() }
    }
    try verifyPair()
  }

  /// - Returns: for each frame, what is wrong with it in every place that has it.
  private func verify(_ numbers: [UInt32], into buffers: [Buffer]) throws -> [DamageError?] {
    var reads: [ReadFrame] = []
    var damage = [DamageError?](repeating: nil, count: numbers.count)
    var readAt: [Int] = []
    for (index, number) in numbers.enumerated() {
      do {
        reads.append(try readStored(number, into: buffers[index]))
        readAt.append(index)
      } catch  where error.isDamage {
        damage[index] = Self.damage(error, name, number)
      }
    }
    for (index, found) in zip(readAt, ReadFrame.verify(reads)) { damage[index] = found }
    for (index, number) in numbers.enumerated() {
      guard let found = damage[index] else { continue }
      do {
        try sound(after: found) { try $0.readStored(number, into: buffers[index]).verify() }
        damage[index] = nil
      } catch let error as Interrupted {
        throw error
      } catch {
        damage[index] = found
      }
    }
    return damage
  }

  /// Returns the error of a frame that cannot be read, as a `DamageError`.
  private static func damage(_ error: any Error, _ name: String, _ number: UInt32) -> DamageError {
    (error as? DamageError) ?? DamageError(name, "frame \(number) cannot be read: \(describe(error).message)")
  }

  /// Reads the stored bytes of one frame without checking them.
  /// - Parameter stored: room for `storedCapacity` bytes.
  package func readStored(_ number: UInt32, into stored: Buffer) throws -> ReadFrame {
    guard number < frames.count else { throw DamageError(name, "it has no frame \(number)") }
    let frame = frames[Int(number)]
    stored.count = Int(frame.storedCount)
    let room = UnsafeMutableRawBufferPointer(rebasing: stored.bytes[lead..<lead + stored.count])
    try bytes.read(into: room, at: frame.offset)
    return ReadFrame(
      container: name, number: number, entry: frame, stored: stored, bytes: UnsafeRawBufferPointer(room))
  }

  /// True if the stored bytes of a frame prove anything of the place in which the container is proved.
  package func isProof(_ number: UInt32) -> Bool {
    guard number < frames.count else { return true }
    return bytes.isProof(of: frames[Int(number)].offset..<frames[Int(number)].end)
  }

  /// Announces the frames that will be read soon, so that a remote store can fetch them ahead. For other stores this
  /// does nothing.
  package func expect(_ numbers: some Sequence<UInt32>) {
    bytes.expect(numbers.filter { $0 < frames.count }.map { frames[Int($0)].offset..<frames[Int($0)].end })
  }

  /// Passes on all bytes of the container in order, each part only after it was checked against the digest in the
  /// envelope, and from any place that has it sound. Parity is not read, but computed again. It needs no key, and what
  /// it has passed on is the whole object when it returns.
  /// - Parameter scratch: the space in which parity waits for the end of the container; `nil` for memory.
  package func forEachStoredPart(
    scratch: ScratchSpace? = nil, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let stored = Buffer(capacity: Self.storedCapacity(frames.storedBytesMax))
    let parity = try outline.parity.map { try ParitySection($0.layout.code, in: scratch?.make() ?? MemoryBytes()) }
    func pass(_ bytes: UnsafeRawBufferPointer) throws {
      try body(bytes)
      try parity?.append(bytes)
    }
    try (outline.header + outline.preamble).withUnsafeBytes(pass)
    for number in frames.inStoredOrder {
      let read = try firstSound { reader in
        let read = try reader.readStored(number, into: stored)
        try read.verify()
        return read
      }
      try pass(read.bytes)
    }
    try (outline.index + outline.seal).withUnsafeBytes(pass)
    if let parity { try passOn(parity, body) }
    try outline.trailer.withUnsafeBytes(body)
  }

  /// Passes on the parity as it was computed from the other parts.
  private func passOn(_ parity: ParitySection, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let end = try parity.finish(of: id, trailer: outline.trailer, body)
    guard end == outline.parity else { throw DamageError(name, "its parity is not that of its bytes") }
    try end.bytes.withUnsafeBytes(body)
  }

  /// The bytes of the container that are parity; 0 when it has none.
  package var parityBytes: UInt64 {
    outline.parity.map { UInt64(ParityEnd.byteCount) + $0.layout.sectionRange.upperBound - $0.layout.coreBytes } ?? 0
  }

  /// The offset of the parity; `nil` when there is none.
  package var parityOffset: UInt64? { outline.parity?.layout.coreBytes }

  /// Reads the stored parity and checks it against the digest in the envelope, as it is here and in no other target. It
  /// needs no key, and the data may be sound without it.
  /// - Parameter onRead: gets the number of bytes after each read; throws to stop.
  package func verifyParity(_ onRead: (Int) throws -> Void) throws {
    guard let parity = outline.parity else { return }
    var hasher = Hasher()
    let range = parity.layout.sectionRange
    do {
      for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.parityReadBytes) {
        var part = [UInt8](repeating: 0, count: min(Self.parityReadBytes, Int(range.upperBound - start)))
        try part.withUnsafeMutableBytes { try bytes.read(into: $0, at: start) }
        hasher.update(part)
        try onRead(part.count)
      }
    } catch  where error.isDamage {
      throw (error as? DamageError) ?? DamageError(name, "its parity cannot be read: \(describe(error).message)")
    }
    guard hasher.finish() == parity.digest else { throw DamageError(name, "its parity does not have its digest") }
  }

  private static let parityReadBytes = 1 << 20

  private func checkSeal(_ outline: Outline) throws {
    guard let key else { return }
    let part = SealedPart.index(outline.indexDigest)
    guard key.open(outline.seal, number: SealedPart.indexNumber, associated: part.associated(header)) != nil else {
      throw DamageError(name, "the seal over its index does not fit")
    }
  }
}

/// The stored bytes of a frame as they were read. They must be verified or opened before they are used.
package struct ReadFrame {
  fileprivate let container: String
  fileprivate let number: UInt32
  fileprivate let entry: FrameEntry
  fileprivate let stored: Buffer
  fileprivate let bytes: UnsafeRawBufferPointer

  /// Checks the stored bytes against the index.
  package func verify() throws {
    if let failure = Self.verify([self])[0] { throw failure }
  }

  /// Checks several frames against their indexes, which is faster together than one after the other.
  /// - Returns: for each frame the fault that was found, or `nil`.
  package static func verify(_ frames: [ReadFrame]) -> [DamageError?] {
    zip(frames, Hasher.digests(frames.map(\.bytes))).map { frame, digest in
      digest == frame.entry.digest
        ? nil : DamageError(frame.container, "frame \(frame.number) does not have its digest")
    }
  }
}
