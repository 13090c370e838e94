internal import HoldfastEngine
internal import HoldfastModel

/// The stored bytes of all sources day by day, and the day on which the repository is full.
struct SpaceChart {
  let facts: ReportFacts
  let axis: TimeAxis
  let forecast: SpaceForecast

  var html: HTML {
    let sentence = forecast.sentence(facts)
    let note = HTML.element("p", ["class": "space"], sentence)
    let greatest = forecast.days.map(\.bytes).max() ?? 0
    guard forecast.days.count > 1, greatest > 0 else { return note }
    let points = forecast.days.map { (x: axis.x($0.time), y: Chart.y($0.bytes, of: greatest * 1.1)) }
    let area = points + [(x: points[points.count - 1].x, y: Chart.height), (x: points[0].x, y: Chart.height)]
    let chart = Chart(
      title: "Stored bytes",
      summary: "\(Amount.bytes(UInt64(saturating: greatest))) now; growth: \(forecast.growthWords).",
      top: Amount.bytes(UInt64(saturating: greatest * 1.1)), axis: axis,
      drawing: .all([Chart.area(area), Chart.line(points, class: "line")])
    ).html
    return .all([
      note, chart,
      .element(
        "p", ["class": "note"],
        forecast.growth?.bound == .atLeast
          ? "Too few fulls are known to count them: the growth is all other snapshots, over the time since the first, and the archived log."
          : "The growth is the larger of two: all that is stored, over the time since the first snapshot, and the median over all pairs of days. The archived log is in it, what a prune removed is not: the space may last longer."
      ),
    ])
  }
}
