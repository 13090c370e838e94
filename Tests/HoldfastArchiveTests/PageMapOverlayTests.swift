import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Runs in memory, with the interface of a body's.
struct ExtentList: PageMapReader {
  var extents: [PageExtent]
  mutating func next() throws -> PageExtent? { extents.isEmpty ? nil : extents.removeFirst() }
}

/// One page of a map: `nil` is a page of zeros.
struct MappedPage: Hashable {
  var location: PageLocation
  var digest: [UInt8]
}

/// What the runs say about every page. A page that is missing has no entry.
func expand(_ extents: [PageExtent], pageSize: UInt32) -> [UInt64: MappedPage?] {
  var pages: [UInt64: MappedPage?] = [:]
  for extent in extents {
    for index in 0..<extent.count {
      let page: MappedPage? = extent.location.map {
        MappedPage(
          location: PageLocation(archive: $0.archive, frame: $0.frame, offset: $0.offset + UInt32(index) * pageSize),
          digest: Array(extent.digests[Int(index) * 16..<Int(index + 1) * 16]))
      }
      pages[extent.first + index] = .some(page)
    }
  }
  return pages
}

/// For every page the newest run that has it (format.md, section 6).
@Suite struct PageMapOverlayTests {
  private static let pageSize: UInt32 = 512

  private func file(pages: UInt64) -> FileContent {
    FileContent(size: pages * 512, pageSize: Self.pageSize, consistency: .stable, digest: digest(0))
  }

  private func randomLayer(_ random: inout SeededRandom, pages: UInt64, archive: UInt64, isDense: Bool) -> [PageExtent]
  {
    var extents: [PageExtent] = []
    var page: UInt64 = 0
    while page < pages {
      let first = page + (isDense ? 0 : random.number(0...6))
      let end = min(first + random.number(1...5), pages)
      guard first < end else { break }
      let count = end - first
      if random.number(0...3) == 0 {
        extents.append(PageExtent(first: first, count: count, location: nil, digests: []))
      } else {
        let location = PageLocation(archive: archive, frame: random.number(0...9), offset: random.number(0...9999))
        extents.append(
          PageExtent(first: first, count: count, location: location, digests: random.bytes(Int(count) * 16)))
      }
      page = end
    }
    return extents
  }

  private func read(_ layers: [[PageExtent]], pages: UInt64, coversAll: Bool) throws -> [PageExtent] {
    var overlay = try PageMapOverlay(
      layers: layers.map { ExtentList(extents: $0) }, file: file(pages: pages), coversAll: coversAll, name: "the chain")
    var extents: [PageExtent] = []
    while let extent = try overlay.next() { extents.append(extent) }
    return extents
  }

  @Test(arguments: [true, false])
  func theNewestExtentOfEveryPageWins(_ coversAll: Bool) throws {
    for seed in UInt64(0)..<400 {
      var random = SeededRandom(seed: seed)
      let pages: UInt64 = random.number(0...60)
      let count = random.number(1...6)
      // Older layers may know pages that the file has no more.
      let layers = (0..<count).map { index in
        randomLayer(
          &random, pages: pages + random.number(0...10), archive: UInt64(index),
          isDense: coversAll && index == count - 1)
      }
      var expected: [UInt64: MappedPage?] = [:]
      for layer in layers.reversed() { expected.merge(expand(layer, pageSize: Self.pageSize)) { $1 } }
      expected = expected.filter { $0.key < pages }
      let found = try read(layers, pages: pages, coversAll: coversAll)
      #expect(expand(found, pageSize: Self.pageSize) == expected, "seed \(seed)")
      #expect(zip(found, found.dropFirst()).allSatisfy { $0.end <= $1.first }, "seed \(seed): runs overlap")
      #expect((found.last?.end ?? 0) <= pages, "seed \(seed)")
    }
  }

  @Test func aPageThatNoLayerHasIsDamageWhereAllAreNeeded() throws {
    let hole = [
      PageExtent(first: 0, count: 2, location: nil, digests: []),
      PageExtent(first: 3, count: 1, location: nil, digests: []),
    ]
    #expect(throws: DamageError("the chain", "page 2 of a file is in no snapshot of the chain")) {
      _ = try read([hole], pages: 4, coversAll: true)
    }
    #expect(try read([hole], pages: 4, coversAll: false) == hole)
    #expect(throws: DamageError("the chain", "page 0 of a file is in no snapshot of the chain")) {
      _ = try read([], pages: 1, coversAll: true)
    }
    #expect(try read([], pages: 0, coversAll: true) == [])
  }

  @Test func aFileDigestIsThatOfAllItsPages() {
    var random = SeededRandom(seed: 301)
    let digests = random.bytes(5 * 16)
    let digester = FileDigester()
    digester.add(
      PageExtent(
        first: 0, count: 2, location: PageLocation(archive: 0, frame: 0, offset: 0), digests: Array(digests[..<32])))
    digester.add(PageExtent(first: 2, count: 3000, location: nil, digests: []))
    digester.add(
      PageExtent(
        first: 3002, count: 3, location: PageLocation(archive: 0, frame: 1, offset: 0), digests: Array(digests[32...])))
    let size: [UInt8] = [0x34, 0x12, 0, 0, 0, 0, 0, 0]
    let pageSize: [UInt8] = [0, 2, 0, 0]
    let zeros = [UInt8](repeating: 0, count: 16) + [0xb8, 0x0b, 0, 0, 0, 0, 0, 0]
    #expect(
      digester.finish(size: 0x1234, pageSize: 512)
        == Hasher.digest(digests[..<32] + zeros + digests[32...] + size + pageSize))
  }
}
