import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem

func identifier(_ byte: UInt8) -> Identifier {
  guard let identifier = Identifier(bytes: [UInt8](repeating: byte, count: Identifier.byteCount)) else {
    preconditionFailure("an identifier has sixteen bytes")
  }
  return identifier
}

func digest(_ byte: UInt8) -> Digest {
  guard let digest = Digest(bytes: [UInt8](repeating: byte, count: Digest.byteCount)) else {
    preconditionFailure("a digest has thirty-two bytes")
  }
  return digest
}

/// One container in memory, as the writer makes it.
struct SampleContainer {
  static let repository = identifier(0xaa)
  static let id = identifier(0xbb)
  static var bodyHead: ContainerHead {
    ContainerHead(ContainerName(kind: .body, repository: repository, id: id))
  }

  var bytes: [UInt8]
  var reference: ObjectReference

  init(bytes: [UInt8], reference: ObjectReference) {
    self.bytes = bytes
    self.reference = reference
  }

  /// - Parameter order: the order in which the frames are written; their numbers stay.
  init(
    kind: ContainerKind = .archive, frames: [[UInt8]], compression: Compression = .none, order: [Int]? = nil
  ) throws {
    let sink = MemoryBytes()
    let head = ContainerHead(ContainerName(kind: kind, repository: Self.repository, id: Self.id))
    let writer = try ContainerWriter(head, sink: sink)
    for _ in frames { _ = writer.reserveFrame() }
    let maker = try FrameMaker(compression, capacity: frames.map(\.count).max() ?? 0)
    for number in order ?? Array(frames.indices) {
      try frames[number].withUnsafeBytes { try writer.write(frame: UInt32(number), maker.make($0, for: head)) }
    }
    reference = try writer.finish()
    bytes = sink.contents
  }

  func open(_ kind: ContainerKind = .archive) throws -> ContainerReader {
    try ContainerReader(
      MemoryBytes(bytes, name: "sample"), kind: kind, repository: Self.repository, reference: reference,
      access: .unsealed)
  }

  /// All frames, each proved.
  func readAll(_ kind: ContainerKind = .archive) throws -> [[UInt8]] {
    let reader = try open(kind)
    let decompressor = Decompressor()
    return try reader.frames.indices.map { number in
      let frame = reader.frames[number]
      let stored = Buffer(capacity: ContainerReader.storedCapacity(Int(frame.storedCount)))
      let plain = Buffer(capacity: Int(frame.plainCount))
      try reader.readFrame(
        UInt32(number), stored: stored, plain: plain, decompressor: decompressor, verifying: true)
      return Array(plain.used)
    }
  }

  /// What the bytes are, with a reference that vouches for them: what a hostile repository can present.
  func vouchedFor() -> SampleContainer {
    guard bytes.count >= 96 else { return self }
    let offset = bytes[(bytes.count - 32)..<(bytes.count - 24)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let start = Int(clamping: min(offset, UInt64(bytes.count - 32)))
    var hasher = Hasher()
    hasher.update(Array(bytes[..<64]))
    hasher.update(Array(bytes[start..<(bytes.count - 32)]))
    hasher.update(Array(bytes.suffix(32)))
    return SampleContainer(
      bytes: bytes,
      reference: ObjectReference(id: Self.id, length: UInt64(bytes.count), digest: hasher.finish()))
  }
}
