internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource

extension Relocation {
  /// Finds the tablespaces that are restored elsewhere than to the data directory.
  /// - Parameters:
  ///   - wanted: their directories, by OID.
  ///   - root: the directory for all others; `nil` if they stay in the data directory.
  static func ofTablespaces(
    _ wanted: [String: Path], root: Path?, in state: StateFile, places: PathConflicts
  ) throws -> [Relocation] {
    guard !wanted.isEmpty || root != nil else { return [] }
    let known = try tablespaces(of: state)
    var wanted = wanted
    if let root {
      let names = known.map { String(decoding: $0.lastComponent, as: UTF8.self) }
      wanted.merge(names.map { ($0, root.appending($0)) }) { named, _ in named }
    }
    return try wanted.sorted { $0.key < $1.key }.map { name, place in
      let found = known.filter { $0.lastComponent.elementsEqual(name.utf8) }
      guard found.count == 1, let cluster = found[0].parent?.parent else {
        let names = known.map { String(decoding: $0.lastComponent, as: UTF8.self) }
        throw EngineError(
          .usage,
          found.isEmpty
            ? "the snapshot has no tablespace \(Path(name))" : "the snapshot has several tablespaces \(Path(name))",
          hint: names.isEmpty
            ? "Leave out --tablespace: it has none at all."
            : "It has \(names.joined(separator: ", ")); tablespace_map.old in it says where they were.",
          exitStatus: .usage)
      }
      let link = cluster.appending(PostgresCluster.tablespaceLinks).appending(name)
      return Relocation(directory: found[0], link: link, place: try places.resolve(place))
    }
  }

  /// Refuses directories that lie in one another: files that are restored to one would be foreign to the other.
  static func checkApart(_ target: Path, _ relocations: [Relocation]) throws {
    let places =
      [(name: "the target", place: target)]
      + relocations.map {
        (name: "tablespace \(Path(bytes: Array($0.link.lastComponent)))", place: $0.place)
      }
    for (index, outer) in places.enumerated() {
      for inner in places[(index + 1)...] where outer.place.contains(inner.place) || inner.place.contains(outer.place) {
        throw EngineError(
          .usage, "\(inner.name) cannot go to \(inner.place): \(outer.name) goes to \(outer.place)",
          hint: "Name directories of which none lies in another.", exitStatus: .usage)
      }
    }
  }

  /// Returns the directories of the tablespaces of all clusters in the state.
  private static func tablespaces(of state: StateFile) throws -> [Path] {
    var links: Set<Path> = []
    var found: [Path] = []
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      guard let directory = entry.path.parent, let cluster = directory.parent else { continue }
      let name = entry.path.lastComponent
      if case .symbolicLink = entry.content, directory.lastComponent.elementsEqual(PostgresCluster.tablespaceLinks.utf8)
      {
        links.insert(cluster.appending(PostgresCluster.tablespaceDirectory).appending(name))
      } else if entry.content == .directory, links.contains(entry.path) {
        found.append(entry.path)
      }
    }
    return found
  }
}
