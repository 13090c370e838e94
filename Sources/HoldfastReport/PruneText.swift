internal import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The result of a prune, for people.
package struct PruneText {
  package private(set) var lines: [String] = []

  package init(_ report: Prune.Report) {
    var table = Table()
    for source in report.sources where source.refusal == nil {
      table.add([source.name.text])
      for line in source.lines { table.add(Self.cells(line, isDryRun: report.isDryRun)) }
      for log in source.logs {
        let verb = report.isDryRun ? "would collect" : "collected"
        var what: [String] = []
        if log.files > 0 {
          what.append(
            "\(Amount.count(UInt64(log.files), "file")) of cluster \(log.system), \(Amount.bytes(log.bytes)): older than every snapshot that is left"
          )
        }
        if log.damagedCopies > 0 {
          let copies = Amount.count(UInt64(log.damagedCopies), "damaged copy", "damaged copies")
          what.append("\(copies) of cluster \(log.system): another one of each file is sound")
        }
        for line in what { table.add(["  " + verb, "", "log", "", "", line]) }
      }
      for target in source.targets where target.refusal == nil {
        table.add(["\(source.name) at \(target.name)"])
        for line in target.lines { table.add(Self.cells(line, isDryRun: report.isDryRun)) }
      }
    }
    // A refused source has nothing to add up: "kept 0" would look like a loss.
    guard report.sources.isEmpty || report.sources.contains(where: { $0.refusal == nil }) else { return }
    lines = table.lines.map { $0.trimmingTrailingBlanks() } + [Self.summary(report)] + Self.comparisons(report)
  }

  private static func cells(_ line: Prune.Line, isDryRun: Bool) -> [String] {
    let (verb, why) = words(line.action, isDryRun: isDryRun)
    let envelope = line.snapshot.envelope
    return [
      "  " + verb, envelope.snapshot.short, envelope.kind.rawValue, TimeText.local(envelope.started),
      "#\(envelope.sequence)", why,
    ]
  }

  /// Says what the retention of each target means for the number of copies.
  private static func comparisons(_ report: Prune.Report) -> [String] {
    report.sources.flatMap { source in
      let few = UInt64(source.belowMinCopies)
      let fewer =
        few == 0
        ? []
        : [
          "\(source.name): \(Amount.count(few, "snapshot")) that home keeps at fewer targets than min-copies says"
        ]
      return source.targets.map { target in
        var parts = ["\(source.name) at \(target.name): keeps \(RetentionText(target.policy).text)"]
        if target.keptAtHomeOnly > 0 {
          let count = Amount.count(UInt64(target.keptAtHomeOnly), "snapshot")
          parts.append("not \(count) that home keeps, with one copy less each")
        }
        if target.keptHereOnly > 0 {
          parts.append("also \(Amount.count(UInt64(target.keptHereOnly), "snapshot")) that home does not keep")
        }
        return parts.joined(separator: "; ")
      } + fewer
    }
  }

  private static func words(_ action: Prune.Action, isDryRun: Bool) -> (String, String) {
    switch action {
    case .kept(let reasons): ("keep", reasons.map(\.description).joined(separator: "; "))
    case .removed: (isDryRun ? "would remove" : "removed", "no rule keeps it")
    case .waiting(let timeLeft):
      (
        "waits",
        "removed before; " + (timeLeft.map { "collected in \(PruneText.days($0))" } ?? "it is not known since when")
      )
    case .locked(let end):
      ("locked", "removed before; collected after \(TimeText.utc(end).prefix(10)), when its lock ends")
    case .held(let hold): ("waits", "removed before; not collected: \(hold.text)")
    case .collected: (isDryRun ? "would collect" : "collected", "removed, and its grace period is over")
    }
  }

  private static func days(_ span: TimeSpan) -> String {
    let days = span / .days(1)
    return days < 2 ? Amount.duration(span.rounded()) : "\(Int(saturating: days.rounded(.up))) d"
  }

  private static func summary(_ report: Prune.Report) -> String {
    let sums = PruneSums(report)
    var parts = ["\(report.isDryRun ? "would keep" : "kept") \(sums.kept.count)"]
    parts.append("\(report.isDryRun ? "remove" : "removed") \(sums.removed.count)")
    if sums.waiting.count > 0 { parts.append("\(sums.waiting.count) removed before") }
    if sums.locked.count > 0 { parts.append("\(sums.locked.count) locked") }
    if sums.collected.count > 0 {
      parts.append("\(report.isDryRun ? "collect" : "collected") \(sums.collected.count)")
    }
    let free = report.isDryRun ? "would be free now" : "free now"
    return parts.joined(separator: ", ")
      + "; \(Amount.bytes(sums.collected.bytes &+ sums.logBytes)) \(free), \(Amount.bytes(sums.laterBytes)) when the grace period is over\(sums.locked.count > 0 ? " and locks end" : "")"
  }
}
