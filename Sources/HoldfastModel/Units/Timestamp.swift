/// An instant with nanoseconds, as the kernel keeps it.
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

  /// Seconds from this instant to `later`.
  package func secondsUntil(_ later: Timestamp) -> Double {
    let (whole, isOver) = later.seconds.subtractingReportingOverflow(seconds)
    // At such distances a second more or less does not matter.
    return (isOver ? Double(later.seconds) - Double(seconds) : Double(whole))
      + (Double(later.nanoseconds) - Double(nanoseconds)) / 1e9
  }
}
