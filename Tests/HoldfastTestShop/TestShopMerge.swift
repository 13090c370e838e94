package import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore

extension TestShop {
  /// Merges the chain of a snapshot.
  /// - Parameter cache: of the machine that does it; `nil` for the one that takes backups.
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

  /// The frames that a snapshot has stored, as the indexes of its archives tell them.
  package func frames(of snapshot: Snapshot) throws -> [FrameEntry] {
    try snapshot.envelope.archives.flatMap { archive in
      try ContainerReader(
        repository.store.open(Keys.archive(snapshot.sourceName, archive.sequence, archive.id)), kind: .archive,
        repository: repository.id, reference: archive.reference, access: keys == nil ? .unsealed : .closed
      ).frames
    }
  }
}
