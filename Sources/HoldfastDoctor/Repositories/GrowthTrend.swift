package import HoldfastModel

/// The growth of what is stored, as the median of the slopes between all pairs of points (Theil and Sen): a few unusual
/// days, such as that of a full snapshot, hardly change it.
package struct GrowthTrend: Sendable {
  /// The most points that are compared with each other.
  private static let pointsMax = 200
  private static let windowMax = TimeSpan.days(90)
  private static let windowMin = TimeSpan.days(1)

  package let bytesPerDay: Double

  /// - Parameter stored: the times at which bytes were stored, and their numbers, in any order. Times after `now` do
  ///   not count.
  /// - Returns: `nil` if fewer than three points or less than a day are known.
  package init?(_ stored: [(time: Timestamp, bytes: UInt64)], now: Timestamp) {
    let known = stored.filter { $0.time <= now && now - $0.time <= Self.windowMax }.sorted { $0.time < $1.time }
    guard let first = known.first, let last = known.last, last.time - first.time >= Self.windowMin else { return nil }
    var total = 0.0
    let sums = known.map { point in
      total += Double(point.bytes)
      return (days: (point.time - first.time) / .days(1), bytes: total)
    }
    let points = Self.thinned(sums)
    guard points.count >= 3 else { return nil }
    var slopes: [Double] = []
    for (index, later) in points.enumerated() {
      for earlier in points[..<index] where later.days > earlier.days {
        slopes.append((later.bytes - earlier.bytes) / (later.days - earlier.days))
      }
    }
    guard let statistic = RobustStatistic(slopes) else { return nil }
    bytesPerDay = statistic.median
  }

  /// Returns points that are evenly spread, with the first and the last.
  private static func thinned<Point>(_ points: [Point]) -> [Point] {
    guard points.count > pointsMax else { return points }
    return (0..<pointsMax).map { points[$0 * (points.count - 1) / (pointsMax - 1)] }
  }

  /// The time until so many bytes are used up; `nil` if that is not in sight: nothing grows, or it takes ten years.
  package func time(until bytes: UInt64) -> TimeSpan? {
    guard bytesPerDay >= 1 else { return nil }
    let time = TimeSpan.days(Double(bytes) / bytesPerDay)
    return time < .days(3650) ? time : nil
  }
}
