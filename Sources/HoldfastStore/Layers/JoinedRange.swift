/// Ranges that come with one request.
struct JoinedRange {
  /// Bytes between two ranges that are rather read as well than asked for apart.
  private static let gapMax: UInt64 = 16 << 10
  private static let bytesMax: UInt64 = 8 << 20

  private(set) var range: Range<UInt64>
  /// Which of the ranges, by their indices.
  private(set) var members: [Int]

  /// Joins neighbours. Ranges that are empty are in none.
  static func joining(_ ranges: [Range<UInt64>]) -> [JoinedRange] {
    var joined: [JoinedRange] = []
    for index in ranges.indices.sorted(by: { ranges[$0].lowerBound < ranges[$1].lowerBound })
    where !ranges[index].isEmpty {
      let next = ranges[index]
      if let last = joined.last?.range, next.lowerBound <= last.upperBound + gapMax,
        max(last.upperBound, next.upperBound) - last.lowerBound <= bytesMax
      {
        joined[joined.count - 1].range = last.lowerBound..<max(last.upperBound, next.upperBound)
        joined[joined.count - 1].members.append(index)
      } else {
        joined.append(JoinedRange(range: next, members: [index]))
      }
    }
    return joined
  }
}
