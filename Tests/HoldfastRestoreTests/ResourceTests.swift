import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A small repository costs a reader little, whatever it claims to be.
@Suite struct ResourceTests {
  private let made: HandmadeRepository

  init() throws { made = try HandmadeRepository() }

  /// Puts a body of frames that all have these bytes into the place of the newest snapshot's.
  private func add(bodyOf frame: [UInt8], times count: Int, parent: Snapshot? = nil) throws {
    let id = made.shop.host.random.identifier()
    let bytes = MemoryBytes()
    let head = ContainerHead(ContainerName(kind: .body, repository: made.shop.repository.id, id: id))
    let writer = try ContainerWriter(head, sink: bytes)
    let maker = try FrameMaker(Compression("deflate:9") ?? .standard, capacity: frame.count)
    let stored = try frame.withUnsafeBytes { try maker.make($0, for: head) }
    for _ in 0..<count { try writer.write(frame: writer.reserveFrame(), stored) }
    let reference = try writer.finish()
    try made.add([HandmadeRepository.root], parent: parent) { envelope in
      envelope.body = reference
      made.store.contents[Keys.body(envelope.source.name, envelope.sequence, id)] = bytes.contents
    }
  }

  /// Runs of one page of zeros each, three bytes a run: a thousand of them take one byte.
  @Test func aBodyThatWouldBeHugeIsRefusedBeforeItIsRead() throws {
    let extents = [UInt8](repeating: 0, count: 1 << 20).enumerated().map { [4, 0, 1][$0.offset % 3] as UInt8 }
    try add(bodyOf: extents, times: 600)
    let begun = ContinuousClock.now
    let findings = try made.shop.verify(data: false).snapshots.flatMap(\.findings).map(\.message)
    #expect(findings.count == 1)
    #expect(
      findings.first?.replacing(/stored in [0-9.]+ KiB/, with: "stored in SIZE")
        == "sources/source/0000000001/manifest.json is damaged: the bodies of its chain would be 600.0 MiB of records, and are stored in SIZE: no backup writes that"
    )
    #expect(throws: DamageError.self) { try made.shop.restore(to: "restored") }
    #expect(ContinuousClock.now - begun < .seconds(30))
  }

  /// Whatever a writer is given, it stays within what a reader takes.
  @Test func noBodyThatIsWrittenIsTooDense() throws {
    let bytes = MemoryBytes()
    let id = made.shop.host.random.identifier()
    let name = ContainerName(kind: .body, repository: made.shop.repository.id, id: id)
    let writer = try BodyWriter(ContainerWriter(ContainerHead(name), sink: bytes), compression: .standard)
    let digests = [UInt8](repeating: 7, count: 64 * PageDigest.byteCount)
    let item = HandmadeRepository.file("constant", size: 4096 * 64 * 8192, extents: [])
    try writer.put(item.entry, inherits: false)
    for number in 0..<UInt64(8192) {
      let place = PageLocation(archive: 0, frame: UInt32(number), offset: 0)
      try writer.append(PageExtent(first: number * 64, count: 64, location: place, digests: digests))
    }
    let reference = try writer.finish()
    let container = try ContainerReader(
      bytes, kind: .body, repository: made.shop.repository.id, reference: reference, access: .unsealed)
    let most = reference.length * Limits.bodyRatioMax
    #expect(container.frames.plainBytes > 8 << 20)
    #expect(container.frames.plainBytes <= most)
    #expect(reference.length < 1 << 20, "it is still small")
  }

  /// More entries than the manifest says are not written down first.
  @Test func aStateWithMoreEntriesThanItsManifestSaysIsRefusedAtOnce() throws {
    let items = (0..<100).map { HandmadeRepository.item("f\(1000 + $0)", .fifo) }
    try made.add([HandmadeRepository.root] + items) { $0.state.entries = 3 }
    #expect(
      try made.shop.verify().snapshots.flatMap(\.findings).map(\.message) == [
        "sources/source/0000000001/manifest.json is damaged: replaying its chain gives another state than it records"
      ])
  }
}
