internal import Glibc
package import HoldfastModel

/// The source of the time. No order of snapshots depends on it.
package struct Clock: Sendable {
  /// The time of day.
  package let now: @Sendable () -> Timestamp
  /// The time since the machine was started, by a clock that never goes back: for durations and deadlines.
  package let uptime: @Sendable () -> TimeSpan

  package init(now: @escaping @Sendable () -> Timestamp, uptime: @escaping @Sendable () -> TimeSpan) {
    self.now = now
    self.uptime = uptime
  }

  package static let system = Clock(
    now: {
      var time = timespec()
      clock_gettime(CLOCK_REALTIME, &time)
      return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: UInt32(time.tv_nsec))
    },
    uptime: {
      var time = timespec()
      clock_gettime(CLOCK_MONOTONIC, &time)
      return .seconds(Double(time.tv_sec) + Double(time.tv_nsec) / 1e9)
    })
}

/// Times as text: RFC 3339 in UTC for machines, local time for people.
package enum TimeText {
  /// The most seconds before or after 1970 that a calendar with 32-bit years can show. A time beyond is shown as the
  /// last one within.
  private static let secondsMax: Int64 = 67_000_000_000_000_000

  /// Returns the seconds of a time, limited to those that have a date.
  static func showable(_ time: Timestamp) -> time_t { time_t(max(-secondsMax, min(secondsMax, time.seconds))) }

  /// Returns a time such as `2026-11-22T14:05:03.123Z`.
  package static func utc(_ time: Timestamp) -> String {
    var seconds = showable(time)
    var fields = tm()
    gmtime_r(&seconds, &fields)
    return date(fields) + "T" + clock(fields) + "." + padded(Int(time.nanoseconds / 1_000_000), 3) + "Z"
  }

  /// Returns a time such as `2026-11-22T14:05:03.123456Z`: as exact as PostgreSQL's times, and in a form that it reads.
  package static func exact(_ time: Timestamp) -> String {
    String(utc(time).dropLast(4)) + padded(Int(time.nanoseconds / 1000), 6) + "Z"
  }

  /// Returns a time such as `2026-11-22 15:05:03 +0100`.
  package static func local(_ time: Timestamp) -> String {
    var seconds = showable(time)
    var fields = tm()
    localtime_r(&seconds, &fields)
    let minutes = abs(fields.tm_gmtoff) / 60
    let sign = fields.tm_gmtoff < 0 ? "-" : "+"
    return date(fields) + " " + clock(fields) + " " + sign + padded(minutes / 60, 2) + padded(minutes % 60, 2)
  }

  /// Returns a time such as `15:05`.
  package static func localClock(_ time: Timestamp) -> String {
    var seconds = showable(time)
    var fields = tm()
    localtime_r(&seconds, &fields)
    return String(clock(fields).prefix(5))
  }

  private static func date(_ fields: tm) -> String {
    padded(Int(fields.tm_year) + 1900, 4) + "-" + padded(Int(fields.tm_mon) + 1, 2) + "-"
      + padded(Int(fields.tm_mday), 2)
  }

  private static func clock(_ fields: tm) -> String {
    padded(Int(fields.tm_hour), 2) + ":" + padded(Int(fields.tm_min), 2) + ":" + padded(Int(fields.tm_sec), 2)
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  /// Parses `YYYY-MM-DD[T ]HH:MM[:SS[.fff]]`, followed by a zone or in local time, as its first instant; a date alone
  /// as its last. For text that an operator writes, use `WrittenTime`.
  package static func parse(_ text: String) -> Timestamp? {
    guard let written = WrittenTime(numeric: text), written.isKnownZone, written.unit != .hour else { return nil }
    return written.unit == .day ? written.last : written.first
  }
}
