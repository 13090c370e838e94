internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel

/// The runs that the journal remembers: how many of each command failed, and each restore and drill.
struct RunTables {
  private static let rowsMax = 20
  let source: ReportFacts.Source

  var html: HTML {
    guard !source.runs.isEmpty else { return .element("p", ["class": "note"], "The journal remembers no run.") }
    return .element("details", [:], .element("summary", [:], "The runs in the journal"), counts, restores)
  }

  private var counts: HTML {
    let groups = Dictionary(grouping: source.runs, by: \.command.text).sorted { $0.key < $1.key }
    return Self.table(
      "Runs", ["Command", "Runs", "Failed", "Last", "Longest"],
      groups.map { command, runs in
        [
          command, String(runs.count), String(runs.count(where: Self.hasFailed)),
          runs.last.map { TimeAxis.minute($0.ended) } ?? "",
          runs.map(\.took).max().map { Amount.duration($0) } ?? "",
        ]
      })
  }

  private var restores: HTML {
    let runs = source.runs.filter { [.restore, .drill].contains($0.command) }
    guard !runs.isEmpty else {
      return .element(
        "p", ["class": "note"],
        "No restore and no drill is remembered: that this source can be restored was never shown.")
    }
    return Self.table(
      "Restores and drills", ["Ended", "Command", "Result", "Took", "Restored", "By"],
      runs.suffix(Self.rowsMax).reversed().map { run in
        [
          TimeAxis.minute(run.ended), run.command.text, Self.hasFailed(run) ? "failed (\(run.status))" : "done",
          Amount.duration(run.took), run.restoredBytes.map { Amount.bytes($0) } ?? "",
          run.host,
        ]
      })
  }

  private static func hasFailed(_ run: JournalEntry) -> Bool {
    run.hasFailed && run.status != ExitStatus.locked.rawValue
  }

  /// Returns a table that scrolls by itself where it is wider than the page.
  static func table(_ caption: String, _ head: [String], _ rows: [[String]]) -> HTML {
    let headings = HTML.all(head.map { .element("th", ["scope": "col"], $0) })
    let body = rows.map { row in HTML.element("tr", [:], .all(row.map { .element("td", [:], $0) })) }
    return .element(
      "div", ["class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption],
      .element(
        "table", [:], .element("caption", [:], caption), .element("thead", [:], .element("tr", [:], headings)),
        .element("tbody", [:], .all(body))))
  }
}
