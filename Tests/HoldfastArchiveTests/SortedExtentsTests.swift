import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Runs come out sorted, all of them and as they went in, however little memory there is.
@Suite struct SortedExtentsTests {
  private let space = ScratchSpace(host: TestHost.make(), isSealed: false)
  private let sealedSpace = ScratchSpace(host: TestHost.make(), isSealed: true)

  private func extent(_ ordinal: UInt64, _ random: inout SeededRandom) -> StoredExtent {
    StoredExtent(
      ordinal: ordinal, location: PageLocation(archive: 0, frame: 0, offset: 0), byteCount: 4096, pageSize: 4096,
      digests: random.bytes(16))
  }

  @Test(arguments: [1, 100, 3000, 1 << 20], [false, true])
  func placesComeBackInTheOrderOfTheState(memoryBytes: Int, isSealed: Bool) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    let places = MovedExtents(isSealed ? sealedSpace : space, memoryBytes: memoryBytes)
    let count: UInt64 = memoryBytes == 1 ? 300 : 2000
    var expected: [UInt64: (UInt64, PageLocation)] = [:]
    for ordinal in (0..<count).shuffled(using: &random) {
      let extent = extent(ordinal, &random)
      let location = PageLocation(
        archive: random.next(), frame: UInt32(truncatingIfNeeded: random.next()),
        offset: UInt32(truncatingIfNeeded: random.next()))
      try places.append(extent, at: location)
      expected[ordinal] = (extent.check, location)
    }
    try places.finish()
    for _ in 0..<2 {
      var reader = try places.makeReader()
      for ordinal in 0..<count {
        let next = try #require(try reader.next())
        #expect(next.ordinal == ordinal, "seed \(seed)")
        #expect(next.check == expected[ordinal]?.0 && next.location == expected[ordinal]?.1, "seed \(seed)")
      }
      #expect(try reader.next() == nil)
    }
  }

  @Test(arguments: [1, 3000, 1 << 20]) func extentsOfAStateComeInTheOrderOfFrames(memoryBytes: Int) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    let bytes = MemoryBytes()
    let writer = StateWriter(bytes)
    var expected: [PageLocation] = []
    for number in 0..<40 {
      var extents: [PageExtent] = []
      for page in 0..<UInt64(random.next() % 30) {
        let location = PageLocation(
          archive: random.next() % 3, frame: UInt32(random.next() % 5), offset: UInt32(random.next() % 64) * 512)
        // Every third one is zero, and lies nowhere.
        let isZero = page % 3 == 2
        extents.append(
          PageExtent(first: page, count: 1, location: isZero ? nil : location, digests: isZero ? [] : random.bytes(16)))
        if !isZero { expected.append(location) }
      }
      let content = FileContent(
        size: UInt64(extents.count) * 512, pageSize: 512, consistency: .stable, digest: Hasher.digest([]))
      let time = Timestamp(seconds: 0, nanoseconds: 0)
      let entry = Entry(
        path: Path("file \(number + 10)"),
        attributes: Attributes(mode: 0, userID: 0, groupID: 0, modified: time), content: .file(content),
        identity: Identity(changed: time, device: 0, inode: 0))
      try writer.append(entry, map: Listed(extents: extents[...]))
    }
    let state = StateFile(bytes: bytes, summary: try writer.finish())
    let changes = try StateDifference(from: .empty(), to: state)
    let sorted = try StoredExtents(
      of: changes, from: 0, space, memoryBytes: memoryBytes, cancellation: Cancellation())
    var reader = try sorted.makeReader()
    var found: [StoredExtent] = []
    while let extent = try reader.next() { found.append(extent) }
    let key = { (place: PageLocation) in (place.archive, place.frame, place.offset) }
    #expect(zip(found, found.dropFirst()).allSatisfy { key($0.location) <= key($1.location) }, "seed \(seed)")
    #expect(Set(found.map(\.ordinal)) == Set(0..<UInt64(expected.count)), "seed \(seed)")
    for extent in found { #expect(extent.location == expected[Int(extent.ordinal)], "seed \(seed)") }
  }

  /// A place that this machine does not know must never get into a manifest.
  @Test func anExtentWithoutAKnownLocationIsNotWritten() throws {
    let name = ContainerName(kind: .body, repository: identifier(1), id: identifier(2))
    let body = try BodyWriter(ContainerWriter(ContainerHead(name), sink: MemoryBytes()), compression: .none)
    let error = #expect(throws: DamageError.self) {
      try body.append(
        PageExtent(
          first: 0, count: 1, location: PageLocation(archive: 0, frame: 0, offset: 0).forgotten,
          digests: [UInt8](repeating: 1, count: 16)))
    }
    #expect(error?.message == "the local cache is damaged: it does not know where the pages of . lie")
  }

  private struct Listed: PageMapReader {
    var extents: ArraySlice<PageExtent>
    mutating func next() -> PageExtent? { extents.popFirst() }
  }
}
