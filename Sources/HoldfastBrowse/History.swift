package import HoldfastArchive
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository

/// The versions of one path over the snapshots of a repository, from the manifests alone.
package struct History: Sendable {
  /// Snapshots that follow each other and have the same content at the path.
  package struct Version: Sendable {
    /// The entry in the first of them; `nil` if they have nothing at the path. Of a hard link it is the file.
    package let entry: Entry?
    package let first: SnapshotOutline
    package fileprivate(set) var last: SnapshotOutline
    package fileprivate(set) var snapshotCount: Int
  }

  package struct OfSource: Sendable {
    package let name: SourceName
    /// The path in this source.
    package let path: Path
    /// The oldest first. They begin with the first snapshot that has something at the path.
    package let versions: [Version]

    /// The number of different contents.
    package var distinctCount: Int { Set(versions.compactMap { $0.entry?.comparedContent }).count }
    /// True if the newest snapshot has nothing at the path.
    package var isDeleted: Bool { versions.last.map { $0.entry == nil } ?? false }
  }

  /// The sources that had something at the path, in the order of their names.
  package let sources: [OfSource]
  /// The damage because of which some snapshots are not told of.
  package let damage: [DamageError]

  /// - Throws: `EngineError` if no chosen snapshot has anything at the path.
  package init(
    of typed: TypedPath, _ choice: SnapshotChoice, in repository: Repository, cache: ChangeCache = .none
  ) throws {
    var damage: [DamageError] = []
    sources = try repository.catalog.knownSources(choice.source).compactMap { name in
      guard
        let snapshots = try SourceSnapshots(of: name, choice, in: repository, cache, onDamage: { damage.append($0) })
      else { return nil }
      let path = try snapshots.entryPath(typed)
      let versions = try Self.versions(of: path, snapshots) { damage.append($0) }
      return versions.isEmpty ? nil : OfSource(name: name, path: path, versions: versions)
    }
    self.damage = damage
    guard sources.isEmpty, damage.isEmpty else { return }
    let name = Path(bytes: Array(try typed.entryPath().lastComponent))
    throw EngineError(
      .usage, "no snapshot has \(Path(typed.text))",
      hint: "Run `holdfast find \(ShellText.word("*\(name.isEmpty ? "" : name.description)*"))` to see where it lies.")
  }

  private static func versions(
    of path: Path, _ snapshots: SourceSnapshots, onDamage: (DamageError) -> Void
  ) throws -> [Version] {
    var (states, unknown) = try self.states(of: [path], snapshots, onDamage)
    let files = Set((states[path] ?? []).compactMap { $0?.linkedFile })
    if !files.isEmpty {
      (states, unknown) = try self.states(of: files.union([path]), snapshots) { _ in }
    }
    var versions: [Version] = []
    for (rank, snapshot) in snapshots.chosen.enumerated() where !unknown.contains(rank) {
      let entry = states[path]?[rank].map { entry in
        guard let file = entry.linkedFile, var found = states[file]?[rank] else { return entry }
        found.path = path
        return found
      }
      if let last = versions.last, last.entry?.comparedContent == entry?.comparedContent {
        versions[versions.count - 1].last = snapshot
        versions[versions.count - 1].snapshotCount += 1
      } else if entry != nil || !versions.isEmpty {
        versions.append(Version(entry: entry, first: snapshot, last: snapshot, snapshotCount: 1))
      }
    }
    return versions
  }

  /// Returns what each chosen snapshot has at some paths, by rank.
  private static func states(
    of paths: Set<Path>, _ snapshots: SourceSnapshots, _ onDamage: (DamageError) -> Void
  ) throws -> (states: [Path: [Entry?]], unknown: Set<Int>) {
    var states: [Path: [Entry?]] = [:]
    let unknown = try snapshots.forEachTree(.these(paths), onDamage: onDamage) { changes, ranks in
      for path in changes.paths {
        for span in changes.spans(of: path) {
          for rank in ranks[span.members] {
            states[path, default: Array(repeating: nil, count: snapshots.chosen.count)][rank] = span.entry
          }
        }
      }
    }
    return (states, unknown)
  }
}

extension Entry {
  /// The file whose other name this is.
  fileprivate var linkedFile: Path? { if case .hardLink(let file) = content { file } else { nil } }

  /// The content without the way in which it was captured, by which versions differ.
  fileprivate var comparedContent: Content {
    guard case .file(var file) = content, file.consistency != .unreadable else { return content }
    (file.consistency, file.badPages) = (.stable, [])
    return .file(file)
  }
}
