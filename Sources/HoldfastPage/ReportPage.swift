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
    let verdict = Verdict(facts)
    // A young repository fills the charts as well.
    let times = facts.sources.flatMap { $0.snapshots.map(\.envelope.started) + $0.runs.map(\.began) }
    let oldest = times.min() ?? facts.since
    let axis = TimeAxis(begin: min(facts.now, max(facts.since, oldest)), end: facts.now)
    text = HTML.page(
      title: "holdfast: \(StatusText.word(verdict.level))", head: .style(PageStyle.css),
      body: .all([
        .element(
          "header", [:], .element("h1", [:], "Can the shop be restored?"),
          .element("p", ["class": "note"], "\(TimeText.local(facts.now)) · \(facts.location)")),
        .element(
          "main", [:],
          .element("p", ["class": "verdict \(Self.className(verdict.level))", "role": "status"], verdict.text),
          Self.space(facts), .all(facts.sources.map { Self.section($0, facts, axis) })),
        .element(
          "footer", [:],
          "Repository \(facts.repository). Charts begin on \(TimeAxis.day(axis.begin)). Runs come from the journal, which is information and no proof."
        ),
      ]))
  }

  private static func className(_ level: SourceStatus.Concern.Level?) -> String {
    switch level {
    case .critical: "critical"
    case .warning: "warning"
    case nil: "fine"
    }
  }

  private static func space(_ facts: ReportFacts) -> HTML {
    guard let available = facts.availableBytes else { return .all([]) }
    let until = facts.timeUntilFull.map { span in
      span < .days(3650) ? "; at the growth of the last 30 days that lasts for \(Amount.age(span))" : ""
    }
    return .element("p", ["class": "note"], "\(Amount.bytes(available)) are free in the repository\(until ?? "").")
  }

  private static func section(_ source: ReportFacts.Source, _ facts: ReportFacts, _ axis: TimeAxis) -> HTML {
    let status = source.status
    let level = HTML.element("span", ["class": "level \(className(status.level))"], StatusText.word(status.level))
    let redundancy = facts.redundancy.first { $0.source == status.name }.map { RedundancyText.lines($0) } ?? []
    return .element(
      "section", ["aria-label": status.name.text],
      .element("h2", [:], .text("\(status.name.text): "), level),
      concerns(status), SourceFacts(status).html,
      .element(
        "div", ["class": "charts"], AgeChart(source: source, axis: axis).html,
        SizeChart(source: source, axis: axis).html, ChainDrawing(source: source, axis: axis).html,
        DayMap(source: source, axis: axis).html),
      RunTables(source: source).html,
      redundancy.isEmpty ? .all([]) : .element("pre", ["tabindex": "0"], redundancy.joined(separator: "\n")))
  }

  private static func concerns(_ status: SourceStatus) -> HTML {
    guard !status.concerns.isEmpty else { return .all([]) }
    let items = status.concerns.map { HTML.element("li", [:], "\(StatusText.word($0.level)): \($0.text)") }
    return .element("ul", [:], .all(items))
  }
}
