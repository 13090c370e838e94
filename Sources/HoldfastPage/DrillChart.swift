internal import HoldfastArchive
internal import HoldfastModel

/// The newest drills, each a bar that is divided into its phases, all on one scale.
struct DrillChart {
  private static let rowsMax = 6
  private static let coloursCount = 8
  private static let height = 12
  let source: ReportFacts.Source

  private typealias Drill = (run: JournalEntry, evidence: DrillEvidence)

  var html: HTML {
    let drills = source.runs.compactMap { run -> Drill? in run.drill.map { (run, $0) } }.suffix(Self.rowsMax)
    let longest = drills.map { Self.length($0.evidence) }.max() ?? 0
    guard longest > 0 else { return .all([]) }
    var names: [String] = []
    for phase in drills.flatMap(\.evidence.phases) where !names.contains(phase.name) { names.append(phase.name) }
    return .element(
      "figure", [:], .element("figcaption", [:], "Drills and their phases"),
      .all(drills.reversed().map { row($0, longest: longest, names) }),
      Legend(names.enumerated().map { ("c\($0.offset % Self.coloursCount)", $0.element) }).html)
  }

  private static func length(_ evidence: DrillEvidence) -> Double {
    evidence.phases.reduce(0) { $0 + $1.took.seconds }
  }

  private func row(_ drill: Drill, longest: Double, _ names: [String]) -> HTML {
    let result = drill.evidence.passed ? "passed" : "FAILED"
    let label =
      "\(TimeAxis.minute(drill.run.ended)): \(result) in \(Amount.duration(.seconds(Self.length(drill.evidence)))), the database answered after \(Amount.duration(drill.evidence.restoreTime))"
    var x = 0.0
    let bars = drill.evidence.phases.map { phase in
      let width = phase.took.seconds / longest * TimeAxis.width
      defer { x += width }
      return HTML.element(
        "rect",
        [
          "class": "c\((names.firstIndex(of: phase.name) ?? 0) % Self.coloursCount)", "x": TimeAxis.number(x),
          "y": "0", "width": TimeAxis.number(max(1, width)), "height": String(Self.height),
        ], .element("title", [:], "\(phase.name): \(Amount.duration(phase.took))"))
    }
    let phases = drill.evidence.phases.map { "\($0.name) \(Amount.duration($0.took))" }.joined(separator: ", ")
    return .all([
      .element("p", ["class": drill.evidence.passed ? "label" : "label bad"], label),
      .element(
        "svg",
        [
          "viewBox": "0 0 \(TimeAxis.number(TimeAxis.width)) \(Self.height)", "preserveAspectRatio": "none",
          "role": "img", "aria-label": "\(label): \(phases)", "class": "phases",
        ], .all(bars)),
    ])
  }
}
