internal import Glibc
package import HoldfastModel

/// The calendar of the machine's time zone (TZ, otherwise /etc/localtime).
package enum LocalCalendar {
  package static func time(of instant: Timestamp) -> CalendarTime {
    let fields = fields(of: instant)
    return CalendarTime(
      year: Int(fields.tm_year) + 1900, month: Int(fields.tm_mon) + 1, day: Int(fields.tm_mday),
      hour: Int(fields.tm_hour), offset: Int(fields.tm_gmtoff), dayOfYear: Int(fields.tm_yday),
      weekday: weekday(fields))
  }

  /// Returns the day of the week, from 0, which is Monday.
  package static func weekday(of instant: Timestamp) -> Int { weekday(fields(of: instant)) }

  private static func fields(of instant: Timestamp) -> tm {
    var seconds = TimeText.showable(instant)
    var fields = tm()
    localtime_r(&seconds, &fields)
    return fields
  }

  /// tm_wday counts from Sunday.
  private static func weekday(_ fields: tm) -> Int { (Int(fields.tm_wday) + 6) % 7 }
}
