package import HoldfastModel
package import HoldfastSystem

/// Tells files of relations that are not logged, by what lies beside them now. Their initial fork may appear long after the others: that of an index does when it is
/// built. What was captured before then would be in the way when the server recovers: it makes such files anew, and gives up where there is one
/// (PostgreSQL's sources, `ResetUnloggedRelations`).
package final class UnloggedRelations {
  private let cluster: PostgresCluster
  private let root: OpenFile
  private let files: FileSystem
  /// The directory that was looked at last, in the source; paths come in order.
  private var directory: Path?
  private var listing: DirectoryListing?

  /// - Parameter root: of the source.
  package init(in cluster: PostgresCluster, root: OpenFile, files: FileSystem) {
    self.cluster = cluster
    self.root = root
    self.files = files
  }

  /// Whether a file of the source belongs to such a relation, and is not its initial fork.
  package func contains(_ path: Path) throws(SystemError) -> Bool {
    guard let parts = cluster.parts(of: path), let file = RelationFile(parts), let parent = path.parent else {
      return false
    }
    if directory != parent {
      directory = parent
      listing = try list(Array(parts.dropLast()))
    }
    return listing.map { file.isRebuilt(beside: $0) } ?? false
  }

  /// `nil` when it is not there any more.
  private func list(_ parts: [String]) throws(SystemError) -> DirectoryListing? {
    var parts = parts
    if parts.count > 1, parts[0] == PostgresCluster.tablespaceDirectory, cluster.hasTablespace(parts[1].utf8) {
      parts[0] = PostgresCluster.tablespaceLinks
    }
    let place = parts.reduce(cluster.root) { $0.appending($1) }
    do throws(SystemError) {
      return try files.open(place, in: root, .directoryFollowingLinks).listing()
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }
}
