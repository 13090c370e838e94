package import HoldfastArchive
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// The paths of all snapshots that match patterns, each once, from the manifests alone.
package struct Find: Sendable {
  /// One path of one source.
  package struct Match: Sendable {
    /// The entry in the newest snapshot that has the path.
    package let newest: Entry
    /// The oldest and the newest snapshot that have the path. Not all between them need to have it.
    package let first: SnapshotOutline
    package let last: SnapshotOutline
    package let snapshotCount: Int
    /// True if the newest snapshot of the source does not have the path.
    package let isDeleted: Bool
  }

  /// The matches in one source.
  package struct OfSource: Sendable {
    package let name: SourceName
    fileprivate let chosen: [SnapshotOutline]
    fileprivate var found: [Path: Found] = [:]
    /// The rank of the newest snapshot whose state is known.
    fileprivate var newest = 0

    /// The number of paths.
    package var count: Int { found.count }

    /// Calls `body` for each path, in path order.
    package func forEach(_ body: (Match) throws -> Void) rethrows {
      for path in found.keys.sorted() {
        guard let one = found[path] else { continue }
        try body(
          Match(
            newest: one.newest, first: chosen[one.first], last: chosen[one.last], snapshotCount: one.count,
            isDeleted: one.last < newest))
      }
    }
  }

  /// The snapshots that have one path. They are told by their ranks, so that many paths take little memory.
  fileprivate struct Found {
    var newest: Entry
    var first: Int
    var last: Int
    var count: Int
  }

  /// The sources with matches, in the order of their names.
  package let sources: [OfSource]
  /// The damage because of which some snapshots are not told of.
  package let damage: [DamageError]

  /// - Parameters:
  ///   - patterns: as for exclusions: one without a `/` is a name in any directory, others begin at the source.
  ///   - isDeletedOnly: true for only those paths that the newest snapshot of their source does not have.
  /// - Throws: `EngineError` with exit status 2 for a pattern that can match nothing.
  package init(
    _ patterns: [String], _ choice: SnapshotChoice, isDeletedOnly: Bool = false, in repository: Repository,
    cache: ChangeCache = .none
  ) throws {
    for pattern in patterns { _ = try Self.glob(pattern, below: []) }
    var damage: [DamageError] = []
    sources = try repository.catalog.knownSources(choice.source).compactMap { name in
      guard
        let snapshots = try SourceSnapshots(of: name, choice, in: repository, cache, onDamage: { damage.append($0) })
      else { return nil }
      let places = try snapshots.paths(for: patterns.contains { $0.hasPrefix("/") })
      let globs = try patterns.map { try Self.glob($0, below: places) }
      var one = OfSource(name: name, chosen: snapshots.chosen)
      let unknown = try snapshots.forEachTree(.matching(globs), onDamage: { damage.append($0) }) { changes, ranks in
        for path in changes.paths {
          for span in changes.spans(of: path) { one.add(path, span.entry, ranks[span.members]) }
        }
      }
      one.newest = snapshots.chosen.indices.last { !unknown.contains($0) } ?? 0
      if isDeletedOnly { one.found = one.found.filter { $0.value.last < one.newest } }
      return one.found.isEmpty ? nil : one
    }
    self.damage = damage
  }

  private static func glob(_ pattern: String, below places: [Path]) throws -> Glob {
    let glob = Glob(pattern, below: places)
    guard glob.canMatch, !pattern.utf8.contains(0) else {
      throw EngineError(
        .usage, "the pattern \(pattern.isEmpty ? "\"\"" : Path(pattern).description) can match nothing in a snapshot",
        hint: "Write a name, or a path from the source on, without \"..\".", exitStatus: .usage)
    }
    return glob
  }
}

extension Find.OfSource {
  /// Adds snapshots that have a path.
  fileprivate mutating func add(_ path: Path, _ entry: Entry, _ ranks: ArraySlice<Int>) {
    guard let first = ranks.min(), let last = ranks.max() else { return }
    guard var known = found[path] else {
      return found[path] = Find.Found(newest: entry, first: first, last: last, count: ranks.count)
    }
    if last > known.last { (known.newest, known.last) = (entry, last) }
    known.first = min(known.first, first)
    known.count += ranks.count
    found[path] = known
  }
}
