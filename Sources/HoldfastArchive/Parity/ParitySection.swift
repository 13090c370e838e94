internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// The parity of a container that is being written. It waits in scratch space until the core has ended, because the
/// blocks come behind it, and only then is known how all is laid out.
final class ParitySection {
  private let code: ParityCode
  private let kept: KeptGroups
  private let encoder: ParityEncoder

  init(_ code: ParityCode, in scratch: any ScratchBytes) throws {
    let kept = KeptGroups(scratch)
    (self.code, self.kept) = (code, kept)
    encoder = try ParityEncoder(code) { try kept.append($0) }
  }

  /// Adds the next bytes of the core.
  /// - Throws: an error when it becomes too long for parity, before more work is done for it.
  func append(_ bytes: UnsafeRawBufferPointer) throws {
    _ = try layout(adding: bytes.count)
    try encoder.append(bytes)
  }

  /// Returns the layout of the container when so many more bytes of the core have come.
  /// - Throws: an error when it would be too long for parity.
  func layout(adding count: Int = 0) throws -> ParityLayout {
    guard let layout = ParityLayout(code, coreBytes: encoder.coreBytes + UInt64(count)) else {
      throw EngineError(
        .usage, "an archive or a body has more than \(ParityLayout.coreBytesMax >> 30) GiB, and cannot have parity",
        hint: "Run the same command with --parity none, or split the source into several.")
    }
    return layout
  }

  /// Passes on all blocks. Nothing more may be added then.
  /// - Parameters:
  ///   - object: the ID of the container.
  ///   - trailer: the last bytes of the container.
  /// - Returns: the end of the parity, which follows the blocks.
  func finish(
    of object: Identifier, trailer: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> ParityEnd {
    try encoder.finish()
    var blocks = ParityBlocks(try layout(), of: object, trailer: trailer)
    try kept.forEach(code) { try blocks.append($0, body) }
    return blocks.finish()
  }
}

/// Complete groups: their parity in scratch space, the checksums of their pages in memory.
private final class KeptGroups {
  private let scratch: any ScratchBytes
  private var groups: [(stripes: Int, checksums: [UInt32])] = []

  init(_ scratch: any ScratchBytes) { self.scratch = scratch }

  func append(_ group: ParityGroup) throws {
    try scratch.append(group.bytes)
    groups.append((group.stripes, group.checksums))
  }

  func forEach(_ code: ParityCode, _ body: (ParityGroup) throws -> Void) throws {
    try scratch.finish()
    var offset: UInt64 = 0
    for (stripes, checksums) in groups {
      let group = try ParityGroup(stripes: stripes, code, checksums: checksums) {
        try scratch.read(into: $0, at: offset)
      }
      offset += UInt64(group.bytes.count)
      try body(group)
    }
  }
}

/// Makes the blocks of a container, group by group, and their digest.
struct ParityBlocks {
  private let layout: ParityLayout
  private let object: Identifier
  private let trailer: [UInt8]
  private var hasher = Hasher()
  private var count: UInt64 = 0
  private var bytes: [UInt8] = []

  init(_ layout: ParityLayout, of object: Identifier, trailer: [UInt8]) {
    (self.layout, self.object, self.trailer) = (layout, object, trailer)
    bytes.reserveCapacity(layout.blockBytes)
  }

  /// Passes on the blocks of the next group.
  mutating func append(_ group: ParityGroup, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    for _ in 0..<group.stripes * layout.code.parity {
      let (stripe, row) = layout.place(ofBlock: count)
      bytes.removeAll(keepingCapacity: true)
      ParityBlock.append(
        layout, count, of: object, trailer: trailer, checksums: group.checksums(of: stripe.number),
        parity: group.page(of: stripe.number, row), to: &bytes)
      hasher.update(bytes)
      try bytes.withUnsafeBytes(body)
      count += 1
    }
  }

  consuming func finish() -> ParityEnd { ParityEnd(layout, digest: hasher.finish()) }
}
