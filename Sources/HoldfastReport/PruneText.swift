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
      for line in source.lines {
        let (verb, why) = Self.words(line.action, isDryRun: report.isDryRun)
        let envelope = line.snapshot.envelope
        table.add([
          "  " + verb, envelope.snapshot.short, envelope.kind.rawValue, TimeText.local(envelope.started),
          "#\(envelope.sequence)", why,
        ])
      }
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
    }
    // A refused source has nothing to add up: "kept 0" would look like a loss.
    guard report.sources.isEmpty || report.sources.contains(where: { $0.refusal == nil }) else { return }
    lines = table.lines.map { $0.trimmingTrailingBlanks() } + [Self.summary(report)]
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
