import HoldfastModel
import HoldfastTestSupport
import Testing

/// The arithmetic of pages and runs.
@Suite struct PageTests {
  @Test(
    arguments: [
      (0, 4096, 0), (1, 4096, 1), (4096, 4096, 1), (4097, 4096, 2), (512, 512, 1), (1 << 62, 512, 1 << 53),
      ((1 << 62) - 1, 1 << 20, 1 << 42),
    ] as [(UInt64, UInt32, UInt64)])
  func aFileHasItsSizeInPagesRoundedUp(_ size: UInt64, _ pageSize: UInt32, _ count: UInt64) {
    #expect(Pages.count(size: size, pageSize: pageSize) == count)
  }

  @Test func bytesOfPagesAreThoseOfTheirFile() {
    var random = SeededRandom(seed: 21)
    for _ in 0..<5000 {
      let pageSize: UInt32 = 512
      let size = UInt64.random(in: 0...5000, using: &random)
      let first = UInt64.random(in: 0...12, using: &random)
      let count = UInt64.random(in: 0...12, using: &random)
      let naive = (0..<size).filter { ($0 / UInt64(pageSize)) >= first && $0 / UInt64(pageSize) < first + count }.count
      #expect(
        Pages.bytes(first: first, count: count, size: size, pageSize: pageSize) == UInt64(naive),
        "seed 21: \(count) pages from \(first) of \(size) bytes")
    }
  }

  @Test func aSliceOfAnExtentKeepsEveryPageWhereItIs() {
    var random = SeededRandom(seed: 22)
    for _ in 0..<500 {
      let count = UInt64.random(in: 1...9, using: &random)
      let extent = PageExtent(
        first: UInt64.random(in: 0...100, using: &random), count: count,
        location: PageLocation(archive: 3, frame: 5, offset: UInt32.random(in: 0...100, using: &random)),
        digests: random.bytes(Int(count) * 16))
      let start = UInt64.random(in: extent.first..<extent.end, using: &random)
      let end = UInt64.random(in: start + 1...extent.end, using: &random)
      let slice = extent.slice(from: start, to: end, pageSize: 1024)
      #expect(slice.first == start && slice.end == end, "seed 22")
      for page in start..<end {
        #expect(place(of: page, in: slice) == place(of: page, in: extent), "seed 22: page \(page)")
      }
    }
  }

  /// Where a page lies, and its digest.
  private func place(of page: UInt64, in extent: PageExtent) -> [UInt64] {
    guard let location = extent.location else { return [] }
    let index = Int(page - extent.first)
    return [location.archive, UInt64(location.frame), UInt64(location.offset) + UInt64(index) * 1024]
      + extent.digests[index * 16..<(index + 1) * 16].map { UInt64($0) }
  }

  @Test func aSliceOfZerosIsZeros() {
    let extent = PageExtent(first: 10, count: 5, location: nil, digests: [])
    #expect(
      extent.slice(from: 11, to: 13, pageSize: 4096) == PageExtent(first: 11, count: 2, location: nil, digests: []))
    #expect(extent.slice(from: 10, to: 15, pageSize: 4096) == extent)
  }
}
