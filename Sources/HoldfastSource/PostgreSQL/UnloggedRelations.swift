package import HoldfastModel
package import HoldfastSystem

/// Tells files of relations that are not logged, by the initial forks that were seen beside them. Such a fork may appear long after the others: that of an index does when it
/// is built. What was captured before then would be in the way when the server recovers: it makes such files anew, and gives up where there is one
/// (PostgreSQL's sources, `ResetUnloggedRelations`).
package struct UnloggedRelations {
  private let cluster: PostgresCluster
  private let root: OpenFile
  private let files: FileSystem
  /// By their main forks, in the source.
  private var relations: Set<Path> = []
  /// Directories in which nothing could be seen.
  package private(set) var problems: [Problem] = []

  /// - Parameter root: of the source.
  package init(in cluster: PostgresCluster, root: OpenFile, files: FileSystem) {
    self.cluster = cluster
    self.root = root
    self.files = files
  }

  /// Notes which initial forks there are now. One that was there at any time during a backup counts: the WAL has it.
  package mutating func look() {
    look(in: ["global"])
    for database in names(in: ["base"]) { look(in: ["base", database]) }
    let outer = cluster.tablespaces.map { [PostgresCluster.tablespaceLinks, $0.name] }
    let inner = cluster.innerTablespaces.map { PostgresCluster.parts(of: $0.location) }
    for place in outer + inner {
      for version in names(in: place) where version.hasPrefix("PG_") {
        for database in names(in: place + [version]) { look(in: place + [version, database]) }
      }
    }
  }

  /// Whether a file of the source belongs to such a relation, and is not its initial fork.
  package func contains(_ path: Path) -> Bool {
    guard !relations.isEmpty, let parts = cluster.parts(of: path), let file = RelationFile(parts), file.fork != "init"
    else { return false }
    return relations.contains(place(parts.dropLast() + [file.node]))
  }

  private mutating func look(in directory: [String]) {
    for name in names(in: directory) {
      guard let file = RelationFile(directory + [name]), file.fork == "init" else { continue }
      var parts = directory + [file.node]
      // A snapshot has such a tablespace elsewhere.
      if parts[0] == PostgresCluster.tablespaceLinks { parts[0] = PostgresCluster.tablespaceDirectory }
      relations.insert(place(parts))
    }
  }

  private func place(_ parts: [String]) -> Path { parts.reduce(cluster.root) { $0.appending($1) } }

  /// What lies in a directory; nothing where there is none any more.
  private mutating func names(in directory: [String]) -> [String] {
    let path = place(directory)
    do throws(SystemError) {
      let listing = try files.open(path, in: root, .directoryFollowingLinks).listing()
      return (0..<listing.count).map { String(decoding: listing[$0], as: UTF8.self) }
    } catch {
      if !error.isNotFound { problems.append(Problem(path: path, reason: error.reason)) }
      return []
    }
  }
}
