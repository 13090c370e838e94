/// The offsets of the pages in a WAL or a journal that replace pages of the database file.
package struct PageIndex: Sendable {
  /// Consecutive records, from number `first` on.
  package struct Segment: Sendable {
    let first: UInt32
    /// The offset of the page in the first record.
    let offset: UInt64

    package init(first: UInt32, offset: UInt64) { (self.first, self.offset) = (first, offset) }
  }

  /// One entry a page, ascending: the page in the upper half, the number of its record in the lower half.
  private var entries: [UInt64]
  private let segments: [Segment]
  /// The bytes from one record to the next.
  private let stride: UInt64

  /// Makes an index. Of several records of one page the last counts, as in SQLite.
  /// - Parameter pages: the page of each record, in order.
  package init(pages: [UInt32], in segments: [Segment], stride: UInt64) {
    self.segments = segments
    self.stride = stride
    entries = pages.indices.map { UInt64(pages[$0]) << 32 | UInt64($0) }
    entries.sort()
    var kept = 0
    for index in entries.indices {
      if kept == 0 || entries[kept - 1] >> 32 != entries[index] >> 32 { kept += 1 }
      entries[kept - 1] = entries[index]
    }
    entries.removeLast(entries.count - kept)
  }

  package var count: Int { entries.count }

  /// Returns the offset of the page; `nil` if the main file has it.
  package func offset(of page: UInt32) -> UInt64? {
    let index = firstIndex(from: UInt64(page))
    guard index < entries.count, entries[index] >> 32 == UInt64(page) else { return nil }
    let record = UInt32(truncatingIfNeeded: entries[index])
    var (low, high) = (0, segments.count)
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].first <= record { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    return segments[low - 1].offset + UInt64(record - segments[low - 1].first) * stride
  }

  /// Returns the first page from `page` on that is in this index.
  package func next(from page: UInt32) -> UInt32? {
    let index = firstIndex(from: UInt64(page))
    return index < entries.count ? UInt32(entries[index] >> 32) : nil
  }

  /// Returns the number of these pages that are in this index.
  package func count(in pages: Range<UInt64>) -> UInt64 {
    UInt64(firstIndex(from: pages.upperBound) - firstIndex(from: pages.lowerBound))
  }

  private func firstIndex(from page: UInt64) -> Int {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle] >> 32 < page { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
