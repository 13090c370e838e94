internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastSystem

/// The report as one HTML file that needs nothing else: no script, no font, no request.
package struct ReportPage {
  /// The whole file.
  package let text: String

  package init(_ facts: ReportFacts) {
    let (verdict, axis) = (Verdict(facts), facts.axis)
    text = HTML.page(
      title: "holdfast: \(StatusText.word(verdict.level))", head: .style(PageStyle.css),
      body: .all([
        Self.header(facts, verdict),
        .element(
          "main", [:], .all(facts.sources.map { Self.section($0, axis) }), TargetTable(facts: facts).html,
          Self.space(facts, axis)),
        .element(
          "footer", [:],
          "Repository \(facts.repository). The charts show the time since \(TimeAxis.day(axis.begin)). Runs come from the journal, which is information and no proof."
        ),
      ]))
  }

  static func className(_ level: SourceStatus.Concern.Level?) -> String {
    switch level {
    case .critical: "critical"
    case .warning: "warning"
    case nil: "fine"
    }
  }

  private static func header(_ facts: ReportFacts, _ verdict: Verdict) -> HTML {
    .element(
      "header", [:],
      .element("p", ["class": "note"], "\(facts.location) · \(TimeAxis.minute(facts.now))"),
      .element("h1", [:], "Can the shop be restored?"),
      .element(
        "p", ["class": "verdict \(className(verdict.level))", "role": "status"],
        .element("strong", [:], verdict.headline), .text(verdict.reason)))
  }

  private static func section(_ source: ReportFacts.Source, _ axis: TimeAxis) -> HTML {
    let status = source.status
    let level = HTML.element("span", ["class": "level \(className(status.level))"], StatusText.word(status.level))
    return .element(
      "section", ["aria-label": status.name.text], .element("h2", [:], .text(status.name.text), level),
      concerns(status), SourceFacts(status).html,
      .element("h3", [:], "History, and what was unusual"),
      Timeline(source: source, axis: axis, events: UnusualEvents(source, on: axis).all).html,
      .element(
        "div", ["class": "charts"], AgeChart(source: source, axis: axis).html,
        ChainDrawing(source: source, axis: axis).html),
      .element("h3", [:], "Proof"),
      .element(
        "div", ["class": "charts"], DayMap(source: source, axis: axis).html, DrillChart(source: source).html),
      RunTables(source: source).html,
      .element("h3", [:], "What is kept, and why"), KeptCalendar(source, now: axis.end).html)
  }

  private static func concerns(_ status: SourceStatus) -> HTML {
    guard !status.concerns.isEmpty else { return .all([]) }
    let items = status.concerns.map { concern in
      HTML.element(
        "li", ["class": className(concern.level)],
        .element("span", ["class": "word"], StatusText.word(concern.level)), .text(concern.text))
    }
    return .element("ul", ["class": "concerns"], .all(items))
  }

  private static func space(_ facts: ReportFacts, _ axis: TimeAxis) -> HTML {
    .element(
      "section", ["aria-label": "Space"], .element("h2", [:], "Space"),
      SpaceChart(facts: facts, axis: axis, forecast: SpaceForecast(facts)).html)
  }
}
