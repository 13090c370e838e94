internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastSystem

/// A table of the targets: the newest snapshot of each source there, and by how much it lags behind home.
struct TargetTable {
  let facts: ReportFacts

  var html: HTML {
    guard !facts.targets.isEmpty else { return .all([]) }
    return .element(
      "section", ["aria-label": "Targets"], .element("h2", [:], "Where the copies are"),
      RunTables.table(
        "Targets", ["Target", "Source", "Newest there", "Lag", "Missing", "Copy", "Keeps"],
        facts.targets.flatMap(rows)),
      .element(
        "p", ["class": "note"],
        "The lag is the time between the newest snapshot at home and the newest there. Missing are the snapshots of home that a target does not have whole."
      ),
      .element(
        "details", [:], .element("summary", [:], "Redundancy, line by line"),
        .element(
          "pre", ["tabindex": "0"], facts.redundancy.flatMap(RedundancyText.lines).joined(separator: "\n"))))
  }

  private func rows(_ target: ReportFacts.Target) -> [[String]] {
    let name = target.isHome ? "\(target.name) (home)" : target.name
    let keeps = target.keeps.map { RetentionText($0).text } ?? (target.isHome ? "" : "as home")
    switch target.holdings {
    case .failure(let failure): return [[name, "", "", "", "", "does not answer: \(failure.message)", keeps]]
    case .success(let holdings):
      return holdings.map { holding in
        [
          name, holding.source.text, holding.newest.map(TimeAxis.minute) ?? "none",
          target.isHome ? "" : facts.lag(of: holding).map { $0 == .zero ? "none" : TimeAxis.length($0) } ?? "unknown",
          target.isHome ? "" : holding.behind.map { Amount.count(UInt64($0), "snapshot") } ?? "unknown",
          evidence(of: holding.source, at: target.name), keeps,
        ]
      }
    }
  }

  private func evidence(of source: SourceName, at target: String) -> String {
    let copies = facts.redundancy.first { $0.source == source }?.copies ?? []
    return copies.first { $0.target == target }.map { RedundancyText.evidence($0.evidence) } ?? ""
  }
}
