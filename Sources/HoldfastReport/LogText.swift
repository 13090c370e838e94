internal import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The archived WAL of a cluster, for people.
package enum LogText {
  package static func lines(of log: WALStatus.Log) -> [String] {
    var lines = ["\(log.source), cluster \(log.system)"]
    for timeline in log.timelines {
      var line =
        "  timeline \(timeline.timeline)  \(timeline.first) to \(timeline.last)  \(Amount.count(timeline.count, "segment"))  \(Amount.bytes(timeline.storedBytes)) stored"
      if let last = timeline.lastTransaction { line += "  last transaction \(TimeText.exact(last))" }
      lines.append(line)
      lines += timeline.gaps.map { gap in
        gap.count == 1
          ? "    GAP: \(gap.first) is missing"
          : "    GAP: \(gap.count) segments are missing, \(gap.first) to \(gap.last)"
      }
    }
    if log.isClosed {
      lines.append(
        "  sealed, and no identity was named: times, and how far recovery can reach, are not known")
    } else {
      lines += log.snapshots.map { line(of: $0) }
    }
    return lines
  }

  private static func line(of reach: WALStatus.Reach) -> String {
    let envelope = reach.snapshot.envelope
    let start = "  snapshot \(envelope.snapshot.short)  taken \(TimeText.local(envelope.started))  "
    guard let end = reach.end, let timeline = reach.timeline else {
      return start
        + (reach.brokenAt.map { "the log that it needs cannot be followed beyond \($0)" }
          ?? "the log that it needs is not archived")
    }
    var line = start + "recovery reaches \(end) on timeline \(timeline)"
    if let last = reach.lastTransaction { line += ", \(TimeText.exact(last))" }
    if let missing = reach.missing { line += ", and ends there: \(missing) is missing" }
    if let minimal = reach.minimalFrom {
      line += ", and ends there: from \(minimal) on the log was written with wal_level = minimal"
    }
    if let broken = reach.brokenAt { line += ", and ends there: beyond \(broken) the log cannot be followed" }
    return line
  }
}
