internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource

/// Tells the operator what a restored cluster lacks before a server can start on it. If its configuration was outside
/// of the data directory, a snapshot of the stopped cluster does not contain it.
package struct ClusterAdvice: Sendable {
  private static let control = ClusterControl.path.lastComponent
  private static let needed = ["postgresql.conf", "pg_hba.conf"]
  /// The most paths that are kept for each kind of file: a repository may contain any number.
  private static let pathsMax = 1024
  private var controls: Set<Path> = []
  private var configurations: Set<Path> = []

  /// Examines an entry that is restored.
  mutating func notice(_ path: Path) {
    let name = path.lastComponent
    if name.elementsEqual(Self.control) {
      if controls.count < Self.pathsMax { controls.insert(path) }
    } else if Self.needed.contains(where: { name.elementsEqual($0.utf8) }), configurations.count < Self.pathsMax {
      configurations.insert(path)
    }
  }

  /// Returns one line for each cluster that lacks something: what to do.
  /// - Parameter target: the restore target.
  func lines(in target: Path) -> [String] {
    controls.sorted().compactMap { control in
      guard let cluster = control.parent?.parent, cluster.appending(ClusterControl.path.bytes) == control else {
        return nil
      }
      let missing = Self.needed.filter { !configurations.contains(cluster.appending($0)) }
      guard !missing.isEmpty else { return nil }
      let place = cluster.isEmpty ? target : target.appending(cluster.bytes)
      return
        "the cluster in \(place) has no \(missing.joined(separator: " and no ")): its configuration lay outside of its data directory; before a server starts, put it there, or start the server with -c config_file=PATH (Debian has it in /etc/postgresql)"
    }
  }
}
