/// An instant in local time, as a calendar and a wall clock show it.
package struct CalendarTime: Hashable, Sendable {
  package var year: Int
  package var month: Int
  package var day: Int
  package var hour: Int
  /// Seconds east of UTC. It distinguishes the two equal hours of the night in which clocks are put back.
  package var offset: Int
  /// The ISO 8601 week year: weeks begin on Monday, and week 1 of a year contains its first Thursday.
  package var weekYear: Int
  package var week: Int

  /// - Parameters:
  ///   - dayOfYear: from 0.
  ///   - weekday: from 0, which is Monday.
  package init(year: Int, month: Int, day: Int, hour: Int, offset: Int, dayOfYear: Int, weekday: Int) {
    (self.year, self.month, self.day, self.hour, self.offset) = (year, month, day, hour, offset)
    // A day belongs to the week of its Thursday.
    let thursday = dayOfYear - weekday + 3
    if thursday < 0 {
      weekYear = year - 1
      week = (thursday + Self.days(in: year - 1)) / 7 + 1
    } else if thursday >= Self.days(in: year) {
      weekYear = year + 1
      week = 1
    } else {
      weekYear = year
      week = thursday / 7 + 1
    }
  }

  private static func days(in year: Int) -> Int {
    year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 366 : 365
  }
}
