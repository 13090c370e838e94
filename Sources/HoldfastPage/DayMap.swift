internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// A calendar of days, one square each: how much of the stored bytes was proved on that day, and how many snapshots of
/// that day are there.
struct DayMap {
  private static let daysMax = 182
  let source: ReportFacts.Source
  let axis: TimeAxis

  private struct Day {
    var proved = 0.0
    var hasFailed = false
    var snapshots = 0
  }

  var html: HTML {
    let days = days
    return .all([
      map(
        "Proved by day", days,
        note:
          "The share of the stored bytes that verifies read and proved on that day: the darker, the more. Red: a verify or a drill failed or found damage."
      ) { day in
        if day.hasFailed { return ("bad", "failed") }
        guard day.proved > 0 else { return ("p0", "nothing proved") }
        return ("p\(min(4, 1 + Int(saturating: day.proved * 3.999)))", "\(Amount.share(day.proved)) proved")
      },
      map(
        "Snapshots by day", days,
        note: "The days to which a restore can go back: the darker, the more snapshots of that day are kept."
      ) { day in
        let level = day.snapshots == 0 ? "p0" : "p\(min(4, 1 + day.snapshots / 4))"
        return (level, Amount.count(UInt64(day.snapshots), "snapshot"))
      },
    ])
  }

  /// The days of the axis, the newest ones if there are too many, by their local date.
  private var days: [(date: String, day: Day)] {
    var days: [String: Day] = [:]
    for snapshot in source.snapshots where axis.contains(snapshot.envelope.started) {
      days[TimeAxis.day(snapshot.envelope.started), default: Day()].snapshots += 1
    }
    for run in source.runs where axis.contains(run.ended) && [.verify, .drill].contains(run.command) {
      let isFine = [ExitStatus.done, .incomplete, .objectiveMissed].contains { $0.rawValue == run.status }
      var day = days[TimeAxis.day(run.ended), default: Day()]
      if isFine { day.proved = min(1, day.proved + (run.share ?? 0)) } else { day.hasFailed = true }
      days[TimeAxis.day(run.ended)] = day
    }
    let count = min(Self.daysMax, Int(saturating: ((axis.end - axis.begin).seconds / 86_400).rounded(.up)) + 1)
    // Half days, because one with a change of the clock has 23 or 25 hours.
    var dates: [String] = []
    for back in 0..<2 * max(1, count) where dates.count < max(1, count) {
      let date = TimeAxis.day(Timestamp(seconds: axis.end.seconds - Int64(back) * 43_200, nanoseconds: 0))
      if date != dates.last { dates.append(date) }
    }
    return dates.reversed().map { ($0, days[$0] ?? Day()) }
  }

  private func map(
    _ title: String, _ days: [(date: String, day: Day)], note: String, _ value: (Day) -> (level: String, text: String)
  ) -> HTML {
    let squares = days.map { date, day in
      let (level, text) = value(day)
      return HTML.element("span", ["class": "day \(level)", "title": "\(date): \(text)"])
    }
    let marked = days.count { value($0.day).level != "p0" }
    let summary = "\(title): \(marked) of \(Amount.count(UInt64(days.count), "day"))"
    return .element(
      "figure", [:], .element("figcaption", [:], title),
      .element("div", ["class": "days", "role": "img", "aria-label": summary], .all(squares)),
      .element("p", ["class": "dates"], "\(days.first?.date ?? "") to \(days.last?.date ?? "")"),
      .element("p", ["class": "note"], note))
  }
}
