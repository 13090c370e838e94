internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem

/// The objects of a snapshot that is being made.
struct SnapshotDraft {
  let snapshot: Identifier
  let sequence: UInt64
  let archives: ArchiveSeries
  let body: BodyWriter
  /// Under which the body is written.
  let bodyHead: ContainerHead
  let commitBody: () throws -> Void

  init(
    repository: Repository, name: SourceName, path: Path, newest: Snapshot?, base: Chain?, options: Backup.Options
  ) throws {
    let random = repository.host.random
    // A number that was seen is never used again, also where its snapshot is gone.
    let seen = try [repository.sequences(of: name).last, newest?.sequence, repository.memory?.head(of: name)?.sequence]
    let sequence = (seen.compactMap { $0 }.max() ?? 0) + 1
    let makeObject: (String) throws -> any ObjectWriter = { key in
      options.isDryRun ? DiscardingWriter() : try repository.store.create(key)
    }
    bodyHead = try repository.makeHead(.body, label: Array(path.description.utf8))
    let bodyObject = try makeObject(Keys.body(name, sequence, bodyHead.name.id))
    snapshot = random.identifier()
    self.sequence = sequence
    archives = try ArchiveSeries(
      repository: repository, source: name, sequence: sequence, firstNumber: base?.nextArchiveNumber ?? 0,
      compression: options.compression, makeObject: makeObject)
    body = try BodyWriter(
      ContainerWriter(bodyHead, sink: bodyObject),
      compression: options.compression)
    commitBody = { try bodyObject.commit() }
  }
}

/// Takes the place of an object when nothing is to be stored.
private final class DiscardingWriter: ObjectWriter {
  func append(_ bytes: UnsafeRawBufferPointer) {}
  func commit() {}
  func abort() {}
}
