package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// The entries of one directory of a snapshot. The state is proved against its state root before anything is told.
package struct DirectoryListing {
  private let state: StateFile
  private let repository: Repository

  package init(of snapshot: Snapshot, in repository: Repository) throws {
    state = try repository.containers.replay(repository.catalog.chain(to: snapshot))
    self.repository = repository
  }

  /// Calls `body` for every entry of a directory, in path order; of anything else for the entry itself.
  /// - Parameter isRecursive: true for everything below the directory.
  /// - Throws: `EngineError` if the snapshot has nothing at the path.
  package func forEachEntry(of path: Path, isRecursive: Bool, _ body: (Entry) throws -> Void) throws {
    let reader = state.makeReader()
    var isFound = false
    while let entry = try reader.nextEntry() {
      try repository.host.cancellation.check()
      guard path.contains(entry.path) else {
        if path < entry.path { break }
        continue
      }
      if entry.path == path {
        isFound = true
        if entry.content != .directory { try body(entry) }
      } else if isRecursive || entry.path.parent == path {
        try body(entry)
      }
    }
    guard isFound else {
      throw EngineError(
        .usage, "the snapshot has no \(path)", hint: "Run `holdfast ls SNAPSHOT` to see what it has.")
    }
  }
}
