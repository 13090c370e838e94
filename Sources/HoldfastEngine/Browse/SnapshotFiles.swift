package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository

/// The replayed state of one snapshot, in which single files are found by their paths.
package struct SnapshotFiles {
  package let snapshot: Snapshot
  private let repository: Repository
  private let chain: Chain
  package let state: StateFile

  /// Replays the chain of a snapshot, and proves the state.
  package init(of snapshot: Snapshot, in repository: Repository) throws {
    (self.snapshot, self.repository) = (snapshot, repository)
    chain = try repository.catalog.chain(to: snapshot)
    state = try repository.containers.replay(chain)
  }

  /// The stored bytes of the manifests' bodies that were read for it.
  package var bodyBytes: UInt64 { chain.bodyLength }

  /// Returns a file that was found in the state by other means.
  /// - Parameter mapOffset: the offset of its map in the state.
  package func file(_ content: FileContent, at path: Path, mapOffset: UInt64) -> SnapshotFile {
    SnapshotFile(path: path, content: content, chain, state, mapOffset: mapOffset, in: repository)
  }

  /// Returns what fetches the pages of any of its files. Call `checkReadable` of a file before its pages are fetched.
  package func makeFetcher() -> PageFetcher {
    PageFetcher(readers: ArchiveReaders(chain, in: repository.containers), host: repository.host, isVerifying: false)
  }

  /// Returns the file at a path; a hard link leads to its file.
  /// - Throws: `EngineError` when there is none, it is not a file, or it was not captured.
  package func file(at path: Path) throws -> SnapshotFile {
    guard let file = try fileIfPresent(at: path) else {
      throw EngineError(
        .usage, "the snapshot has no \(path)", hint: "Run `holdfast show SNAPSHOT --files` to see what it has.")
    }
    return file
  }

  /// Returns the file at a path; `nil` when the snapshot has nothing there.
  package func fileIfPresent(at path: Path) throws -> SnapshotFile? {
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      guard entry.path == path else {
        if path < entry.path { return nil }
        continue
      }
      switch entry.content {
      case .file(let file) where file.consistency != .unreadable:
        return SnapshotFile(path: path, content: file, chain, state, mapOffset: reader.mapOffset, in: repository)
      case .file:
        throw EngineError(
          .usage, "\(path) could not be read when the snapshot was taken", hint: "Try an older snapshot.",
          exitStatus: .incomplete)
      case .hardLink(let original): return try fileIfPresent(at: original)
      default:
        throw EngineError(
          .usage, "\(path) is not a file", hint: "Run `holdfast restore --path` for directories and links.")
      }
    }
    return nil
  }
}

/// One file of a snapshot, with the map of its pages.
package struct SnapshotFile {
  package let path: Path
  package let content: FileContent
  private let chain: Chain
  private let state: StateFile
  private let mapOffset: UInt64
  private let repository: Repository

  fileprivate init(
    path: Path, content: FileContent, _ chain: Chain, _ state: StateFile, mapOffset: UInt64, in repository: Repository
  ) {
    (self.path, self.content, self.chain, self.state) = (path, content, chain, state)
    (self.mapOffset, self.repository) = (mapOffset, repository)
  }

  /// The extents of the file, in order.
  package var extents: any PageMapReader { state.extents(at: mapOffset, of: content) }

  /// Checks that its archives can be read.
  /// - Throws: `FrozenArchives` when the provider must thaw some of them first.
  package func checkReadable() throws {
    try repository.containers.checkReadable(chain.archiveKeys(of: archives()))
  }

  /// Returns what fetches its pages.
  /// - Throws: `FrozenArchives` when the provider must thaw some of its archives first.
  package func makeFetcher() throws -> PageFetcher {
    try checkReadable()
    return PageFetcher(
      readers: ArchiveReaders(chain, in: repository.containers), host: repository.host, isVerifying: false)
  }

  private func archives() throws -> Set<UInt64> {
    var (extents, archives) = (extents, Set<UInt64>())
    while let extent = try extents.next() {
      if let location = extent.location { archives.insert(location.archive) }
    }
    return archives
  }
}
