import HoldfastSource
import HoldfastTestSupport
import Testing

/// A page is where the record that counts has it, and nowhere else.
@Suite struct PageIndexTests {
  private static let stride: UInt64 = 520

  private func index(_ pages: [UInt32], at offset: UInt64 = 100) -> PageIndex {
    PageIndex(pages: pages, in: [PageIndex.Segment(first: 0, offset: offset)], stride: Self.stride)
  }

  @Test func ofSeveralRecordsOfAPageTheLastCounts() {
    let index = index([5, 3, 5, 3, 5])
    #expect(index.count == 2)
    #expect(index.offset(of: 5) == 100 + 4 * Self.stride && index.offset(of: 3) == 100 + 3 * Self.stride)
  }

  @Test func anEmptyIndexHasNothing() {
    for empty in [index([]), PageIndex(pages: [], in: [], stride: 0)] {
      #expect(empty.count == 0 && empty.offset(of: 1) == nil && empty.next(from: 0) == nil)
      #expect(empty.count(in: 0..<UInt64.max) == 0)
    }
  }

  @Test func theGreatestNumbersAreFound() {
    let index = index([.max, 0, .max - 1], at: 1 << 62)
    #expect(index.offset(of: .max) == 1 << 62 && index.offset(of: 0) == 1 << 62 + Self.stride)
    #expect(index.next(from: .max) == .max && index.next(from: 1) == .max - 1 && index.next(from: 0) == 0)
    #expect(index.count(in: 0..<UInt64(UInt32.max)) == 2)
    #expect(index.count(in: 0..<UInt64(UInt32.max) + 1) == 3 && index.count(in: 0..<UInt64.max) == 3)
    #expect(index.count(in: UInt64(UInt32.max) + 1..<UInt64.max) == 0)
  }

  /// A record before the first segment lies nowhere.
  @Test func aRecordOutsideOfAllSegmentsIsNotFound() {
    let index = PageIndex(
      pages: [7, 8], in: [PageIndex.Segment(first: 1, offset: 50)], stride: Self.stride)
    #expect(index.offset(of: 7) == nil && index.offset(of: 8) == 50)
  }

  /// Compared with looking through all records.
  @Test func anyIndexFindsWhatALookThroughAllFinds() {
    let seed = UInt64.random(in: 0 ... .max)
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    for _ in 0..<200 {
      let pages = (0..<Int.random(in: 0...60, using: &random)).map { _ in UInt32.random(in: 1...40, using: &random) }
      var segments: [PageIndex.Segment] = []
      var offsets: [UInt64] = []
      var end: UInt64 = 0
      while offsets.count < pages.count {
        end += UInt64.random(in: 1...2000, using: &random)
        segments.append(PageIndex.Segment(first: UInt32(offsets.count), offset: end))
        for _ in 0..<min(Int.random(in: 1...9, using: &random), pages.count - offsets.count) {
          offsets.append(end)
          end += Self.stride
        }
      }
      let index = PageIndex(pages: pages, in: segments, stride: Self.stride)
      #expect(index.count == Set(pages).count, "seed \(seed)")
      for page in 0...41 as ClosedRange<UInt32> {
        #expect(index.offset(of: page) == pages.lastIndex(of: page).map { offsets[$0] }, "seed \(seed)")
        #expect(index.next(from: page) == pages.filter { $0 >= page }.min(), "seed \(seed)")
        let upper = UInt64.random(in: UInt64(page)...45, using: &random)
        let inRange = Set(pages).filter { (UInt64(page)..<upper).contains(UInt64($0)) }
        #expect(index.count(in: UInt64(page)..<upper) == UInt64(inRange.count), "seed \(seed)")
      }
    }
  }
}
