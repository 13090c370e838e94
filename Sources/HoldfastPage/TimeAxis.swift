internal import HoldfastModel
internal import HoldfastSystem

/// The horizontal axis of a chart: a span of time on 1,000 units of width. A chart is stretched to the width of its
/// box, so its words stand beside it as text of the page and stay readable on a telephone.
struct TimeAxis {
  static let width = 1000.0
  let begin: Timestamp
  let end: Timestamp

  /// - Returns: the position of a time, 0 to 1,000.
  func x(_ time: Timestamp) -> Double {
    let span = (end - begin).seconds
    guard span > 0 else { return Self.width }
    return max(0, min(Self.width, (time - begin).seconds / span * Self.width))
  }

  func contains(_ time: Timestamp) -> Bool { begin <= time && time <= end }

  /// The dates below a chart: those of its two ends and of its middle, with the time of day where it shows few days.
  var labels: HTML {
    let middle = Timestamp(milliseconds: begin.milliseconds / 2 + end.milliseconds / 2)
    let length = (end - begin) < .days(3) ? 16 : 10
    let dates = [begin, middle, end].map { HTML.element("span", [:], String(TimeText.local($0).prefix(length))) }
    return .element("div", ["class": "dates", "aria-hidden": "true"], .all(dates))
  }

  /// Returns the local date of a time: `2026-11-30`.
  static func day(_ time: Timestamp) -> String { String(TimeText.local(time).prefix(10)) }

  /// Returns a local time without its seconds: `2026-11-30 04:00`.
  static func minute(_ time: Timestamp) -> String { String(TimeText.local(time).prefix(16)) }

  /// Returns a length of time, to the minute: a second less than a day is `24 h`.
  static func length(_ span: TimeSpan) -> String {
    span < .minutes(1) ? Amount.age(span) : Amount.age(.minutes((span / .minutes(1)).rounded()))
  }

  /// Returns a number for a drawing, with two decimals at most.
  static func number(_ value: Double) -> String {
    let rounded = (value * 100).rounded() / 100
    return rounded == rounded.rounded() ? String(Int64(saturating: rounded)) : String(rounded)
  }
}
