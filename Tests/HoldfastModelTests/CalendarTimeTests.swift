import HoldfastModel
import Testing

@Suite struct CalendarTimeTests {
  /// Counts days and weeks one by one, from a Monday on.
  @Test func weeksAreThoseOfISO8601() {
    var (year, month, day, dayOfYear, weekday) = (1969, 12, 29, 362, 0)
    var (weekYear, week) = (1970, 1)
    for _ in 0..<60_000 {
      let time = CalendarTime(
        year: year, month: month, day: day, hour: 0, offset: 0, dayOfYear: dayOfYear, weekday: weekday)
      #expect(time.weekYear == weekYear && time.week == week, "\(year)-\(month)-\(day)")
      // The next day.
      let isLeap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
      let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
      day += 1
      dayOfYear += 1
      if day > lengths[month - 1] { (month, day) = (month + 1, 1) }
      if month > 12 { (year, month, dayOfYear) = (year + 1, 1, 0) }
      weekday = (weekday + 1) % 7
      guard weekday == 0 else { continue }
      // The week that holds the fourth of January is the first.
      let isFirst = (month == 12 && day >= 29) || (month == 1 && day <= 4)
      (weekYear, week) = isFirst ? (month == 12 ? year + 1 : year, 1) : (weekYear, week + 1)
    }
  }

  @Test func periodsHaveTheNamesThatPeopleGiveThem() {
    let time = CalendarTime(year: 2026, month: 1, day: 1, hour: 4, offset: 3600, dayOfYear: 0, weekday: 3)
    #expect(
      RetentionPolicy.Period.allCases.map { $0.name(of: time) } == [
        "2026-01-01 04 h", "2026-01-01", "2026-W01", "2026-01", "2026",
      ])
  }

  @Test(arguments: ["a", "before-update", "größe", "x:1=2", String(repeating: "x", count: 64)])
  func aTagIsAWord(text: String) { #expect(Tag(text)?.text == text) }

  @Test(arguments: ["", "a b", "a,b", "-a", "a\u{1B}", "a\nb", String(repeating: "x", count: 65)])
  func aTagIsNothingElse(text: String) { #expect(Tag(text) == nil) }
}
