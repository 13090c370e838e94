internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Makes sure that a server on a restored cluster stays in its directory: a link of a cluster that was captured cold,
/// or a list of tablespaces, may lead to the live data.
struct ClusterConfinement {
  private static let mapBytesMax = 1 << 20
  let cluster: Path
  let files: FileSystem

  /// - Throws: `EngineError` if a path of the cluster leads out of it.
  func check() throws {
    let whole = try files.resolve(cluster)
    try check(directory: cluster, within: whole)
    let map = cluster.appending("tablespace_map")
    guard try files.statusIfPresent(of: map) != nil else { return }
    let text = String(decoding: try files.open(map, .read).contents(max: Self.mapBytesMax), as: UTF8.self)
    for line in text.split(whereSeparator: \.isNewline) {
      guard let place = line.split(separator: " ", maxSplits: 1).dropFirst().first else { continue }
      try check(Path(place), of: map)
    }
  }

  /// Looks at every link below a directory: a server writes through any of them, not only through those that
  /// PostgreSQL makes itself.
  private func check(directory: Path, within whole: Path) throws {
    let listing = try files.open(directory, .directory).listing()
    for index in 0..<listing.count {
      let path = directory.appending(listing[index])
      switch try files.statusIfPresent(of: path)?.kind {
      case .directory: try check(directory: path, within: whole)
      case .symbolicLink:
        // One that leads nowhere here is refused as well: a server could make what is missing there.
        guard let place = try? files.resolve(path), whole.contains(place) else {
          throw leadsOut(Path(bytes: try files.readSymbolicLink(path)), of: path)
        }
      default: break
      }
    }
  }

  private func check(_ place: Path, of origin: Path) throws {
    guard cluster.contains(place) else { throw leadsOut(place, of: origin) }
  }

  private func leadsOut(_ place: Path, of origin: Path) -> EngineError {
    EngineError(
      .usage, "\(origin) leads to \(place), out of the restored cluster: a drill of it could change live data",
      hint: "Take a snapshot while the server runs, with --postgres: it holds the tablespaces in itself.")
  }
}
