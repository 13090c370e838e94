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
    try checkLink(cluster.appending("pg_wal"))
    let links = cluster.appending(PostgresCluster.tablespaceLinks)
    if let directory = try? files.open(links, .directory) {
      let listing = try directory.listing()
      for index in 0..<listing.count { try checkLink(links.appending(listing[index])) }
    }
    let map = cluster.appending("tablespace_map")
    guard try files.statusIfPresent(of: map) != nil else { return }
    let text = String(decoding: try files.open(map, .read).contents(max: Self.mapBytesMax), as: UTF8.self)
    for line in text.split(whereSeparator: \.isNewline) {
      guard let place = line.split(separator: " ", maxSplits: 1).dropFirst().first else { continue }
      try check(Path(place), of: map)
    }
  }

  private func checkLink(_ link: Path) throws {
    guard try files.statusIfPresent(of: link)?.kind == .symbolicLink else { return }
    let target = Path(bytes: try files.readSymbolicLink(link))
    // An absolute link that leads nowhere here is refused as well: a server could make what is missing there.
    let place = (try? files.resolve(link)) ?? target
    if place.isAbsolute { try check(place, of: link) }
  }

  private func check(_ place: Path, of origin: Path) throws {
    guard !cluster.contains(place) else { return }
    throw EngineError(
      .usage, "\(origin) leads to \(place), out of the restored cluster: a drill of it could change live data",
      hint: "Take a snapshot while the server runs, with --postgres: it holds the tablespaces in itself.")
  }
}
