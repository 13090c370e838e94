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
