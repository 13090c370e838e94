internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastBrowse
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastRepository

extension Candidates {
  /// Paths in the snapshot that the command line names, otherwise in the newest; as they were begun, so absolute below
  /// the source or relative to it.
  static let paths = CompletionKind.custom { words, _, prefix in
    collected(TypedLine(words)) { repository, found in try addPaths(beginning: prefix, words, repository, found) }
  }

  /// Snapshots, and paths in the newest.
  static let snapshotsOrPaths = CompletionKind.custom { words, _, prefix in
    collected(TypedLine(words)) { repository, found in
      for snapshot in try repository.catalog.allSnapshots(includingDiverged: true, onDamage: { _ in }) {
        found.append(snapshot.id.short)
      }
      try addPaths(beginning: prefix, words, repository, found)
    }
  }

  private static func addPaths(
    beginning prefix: String, _ words: [String], _ repository: Repository, _ found: Found
  ) throws {
    guard let begun = TypedLine.unquoted(prefix) else { return }
    let snapshot = try snapshot(of: TypedLine(words), in: repository)
    let typed = begun.lastIndex(of: "/").map { String(begun[...$0]) } ?? ""
    let directory = try repository.entryPath(TypedPath(typed.isEmpty ? "." : typed), of: snapshot)
    try DirectoryListing(of: snapshot, in: repository).forEachEntry(of: directory, isRecursive: false) { entry in
      let path = typed + Path(bytes: Array(entry.path.lastComponent)).description
      guard path.hasPrefix(begun) else { return }
      found.append(escaped(path) + (entry.content == .directory ? "/" : ""))
    }
  }

  private static func snapshot(of line: TypedLine, in repository: Repository) throws -> Snapshot {
    let source = line.value(long: "--name").flatMap { SourceName($0) }
    let named = line.arguments.lazy.filter { word in !word.isEmpty && word.allSatisfy(\.isHexDigit) }.compactMap { id in
      try? SnapshotSelector(.id(id), source: source).choose(in: repository.catalog) { _ in }
    }.first
    return try named ?? SnapshotSelector(.latest, source: source).choose(in: repository.catalog) { _ in }
  }

  /// Returns a path in which zsh and fish take nothing for a description.
  private static func escaped(_ path: String) -> String {
    CompletionShell.requesting == .zsh ? path.replacing(":", with: "\\:") : path
  }
}
