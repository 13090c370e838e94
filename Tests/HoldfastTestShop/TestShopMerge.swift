package import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore

extension TestShop {
  /// Merges the chain of a snapshot.
  /// - Parameter cache: the cache of the machine that merges; `nil` for that of the machine that takes backups.
  @discardableResult
  package func merge(
    _ text: String = "latest", in other: Repository? = nil, cache: Path? = nil,
    progress: QuietProgress = QuietProgress(), configure: (inout Merge.Options) -> Void = { _ in }
  ) throws -> Merge.Report {
    var options = Merge.Options(SnapshotSelector(SnapshotSelector.Name(text)))
    configure(&options)
    return try Merge(
      repository: other ?? repository, options: options, cache: StateCache(directory: cache ?? cachePath),
      progress: progress
    ).run()
  }

  /// Returns the frames that a snapshot has stored, according to the indexes of its archives.
  package func frames(of snapshot: Snapshot) throws -> [FrameEntry] {
    try snapshot.envelope.archives.flatMap { archive in
      try ContainerReader(
        repository.store.open(Keys.archive(snapshot.sourceName, archive.sequence, archive.id)), kind: .archive,
        repository: repository.id, reference: archive.reference, access: keys == nil ? .unsealed : .closed
      ).frames
    }
  }
}
