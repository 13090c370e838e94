import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem

/// One sealed container in memory, and what an attacker can do to it who writes to the storage and makes the envelope
/// vouch for it: a holder of a writer key, who lacks the key of the object.
struct SealedSample {
  static let label = Array("/srv/shop".utf8)

  var name: ContainerName
  var bytes: [UInt8]
  var reference: ObjectReference
  let identity: RecoveryIdentity
  let key: SealingKey

  /// - Parameter identity: to whom it is sealed, before the others.
  init(
    kind: ContainerKind = .archive, repository: Identifier = SampleContainer.repository,
    id: Identifier = SampleContainer.id, frames: [[UInt8]], compression: Compression = .none,
    identity: RecoveryIdentity, others: [Recipient] = [], label: [UInt8] = SealedSample.label,
    parity: ParityCode? = nil
  ) throws {
    name = ContainerName(kind: kind, repository: repository, id: id)
    self.identity = identity
    let head = try ContainerHead(name, recipients: [identity.recipient] + others, label: label, parity: parity)
    guard let key = head.key else { preconditionFailure("it was sealed") }
    self.key = key
    let sink = MemoryBytes()
    let writer = try ContainerWriter(head, sink: sink)
    let maker = try FrameMaker(compression, capacity: frames.map(\.count).max() ?? 0)
    for frame in frames {
      try frame.withUnsafeBytes { try writer.write(frame: writer.reserveFrame(), maker.make($0, for: head)) }
    }
    reference = try writer.finish()
    bytes = sink.contents
  }

  // MARK: Reading

  /// How the owner's machine opens it.
  static func access(_ identity: RecoveryIdentity) -> ContainerAccess {
    .opening { name, slots in
      for slot in slots where slot.recipient == identity.recipient.id {
        if let key = identity.open(slot, info: name.keyInfo) { return key }
      }
      throw KeyError("no slot opens", hint: nil)
    }
  }

  func open(_ access: ContainerAccess? = nil, as other: ContainerName? = nil) throws -> ContainerReader {
    let wanted = other ?? name
    return try ContainerReader(
      MemoryBytes(bytes, name: "sample"), kind: wanted.kind, repository: wanted.repository,
      reference: ObjectReference(id: wanted.id, length: reference.length, digest: reference.digest),
      access: access ?? Self.access(identity))
  }

  /// Label and frames. What is not proved against the index is proved by its seal alone.
  func readAll(verifying: Bool = true) throws -> [[UInt8]] {
    let reader = try open()
    let decompressor = Decompressor()
    return try [reader.label()]
      + reader.frames.indices.map { number in
        let frame = reader.frames[number]
        let stored = Buffer(capacity: ContainerReader.storedCapacity(Int(frame.storedCount)))
        let plain = Buffer(capacity: Int(frame.plainCount))
        try reader.readFrame(
          UInt32(number), stored: stored, plain: plain, decompressor: decompressor, verifying: verifying)
        return Array(plain.used)
      }
  }

  /// What a machine without keys proves.
  func verifyStored() throws {
    let reader = try open(.closed)
    try reader.verifyStored(0..<UInt32(reader.frames.count)) { _, damage in
      if let damage { throw damage }
    }
  }

  // MARK: Parts

  var preambleCount: Int { Int(number(at: 12, count: 4)) }
  var framesStart: Int { 64 + preambleCount }
  var indexStart: Int { Int(clamping: number(at: bytes.count - 32, count: 8)) }
  var sealStart: Int { bytes.count - 48 }
  var frameCount: Int { (sealStart - indexStart) / 56 }

  private func number(at start: Int, count: Int) -> UInt64 {
    bytes[start..<start + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  func indexEntry(_ number: Int) -> [UInt8] { Array(bytes[(indexStart + 56 * number)...].prefix(56)) }

  func stored(_ number: Int) -> [UInt8] {
    let entry = indexStart + 56 * number
    let offset = Int(self.number(at: entry, count: 8))
    return Array(bytes[offset..<offset + Int(self.number(at: entry + 8, count: 4))])
  }

  // MARK: Attacks

  /// The reference that an attacker's envelope holds for these bytes.
  func vouchedFor() -> SealedSample {
    var hostile = self
    let end = bytes.count
    guard end >= 112 else { return self }
    let start = min(max(indexStart, 0), end - 32)
    let preamble = min(64 + preambleCount, start)
    // A header that says unsealed has no seal between index and trailer.
    let seal = bytes[11] == 1 ? max(start, end - 48) : end - 32
    var hasher = Hasher()
    for part in [bytes[..<preamble], bytes[start..<seal], bytes[(end - 32)...], bytes[seal..<(end - 32)]] {
      hasher.update(Array(part))
    }
    hostile.reference = ObjectReference(id: name.id, length: UInt64(end), digest: hasher.finish())
    return hostile
  }

  /// These frames in the place of its own, with an index that fits them; header, preamble and seal stay.
  func with(frames: [(entry: [UInt8], stored: [UInt8])]) -> SealedSample {
    var hostile = self
    let seal = bytes[sealStart..<sealStart + 16]
    hostile.bytes = Array(bytes[..<framesStart])
    var index: [UInt8] = []
    for frame in frames {
      index += Self.littleEndian(UInt64(hostile.bytes.count)) + frame.entry[8...]
      hostile.bytes += frame.stored
    }
    let start = hostile.bytes.count
    hostile.bytes += index + seal
    hostile.bytes += Self.littleEndian(UInt64(start)) + Self.littleEndian(UInt32(frames.count))
    hostile.bytes += Self.littleEndian(UInt32(56)) + Self.littleEndian(UInt64(hostile.bytes.count + 20))
    hostile.bytes += Array("TSAFDLOH".utf8)
    return hostile.vouchedFor()
  }

  /// What one can make who has the key of the object too: a seal that fits whatever the index says.
  func sealedAnew() throws -> SealedSample {
    var hostile = self
    var hasher = Hasher()
    for part in [bytes[..<framesStart], bytes[indexStart..<sealStart], bytes[(bytes.count - 32)...]] {
      hasher.update(Array(part))
    }
    let seal = try key.seal([], number: .max, associated: Array(bytes[..<64]) + [3] + hasher.finish().bytes)
    hostile.bytes.replaceSubrange(sealStart..<sealStart + 16, with: seal)
    return hostile.vouchedFor()
  }

  static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
