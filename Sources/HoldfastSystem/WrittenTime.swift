internal import Glibc
package import HoldfastModel

/// A time as somebody wrote it, with the precision that was written: `2026-11-22 14:05` means the whole minute, a date
/// the whole day.
package struct WrittenTime {
  /// The smallest unit that was written.
  enum Unit: Equatable {
    case day, hour, minute, second
    /// - Parameter digits: the number of digits, 1 to 9.
    case fraction(digits: Int)
  }

  /// The time zone of the clock that was read.
  enum Zone: Equatable {
    /// The time zone of this machine.
    case local
    /// A clock of this machine, by its abbreviation, such as `CET` or `CEST`.
    case named(String)
    /// An offset from UTC, in seconds to the east.
    case offset(Int)
  }

  var year: Int
  /// 1 to 12.
  var month: Int
  /// 1 to 31.
  var day: Int
  var hour = 0
  var minute = 0
  /// 0 to 60.
  var second = 0
  var nanoseconds: UInt32 = 0
  var unit = Unit.day
  var zone = Zone.local

  /// The first instant of the written time.
  package var first: Timestamp { Timestamp(seconds: seconds(isLast: false), nanoseconds: nanoseconds) }

  /// The last instant of the written time. If the clock showed that time twice, the later one.
  package var last: Timestamp {
    guard case .fraction(let digits) = unit else {
      return Timestamp(seconds: seconds(isLast: true), nanoseconds: 999_999_999)
    }
    let step = (digits..<9).reduce(UInt32(1)) { step, _ in step * 10 }
    return Timestamp(seconds: seconds(isLast: true), nanoseconds: nanoseconds + step - 1)
  }

  /// Both instants at which this machine's clock showed the time, the earlier first, if clocks were put back in
  /// between; otherwise `nil`.
  package var twice: (earlier: Timestamp, later: Timestamp)? {
    let isLast = unit == .day
    guard case .local = zone, let earlier = instants(isLast: isLast).min(), let later = instants(isLast: isLast).max(),
      earlier < later
    else { return nil }
    return (
      Timestamp(seconds: earlier, nanoseconds: nanoseconds), Timestamp(seconds: later, nanoseconds: nanoseconds)
    )
  }

  /// Returns the first or last second of the written time, in seconds since 1970.
  private func seconds(isLast: Bool) -> Int64 {
    if case .offset(let offset) = zone {
      var fields = fields(isLast: isLast)
      return Int64(timegm(&fields)) - Int64(offset)
    }
    let found = instants(isLast: isLast)
    if let chosen = isLast ? found.max() : found.min() { return chosen }
    // The clock was put forward over this time, or it is a leap second.
    var fields = fields(isLast: isLast)
    fields.tm_isdst = -1
    return Int64(mktime(&fields))
  }

  /// Returns the instants at which this machine's clock shows the time: usually one; two if it is put back; none if it
  /// is put forward.
  private func instants(isLast: Bool) -> [Int64] {
    [Int32(0), 1].compactMap { isSummer in
      var fields = fields(isLast: isLast)
      let wanted = (fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec)
      fields.tm_isdst = isSummer
      var instant = mktime(&fields)
      var shown = tm()
      localtime_r(&instant, &shown)
      guard (shown.tm_mday, shown.tm_hour, shown.tm_min, shown.tm_sec) == wanted else { return nil }
      if case .named(let name) = zone, String(cString: shown.tm_zone) != name { return nil }
      return Int64(instant)
    }
  }

  /// True if the zone is one of this machine's clock at this time of the year.
  var isKnownZone: Bool {
    if case .named = zone { return !instants(isLast: false).isEmpty }
    return true
  }

  private func fields(isLast: Bool) -> tm {
    var fields = tm()
    fields.tm_year = Int32(year - 1900)
    fields.tm_mon = Int32(month - 1)
    fields.tm_mday = Int32(day)
    fields.tm_hour = Int32(isLast && unit == .day ? 23 : hour)
    fields.tm_min = Int32(isLast && (unit == .day || unit == .hour) ? 59 : minute)
    fields.tm_sec = Int32(isLast && [.day, .hour, .minute].contains(unit) ? 59 : second)
    return fields
  }
}

extension WrittenTime {
  /// Parses a time as people paste it: as `list` shows it, with `--json` or without, or as `date` prints it, also with
  /// `-R` or `-Is`; or as people type it: `YYYY-MM-DD[{T| }HH[:MM[:SS[.fff]]]]` followed by a zone (`Z`, `±HH[:]MM`,
  /// `UTC`, or the zone of this machine, such as `CET`), or in local time.
  /// - Returns: `nil` for anything else, and for the abbreviation of a foreign zone, which may be ambiguous.
  package init?(_ text: String) {
    guard let written = WrittenTime(numeric: text) ?? WrittenTime(words: text), written.isKnownZone else { return nil }
    self = written
  }

  /// Parses `YYYY-MM-DD[{T| }HH[:MM[:SS[.fff]]][ZONE]]`.
  init?(numeric text: String) {
    var reader = FieldReader(text: Array(text.utf8))
    guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
      let day = reader.number(2)
    else { return nil }
    self.init(year: year, month: month, day: day)
    if !reader.isAtEnd {
      guard reader.skip("T") || reader.skip(" "), readClock(&reader) else { return nil }
    }
    if !reader.isAtEnd {
      guard let zone = reader.zoneOfAnyKind(), reader.isAtEnd else { return nil }
      self.zone = zone
    }
    guard isSound else { return nil }
  }

  /// Parses `Sat Nov 28 14:56:04 UTC 2026`, or `Sat, 28 Nov 2026 14:56:04 +0000`: words that include an English month
  /// name, in any order.
  private init?(words text: String) {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    self.init(year: 0, month: 0, day: 0)
    var isAfternoon: Bool?
    for word in text.split(whereSeparator: { $0 == " " || $0 == "," }).map(String.init) {
      let isNumber = word.utf8.allSatisfy { (0x30...0x39).contains($0) }
      if let number = months.firstIndex(of: word), month == 0 {
        month = number + 1
      } else if isNumber, word.utf8.count == 4, year == 0, let number = Int(word) {
        year = number
      } else if isNumber, word.utf8.count <= 2, day == 0, let number = Int(word) {
        day = number
      } else if word.contains(":"), unit == .day {
        var reader = FieldReader(text: Array(word.utf8))
        guard readClock(&reader), reader.isAtEnd else { return nil }
      } else if word == "AM" || word == "PM", isAfternoon == nil {
        isAfternoon = word == "PM"
      } else if !days.contains(word) {
        var reader = FieldReader(text: Array(word.utf8))
        guard zone == .local, let found = reader.zoneOfAnyKind(), reader.isAtEnd else { return nil }
        zone = found
      }
    }
    if let isAfternoon {
      guard (1...12).contains(hour) else { return nil }
      hour = hour % 12 + (isAfternoon ? 12 : 0)
    }
    guard year > 0, isSound else { return nil }
  }

  private init(year: Int, month: Int, day: Int) {
    self.year = year
    self.month = month
    self.day = day
  }

  /// Reads `HH[:MM[:SS[.fff]]]`.
  private mutating func readClock(_ reader: inout FieldReader) -> Bool {
    guard let hour = reader.number(2) else { return false }
    (self.hour, unit) = (hour, .hour)
    guard reader.skip(":") else { return true }
    guard let minute = reader.number(2) else { return false }
    (self.minute, unit) = (minute, .minute)
    guard reader.skip(":") else { return true }
    guard let second = reader.number(2) else { return false }
    (self.second, unit) = (second, .second)
    guard reader.skip(".") else { return true }
    guard let fraction = reader.fraction() else { return false }
    (nanoseconds, unit) = (fraction.nanoseconds, .fraction(digits: fraction.digits))
    return true
  }

  private var isSound: Bool {
    (1...12).contains(month) && (1...daysOfMonth).contains(day) && hour < 24 && minute < 60 && second < 61
  }

  private var daysOfMonth: Int {
    switch month {
    case 2: year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}

/// Reads digits of fixed width from the front of a text.
struct FieldReader {
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

  /// Reads one to nine digits after the decimal point.
  mutating func fraction() -> (nanoseconds: UInt32, digits: Int)? {
    var value: UInt32 = 0
    var digits = 0
    while digits < 9, let digit = number(1) {
      value = value * 10 + UInt32(digit)
      digits += 1
    }
    guard digits > 0 else { return nil }
    for _ in digits..<9 { value *= 10 }
    return (value, digits)
  }

  /// Reads `Z`, `UTC`, `GMT`, `±HH[[:]MM]` or an abbreviation of letters, with or without a space before it.
  mutating func zoneOfAnyKind() -> WrittenTime.Zone? {
    _ = skip(" ")
    let name = String(decoding: text[position...].prefix { (0x41...0x5a).contains($0) }, as: UTF8.self)
    if !name.isEmpty {
      position += name.utf8.count
      return ["Z", "UTC", "GMT"].contains(name) ? .offset(0) : .named(name)
    }
    let sign = skip("+") ? 1 : (skip("-") ? -1 : 0)
    guard sign != 0, let hours = number(2) else { return nil }
    let isSeparated = skip(":")
    // PostgreSQL leaves out minutes when they are zero.
    let minutes = isSeparated || !isAtEnd ? number(2) : 0
    guard let minutes, hours < 24, minutes < 60 else { return nil }
    return .offset(sign * (hours * 3600 + minutes * 60))
  }
}
