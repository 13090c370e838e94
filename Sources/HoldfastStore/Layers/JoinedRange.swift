/// Several ranges of an object that are read with one request.
struct JoinedRange {
  /// The longest gap between two ranges that is read too, in bytes. A second request would cost more.
  private static let gapMax: UInt64 = 16 << 10

  private(set) var range: Range<UInt64>
  /// The indices of the joined ranges.
  private(set) var members: [Int]

  /// Joins neighbouring ranges. Empty ranges are left out.
  static func joining(_ ranges: [Range<UInt64>]) -> [JoinedRange] {
    var joined: [JoinedRange] = []
    for index in ranges.indices.sorted(by: { ranges[$0].lowerBound < ranges[$1].lowerBound })
    where !ranges[index].isEmpty {
      let next = ranges[index]
      if let last = joined.last?.range, next.lowerBound <= last.upperBound + gapMax,
        max(last.upperBound, next.upperBound) - last.lowerBound <= ReadAheadStore.requestBytes
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
