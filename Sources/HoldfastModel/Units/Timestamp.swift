/// A point in time with nanoseconds, as the kernel keeps it.
package struct Timestamp: Hashable, Sendable, Comparable {
  package var seconds: Int64
  /// 0 to 999,999,999.
  package var nanoseconds: UInt32

  package static let nanosecondsPerSecond: UInt32 = 1_000_000_000

  package init(seconds: Int64, nanoseconds: UInt32) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  package static func < (left: Timestamp, right: Timestamp) -> Bool {
    (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
  }

  /// The time from `earlier` to `later`; negative when they are in the other order.
  package static func - (later: Timestamp, earlier: Timestamp) -> TimeSpan {
    let (whole, isOver) = later.seconds.subtractingReportingOverflow(earlier.seconds)
    // At such distances a second more or less does not matter.
    return .seconds(
      (isOver ? Double(later.seconds) - Double(earlier.seconds) : Double(whole))
        + (Double(later.nanoseconds) - Double(earlier.nanoseconds)) / 1e9)
  }
}

// MARK: - Whole numbers

extension Timestamp {
  private static let microsecondsPerSecond: Int64 = 1_000_000

  package init(microseconds: Int64) {
    var (seconds, rest) = microseconds.quotientAndRemainder(dividingBy: Self.microsecondsPerSecond)
    if rest < 0 { (seconds, rest) = (seconds - 1, rest + Self.microsecondsPerSecond) }
    self.init(seconds: seconds, nanoseconds: UInt32(rest) * 1000)
  }

  /// Microseconds since 1970-01-01 UTC, cut; a time that does not fit becomes the nearest that does.
  package var microseconds: Int64 {
    let (product, isOver) = seconds.multipliedReportingOverflow(by: Self.microsecondsPerSecond)
    let (sum, isBeyond) = product.addingReportingOverflow(Int64(nanoseconds / 1000))
    return isOver || isBeyond ? (seconds < 0 ? .min : .max) : sum
  }

  package init(milliseconds: Int64) {
    let (product, isOver) = milliseconds.multipliedReportingOverflow(by: 1000)
    self.init(microseconds: isOver ? (milliseconds < 0 ? .min : .max) : product)
  }

  /// Milliseconds since 1970-01-01 UTC, cut.
  package var milliseconds: Int64 { microseconds / 1000 }
}
