internal import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel
internal import HoldfastSystem

/// `holdfast source list --json`.
package struct SourceListJSON: Encodable {
  private struct Source: Encodable {
    let source: String
    /// The name under which it is stored; another one than `source` if it was renamed.
    let stored: String
    /// The number of its snapshots; of a source that is removed, those that are not deleted yet.
    let snapshotCount: Int
    let storedBytes: UInt64
    let newestTime: Known<String>
    /// The time of its removal, and once it is collected that of its collection.
    let removedTime: Known<String>
    /// True if its removal can no longer be undone.
    let collected: Bool
  }

  private let sources: [Source]

  package init(_ sources: [SourceOverview]) {
    self.sources = sources.map {
      Source(
        source: $0.name.text, stored: $0.name.key, snapshotCount: $0.snapshots, storedBytes: $0.storedBytes,
        newestTime: Known($0.newest.map(TimeText.utc)), removedTime: Known($0.removal?.time.description),
        collected: $0.removal?.isCollected ?? false)
    }
  }
}

/// `holdfast source undelete --json`.
package struct SourceUndeletedJSON: Encodable {
  let source: String
  /// The number of snapshots that came back.
  let snapshotCount: Int

  package init(_ source: SourceName, undeleted: Int) { (self.source, snapshotCount) = (source.text, undeleted) }
}

/// `holdfast source rename --json`.
package struct SourceRenamedJSON: Encodable {
  let source: String
  /// The name that it had before.
  let earlier: String
  /// The name under which it is stored.
  let stored: String

  package init(from before: SourceName, to after: SourceName) {
    (source, earlier, stored) = (after.text, before.text, after.key)
  }
}

/// `holdfast source list` for people.
package enum SourceListText {
  package static func lines(_ sources: [SourceOverview]) -> [String] {
    var table = Table(rightAligned: [1, 2])
    for source in sources {
      table.add([
        source.name.text, Amount.count(UInt64(source.snapshots), "snapshot"), Amount.bytes(source.storedBytes),
        state(source) + (source.name.text == source.name.key ? "" : "; stored as \(source.name.key)"),
      ])
    }
    return table.lines
  }

  private static func state(_ source: SourceOverview) -> String {
    guard let removal = source.removal else {
      return source.newest.map { "newest of \(TimeText.local($0))" } ?? "no snapshot"
    }
    if !removal.isCollected {
      return "removed on \(removal.time); `holdfast source undelete \(source.name)` brings it back"
    }
    return source.snapshots > 0
      ? "removed; being deleted since \(removal.time)"
      : "removed, and deleted on \(removal.time); its name is not used again"
  }
}

/// The removal of a source for people.
package struct SourceRemovalText {
  package let lines: [String]

  /// - Parameters:
  ///   - report: the prune that removed it.
  ///   - grace: the grace period.
  package init(_ report: Prune.Report, of name: SourceName, grace: TimeSpan) {
    let sums = PruneSums(report)
    var lines: [String] = []
    let (remove, collect) = report.isDryRun ? ("would remove", "would collect") : ("removed", "collected")
    func text(_ verb: String, _ sum: (count: Int, bytes: UInt64)) -> String {
      "\(verb) \(Amount.count(UInt64(sum.count), "snapshot")) of \(name), \(Amount.bytes(sum.bytes))"
    }
    if sums.removed.count > 0 {
      lines.append(text(remove, sums.removed))
      lines.append(
        "  `holdfast source undelete \(name)` undoes this within \(grace); after that, the same command or a prune collects it"
      )
    }
    if sums.waiting.count > 0 { lines.append(text("waiting:", sums.waiting) + ", removed before") }
    if sums.locked.count > 0 { lines.append(text("locked:", sums.locked) + ", until their locks end") }
    if sums.collected.count > 0 { lines.append(text(collect, sums.collected)) }
    if sums.logBytes > 0 { lines.append("\(collect) its archived log, \(Amount.bytes(sums.logBytes))") }
    self.lines = lines.isEmpty ? ["nothing of \(name) is left"] : lines
  }
}
