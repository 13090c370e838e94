package import HoldfastModel
package import HoldfastSystem

/// Recognises files of unlogged relations by the initial forks that were seen beside them. An initial fork may appear
/// long after the other files: that of an index appears when the index is built. Files that were captured before would
/// be in the way of recovery, which makes them anew and gives up if one exists (PostgreSQL's source,
/// `ResetUnloggedRelations`).
package struct UnloggedRelations {
  private let cluster: PostgresCluster
  private let root: OpenFile
  private let files: FileSystem
  /// The main forks of these relations, as paths in the source.
  private var relations: Set<Path> = []
  /// The directories that could not be read.
  package private(set) var problems: [Problem] = []

  /// - Parameter root: the root of the source.
  package init(in cluster: PostgresCluster, root: OpenFile, files: FileSystem) {
    self.cluster = cluster
    self.root = root
    self.files = files
  }

  /// Records the initial forks that exist now. A fork that existed at any time during a backup counts, because the WAL
  /// contains it.
  package mutating func look() {
    look(in: ["global"])
    for database in names(in: ["base"]) { look(in: ["base", database]) }
    let outer = cluster.tablespaces.map { [PostgresCluster.tablespaceLinks, $0.name] }
    let inner = cluster.innerTablespaces.map { PostgresCluster.parts(of: $0.location) }
    for tablespace in outer + inner {
      for version in names(in: tablespace) where version.hasPrefix("PG_") {
        for database in names(in: tablespace + [version]) { look(in: tablespace + [version, database]) }
      }
    }
  }

  /// Returns true if a file of the source belongs to such a relation, and is not its initial fork.
  package func contains(_ path: Path) -> Bool {
    guard !relations.isEmpty, let parts = cluster.parts(of: path), let file = RelationFile(parts), file.fork != "init"
    else { return false }
    return relations.contains(self.path(parts.dropLast() + [file.node]))
  }

  private mutating func look(in directory: [String]) {
    for name in names(in: directory) {
      guard let file = RelationFile(directory + [name]), file.fork == "init" else { continue }
      var parts = directory + [file.node]
      // In a snapshot, such a tablespace is in another directory.
      if parts[0] == PostgresCluster.tablespaceLinks { parts[0] = PostgresCluster.tablespaceDirectory }
      relations.insert(self.path(parts))
    }
  }

  private func path(_ parts: [String]) -> Path { parts.reduce(cluster.root) { $0.appending($1) } }

  /// Returns the names in a directory; none if it no longer exists.
  private mutating func names(in directory: [String]) -> [String] {
    let path = self.path(directory)
    do throws(SystemError) {
      let listing = try files.open(path, in: root, .directoryFollowingLinks).listing()
      return (0..<listing.count).map { String(decoding: listing[$0], as: UTF8.self) }
    } catch {
      if !error.isNotFound { problems.append(Problem(path: path, reason: error.reason)) }
      return []
    }
  }
}
