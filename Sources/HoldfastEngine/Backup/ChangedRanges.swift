internal import HoldfastModel

/// The parts of a database that may differ from an earlier capture of it. The others are proved to be the same, and are
/// not read.
struct ChangedRanges {
  /// Ascending, apart from each other, in whole pages of the snapshot.
  private let ranges: [Range<UInt64>]

  /// - Parameters:
  ///   - pages: the pages of the database that were written since, ascending, from 1 on.
  ///   - databasePageSize: the bytes of one of these.
  ///   - size: the size of the database now.
  ///   - baseSize: its size then.
  ///   - pageSize: the bytes of a page of the snapshot.
  init(_ pages: [UInt32], of databasePageSize: UInt64, size: UInt64, baseSize: UInt64, pageSize: UInt64) {
    var ranges: [Range<UInt64>] = []
    func add(_ begin: UInt64, _ end: UInt64) {
      let start = min(begin, size) / pageSize * pageSize
      let end = min(size, (min(end, size) + pageSize - 1) / pageSize * pageSize)
      guard start < end else { return }
      if let last = ranges.last, start <= last.upperBound {
        ranges[ranges.count - 1] = last.lowerBound..<max(last.upperBound, end)
      } else {
        ranges.append(start..<end)
      }
    }
    // A page of the snapshot at the end may have been shorter, or may be now.
    let commonEnd = size == baseSize ? size : min(size, baseSize) / pageSize * pageSize
    for page in pages where page > 0 {
      let begin = (UInt64(page) - 1) * databasePageSize
      if begin < commonEnd { add(begin, begin + databasePageSize) }
    }
    if commonEnd < size { add(commonEnd, size) }
    self.ranges = ranges
  }

  /// Returns the next part at or after an offset; `nil` if there is none.
  func next(from offset: UInt64) -> Range<UInt64>? {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound <= offset { low = middle + 1 } else { high = middle }
    }
    guard low < ranges.count else { return nil }
    return max(offset, ranges[low].lowerBound)..<ranges[low].upperBound
  }
}
