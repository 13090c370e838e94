internal import HoldfastModel
internal import HoldfastSystem

/// A day of the local calendar.
struct CalendarDay: Hashable {
  /// For example `2026-11-30`.
  let date: String
  let year: Int
  /// From 0, which is Monday.
  let weekday: Int

  init(_ time: Timestamp) {
    date = TimeAxis.day(time)
    year = LocalCalendar.time(of: time).year
    weekday = LocalCalendar.weekday(of: time)
  }

  /// Returns the days from one time to another, at most so many, the last ones.
  static func days(from begin: Timestamp, to end: Timestamp, max count: Int) -> [CalendarDay] {
    let wanted = max(1, min(count, Int(saturating: ((end - begin) / .days(1)).rounded(.up)) + 1))
    let first = TimeAxis.day(begin)
    var days: [CalendarDay] = []
    // Half days, because one with a change of the clock has 23 or 25 hours.
    for back in 0..<2 * wanted where days.count < wanted {
      let day = CalendarDay(
        Timestamp(seconds: end.seconds.saturatingAdding(-43_200 * Int64(back)), nanoseconds: 0))
      if day.date < first { break }
      if day != days.last { days.append(day) }
    }
    return days.reversed()
  }
}

/// A drawing of days: a column for each week, a row for each day of it, Monday first.
struct WeekGrid {
  private static let step = 12
  private static let side = 10
  /// The width of a week on the page where there is room.
  private static let weekRem = 0.9
  /// The name of a month needs the width of so many weeks.
  private static let monthWeeksMin = 4

  /// The days in their order, each with the class of its square and what it says.
  let days: [(day: CalendarDay, class: String, text: String)]
  /// The sentence for those who do not see the drawing.
  let label: String

  var html: HTML {
    var column = 0
    var squares: [HTML] = []
    var months: [(name: String, column: Int)] = []
    for (index, one) in days.enumerated() {
      if index > 0, one.day.weekday == 0 { column += 1 }
      let name = String(one.day.date.prefix(7))
      if months.last?.name != name { months.append((name, column)) }
      squares.append(
        .element(
          "rect",
          [
            "class": "day \(one.class)", "x": String(column * Self.step), "y": String(one.day.weekday * Self.step),
            "width": String(Self.side), "height": String(Self.side), "rx": "2",
          ], .element("title", [:], "\(one.day.date): \(one.text)")))
    }
    let columns = column + 1
    let grid = HTML.element(
      "svg",
      [
        "viewBox": "0 0 \(columns * Self.step - (Self.step - Self.side)) \(7 * Self.step)", "role": "img",
        "aria-label": label, "class": "weeks",
      ], .all(squares))
    return .element(
      "div", ["class": "weeks", "style": "width: \(TimeAxis.number(Double(columns) * Self.weekRem))rem"],
      Self.names(of: months, columns), grid)
  }

  /// The months above the columns in which they begin, without those for which there is no room.
  private static func names(of months: [(name: String, column: Int)], _ columns: Int) -> HTML {
    let shown = months.indices.filter { index in
      let end = index + 1 < months.count ? months[index + 1].column : columns
      return end - months[index].column >= monthWeeksMin
    }
    let names = shown.map { index in
      HTML.element(
        "span", ["style": "left: \(TimeAxis.number(Double(months[index].column) / Double(columns) * 100))%"],
        monthName(months[index].name))
    }
    return .element("div", ["class": "months", "aria-hidden": "true"], .all(names))
  }

  private static func monthName(_ month: String) -> String {
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    guard let number = Int(month.suffix(2)), names.indices.contains(number - 1) else { return month }
    return names[number - 1]
  }
}
