/// The usual value among some numbers, hardly affected by a few outliers: the median, and the median distance from it.
package struct RobustStatistic: Hashable, Sendable {
  package let median: Double
  /// The median absolute deviation, scaled so that it compares with the standard deviation of a normal distribution.
  package let spread: Double
  package let max: Double

  /// - Parameter numbers: in any order, at least one.
  package init?(_ numbers: [Double]) {
    guard let middle = Self.median(numbers), let max = numbers.max() else { return nil }
    median = middle
    spread = 1.4826 * (Self.median(numbers.map { abs($0 - middle) }) ?? 0)
    self.max = max
  }

  /// Returns the middle of some numbers; `nil` if there are none.
  package static func median(_ numbers: [Double]) -> Double? {
    let sorted = numbers.sorted()
    guard !sorted.isEmpty else { return nil }
    let half = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[half - 1] + sorted[half]) / 2 : sorted[half]
  }
}
