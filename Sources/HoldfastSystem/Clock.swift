internal import Glibc
package import HoldfastModel

/// Where the time comes from. Order never depends on it.
package struct Clock: Sendable {
  /// The time of day.
  package let now: @Sendable () -> Timestamp
  /// Seconds that only ever grow, for durations.
  package let uptime: @Sendable () -> Double

  package init(now: @escaping @Sendable () -> Timestamp, uptime: @escaping @Sendable () -> Double) {
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
      return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    })
}

/// Times as text: RFC 3339 in UTC for machines, local time for people.
package enum TimeText {
  /// `2026-11-22T14:05:03.123Z`
  package static func utc(_ time: Timestamp) -> String {
    var seconds = time_t(time.seconds)
    var fields = tm()
    gmtime_r(&seconds, &fields)
    return date(fields) + "T" + clock(fields) + "." + padded(Int(time.nanoseconds / 1_000_000), 3) + "Z"
  }

  /// `2026-11-22T14:05:03.123456Z`: as exact as PostgreSQL's times, and in a spelling that it reads.
  package static func exact(_ time: Timestamp) -> String {
    String(utc(time).dropLast(4)) + padded(Int(time.nanoseconds / 1000), 6) + "Z"
  }

  /// `2026-11-22 15:05:03 +0100`
  package static func local(_ time: Timestamp) -> String {
    var seconds = time_t(time.seconds)
    var fields = tm()
    localtime_r(&seconds, &fields)
    let minutes = abs(fields.tm_gmtoff) / 60
    let sign = fields.tm_gmtoff < 0 ? "-" : "+"
    return date(fields) + " " + clock(fields) + " " + sign + padded(minutes / 60, 2) + padded(minutes % 60, 2)
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

  private static func days(in month: Int, of year: Int) -> Int {
    switch month {
    case 2: year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Reads `YYYY-MM-DD[T ]HH:MM[:SS[.fff]]` with `Z` or `±HH[:]MM` behind it, or in local time; a date alone means its last instant.
  package static func parse(_ text: String) -> Timestamp? {
    var reader = FieldReader(text: Array(text.utf8))
    guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
      let day = reader.number(2), (1...12).contains(month), (1...days(in: month, of: year)).contains(day)
    else { return nil }
    var fields = tm()
    fields.tm_year = Int32(year - 1900)
    fields.tm_mon = Int32(month - 1)
    fields.tm_mday = Int32(day)
    fields.tm_isdst = -1
    if reader.isAtEnd {
      (fields.tm_hour, fields.tm_min, fields.tm_sec) = (23, 59, 59)
      return Timestamp(seconds: Int64(mktime(&fields)), nanoseconds: 999_999_999)
    }
    guard reader.skip("T") || reader.skip(" "), let hour = reader.number(2), reader.skip(":"),
      let minute = reader.number(2), hour < 24, minute < 60
    else { return nil }
    fields.tm_hour = Int32(hour)
    fields.tm_min = Int32(minute)
    var nanoseconds: UInt32 = 0
    if reader.skip(":") {
      guard let second = reader.number(2), second < 61 else { return nil }
      fields.tm_sec = Int32(second)
      if reader.skip(".") {
        guard let fraction = reader.fraction() else { return nil }
        nanoseconds = fraction
      }
    }
    if reader.isAtEnd { return Timestamp(seconds: Int64(mktime(&fields)), nanoseconds: nanoseconds) }
    guard let offset = reader.zone(), reader.isAtEnd else { return nil }
    return Timestamp(seconds: Int64(timegm(&fields)) - Int64(offset), nanoseconds: nanoseconds)
  }
}

/// Reads fixed fields of digits from the front of a text.
private struct FieldReader {
  let text: [UInt8]
  var position = 0

  var isAtEnd: Bool { position == text.count }

  mutating func skip(_ character: Character) -> Bool {
    guard position < text.count, text[position] == character.asciiValue else { return false }
    position += 1
    return true
  }

  mutating func number(_ width: Int) -> Int? {
    guard position + width <= text.count else { return nil }
    var value = 0
    for byte in text[position..<position + width] {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
      value = value * 10 + Int(byte - UInt8(ascii: "0"))
    }
    position += width
    return value
  }

  /// One to nine digits after the point, in nanoseconds.
  mutating func fraction() -> UInt32? {
    var value: UInt32 = 0
    var digits = 0
    while digits < 9, let digit = number(1) {
      value = value * 10 + UInt32(digit)
      digits += 1
    }
    guard digits > 0 else { return nil }
    for _ in digits..<9 { value *= 10 }
    return value
  }

  /// Seconds east of UTC.
  mutating func zone() -> Int? {
    if skip("Z") { return 0 }
    let sign = skip("+") ? 1 : (skip("-") ? -1 : 0)
    _ = sign == 0 ? skip(" ") : false
    let finalSign = sign != 0 ? sign : (skip("+") ? 1 : (skip("-") ? -1 : 0))
    guard finalSign != 0, let hours = number(2) else { return nil }
    _ = skip(":")
    guard let minutes = number(2), hours < 24, minutes < 60 else { return nil }
    return finalSign * (hours * 3600 + minutes * 60)
  }
}
