/// The usual growth of a value, hardly affected by single jumps: the median of the slopes between all pairs of points
/// (the estimator of Theil and Sen).
package struct RobustTrend: Hashable, Sendable {
  /// With more points only evenly spaced ones are used: the number of pairs is the square.
  private static let pointsMax = 400

  /// The growth for each unit of x.
  package let slope: Double

  /// - Parameter points: in any order. `nil` if no two of them have different x.
  package init?(_ points: [(x: Double, y: Double)]) {
    let step = max(1, (points.count + Self.pointsMax - 1) / Self.pointsMax)
    let used = stride(from: 0, to: points.count, by: step).map { points[$0] }
    var slopes: [Double] = []
    slopes.reserveCapacity(used.count * max(0, used.count - 1) / 2)
    for (index, first) in used.enumerated() {
      for second in used[(index + 1)...] where first.x != second.x {
        slopes.append((second.y - first.y) / (second.x - first.x))
      }
    }
    guard let median = RobustStatistic.median(slopes) else { return nil }
    slope = median
  }
}
