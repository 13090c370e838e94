internal import HoldfastArchive
package import HoldfastBrowse
internal import HoldfastModel
internal import HoldfastSystem

/// The versions of a path, for people.
package enum HistoryText {
  package static func lines(_ history: History) -> [String] {
    history.sources.enumerated().flatMap { index, source in (index == 0 ? [] : [""]) + lines(source) }
  }

  private static func lines(_ source: History.OfSource) -> [String] {
    var table = Table(rightAligned: [3, 4])
    table.add(["FIRST", "TAKEN", "LAST", "IN", "SIZE", "DIGEST", "MODIFIED"])
    for version in source.versions {
      table.add(
        [
          version.first.id.short, shortTime(version.first.started), version.last.id.short,
          String(version.snapshotCount),
        ] + contents(version.entry))
    }
    let versions = Amount.count(UInt64(source.distinctCount), "version")
    let deleted = source.isDeleted ? "; the newest snapshot does not have it" : ""
    return ["\(source.path) of \(source.name): \(versions)\(deleted)"]
      + table.lines.map { $0.trimmingTrailingBlanks() }
  }

  /// The size, the digest and the time of modification.
  private static func contents(_ entry: Entry?) -> [String] {
    guard let entry else { return ["absent"] }
    let modified = shortTime(entry.attributes.modified)
    switch entry.content {
    case .file(let file) where file.consistency == .unreadable: return ["?", file.consistency.name, modified]
    case .file(let file):
      return [Amount.bytes(file.size), String(file.digest.description.prefix(8)), modified]
    case .symbolicLink(let target): return ["-", "-", "\(modified)  -> \(Path(bytes: target))"]
    default: return ["-", "-", "\(modified)  (\(EntryJSON.type(of: entry.content)))"]
    }
  }
}

/// The paths that `find` has found, for people.
package enum FindText {
  package static func lines(_ source: Find.OfSource) -> [String] {
    var table = Table(rightAligned: [3, 4])
    table.add(["FIRST", "LAST", "TAKEN", "IN", "SIZE", "PATH"])
    source.forEach { match in
      table.add([
        match.first.id.short, match.last.id.short, shortTime(match.last.started), String(match.snapshotCount),
        match.newest.file.map { Amount.bytes($0.size) } ?? "-",
        "\(match.newest.path)" + (match.newest.content == .directory ? "/" : ""),
      ])
    }
    return ["\(source.name): \(Amount.count(UInt64(source.count), "path"))"] + table.lines
  }
}

/// Returns a time to the minute, as this machine's clock shows it.
private func shortTime(_ time: Timestamp) -> String { String(TimeText.local(time).prefix("2026-11-22 14:05".count)) }
