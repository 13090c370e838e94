package import HoldfastArchive
package import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// The memory of the repository that a run works on. It is updated while the run sees more.
package final class RepositoryMemory: Sendable {
  private let memory: ClientMemory
  private let places: [String]
  private let files: FileSystem
  private let record: Mutex<ClientMemory.Record>
  private let failure = Mutex<String?>(nil)

  /// The reason why this machine would not notice an exchanged or older repository; `nil` when it would.
  package var problem: String? { failure.withLock { $0 } }

  /// Compares the repository with what is remembered of it and of its names.
  /// - Parameter known: the memory from before the keyring was read, because another run may have seen a later keyring
  ///   since.
  /// - Parameter acceptsOlder: true if it may be an older copy: then nothing is compared, and nothing is remembered.
  /// - Returns: `nil` for a repository that is not and was never sealed, and for an older copy.
  /// - Throws: `EngineError` when it is not the repository that was seen before.
  static func check(
    _ descriptor: Descriptor, _ history: [KeyringRevision], in store: any Store, known: ClientMemory.Known,
    memory: ClientMemory, files: FileSystem, acceptsOlder: Bool
  ) throws -> RepositoryMemory? {
    let place = known.stranger ?? store.location
    guard let newest = history.last else {
      guard known.stranger == nil, known.record == nil else {
        throw refusal(place, "it is not sealed, and it was when this machine last used it")
      }
      return nil
    }
    guard known.stranger == nil else {
      throw refusal(place, "it has another ID than the one that this machine knows there")
    }
    if acceptsOlder {
      guard known.record.map({ isOlder(history, than: $0) }) ?? true else {
        throw refusal(place, "its keyring is no earlier one of the repository that this machine has seen")
      }
      return nil
    }
    if let record = known.record, !history.contains(where: { $0.reference == record.keyring }) {
      throw refusal(place, "its keyring lacks revision \(record.keyring.revision), which this machine has seen")
    }
    var record =
      known.record
      ?? ClientMemory.Record(repository: descriptor.repository, keyring: newest.reference, heads: [:])
    record.keyring = newest.reference
    record.firstKeyring = history.first?.reference
    let result = RepositoryMemory(memory: memory, places: store.places, files: files, record: record)
    if record != known.record || !known.isComplete { result.save(record) }
    return result
  }

  /// True if the remembered keyring is a later revision of the same history, and not one that somebody else made under
  /// the same ID.
  private static func isOlder(_ history: [KeyringRevision], than record: ClientMemory.Record) -> Bool {
    if history.contains(where: { $0.reference == record.keyring }) { return true }
    guard let newest = history.last, newest.keyring.revision < record.keyring.revision else { return false }
    return record.firstKeyring == nil || history.first?.reference == record.firstKeyring
  }

  private static func refusal(_ location: String, _ finding: String) -> EngineError {
    EngineError(
      .repository, "the repository in \(location) is not the one that was there: \(finding)",
      hint:
        "Somebody may have exchanged it or put back an old copy. Find out; to read a copy that is known to be older, say --older-copy; only if that was meant, run `holdfast key forget`.",
      exitStatus: .dataLoss)
  }

  private init(memory: ClientMemory, places: [String], files: FileSystem, record: ClientMemory.Record) {
    self.memory = memory
    self.places = places
    self.files = files
    self.record = Mutex(record)
  }

  /// All sources whose snapshots this machine has seen.
  package var sources: [SourceName] { record.withLock { $0.heads.keys.compactMap { SourceName($0) } } }

  package func head(of source: SourceName) -> ClientMemory.Record.Head? {
    record.withLock { $0.heads[source.key] }
  }

  /// Compares the snapshots of a source with those that were seen, and remembers the newest.
  /// - Parameters:
  ///   - snapshots: all that count, in ascending order.
  ///   - damaged: the keys of manifests that exist and cannot be read.
  /// - Returns: the damage, if something is missing or was exchanged; otherwise `nil`.
  func check(_ snapshots: [Snapshot], of source: SourceName, damaged: Set<String>) -> DamageError? {
    if let head = head(of: source) {
      let key = Keys.manifest(source, head.sequence)
      let found = snapshots.last { $0.sequence == head.sequence }
      if let found, found.digest != head.digest {
        return DamageError(key, "it is another snapshot than the one that this machine has seen under this number")
      }
      if found == nil, !damaged.contains(key), (snapshots.last?.sequence ?? 0) < head.sequence {
        return DamageError(
          key,
          "it is missing, and this machine has seen it: the repository was put back, or has lost its newest snapshots")
      }
    }
    if let newest = snapshots.last { remember(newest, path: nil) }
    return nil
  }

  /// Compares the notes on a source with those that were seen, and remembers the newest.
  /// - Parameter highest: the highest revision that exists, readable or not.
  /// - Returns: the damage, if something is missing or was exchanged; otherwise `nil`.
  func check(_ revision: NotesRevision?, highest: UInt64, of source: SourceName) -> DamageError? {
    if let seen = record.withLock({ $0.notes?[source.key] }) {
      let key = Keys.notes(source, seen.revision)
      if let revision, revision.notes.revision == seen.revision, revision.digest != seen.digest {
        return DamageError(key, "it is another revision of the notes than this machine has seen under this number")
      }
      if highest < seen.revision {
        return DamageError(key, "it is missing, and this machine has seen it: the repository was put back")
      }
    }
    if let revision { remember(revision) }
    return nil
  }

  /// Compares the names of sources with those that were seen, and remembers the newest.
  /// - Parameter revisions: those that could be read, in ascending order.
  /// - Returns: the damage, if something is missing or was exchanged; otherwise `nil`.
  func check(_ revisions: [SignedRevision<SourceNames>]) -> DamageError? {
    if let seen = record.withLock({ $0.names }) {
      let key = Keys.names(seen.revision)
      guard let found = revisions.first(where: { $0.contents.revision == seen.revision }) else {
        return DamageError(key, "it is missing, and this machine has seen it: the repository was put back")
      }
      guard found.digest == seen.digest else {
        return DamageError(
          key, "it is another revision of the names of sources than this machine has seen under this number")
      }
    }
    if let newest = revisions.last { remember(newest) }
    return nil
  }

  private func remember(_ revision: SignedRevision<SourceNames>) {
    let reference = Envelope.KeyringReference(revision: revision.contents.revision, digest: revision.digest)
    let changed: ClientMemory.Record? = record.withLock { record in
      guard record.names?.revision ?? 0 < reference.revision else { return nil }
      record.names = reference
      return record
    }
    if let changed { save(changed) }
  }

  /// Returns the highest revision of the notes that was seen.
  func highestNotes(of source: SourceName) -> UInt64 { record.withLock { $0.notes?[source.key]?.revision ?? 0 } }

  func remember(_ revision: NotesRevision) {
    let changed: ClientMemory.Record? = record.withLock { record in
      let reference = Envelope.KeyringReference(revision: revision.notes.revision, digest: revision.digest)
      let known = record.notes?[revision.notes.source.key]
      if let known, known.revision >= reference.revision { return nil }
      record.notes = (record.notes ?? [:]).merging([revision.notes.source.key: reference]) { $1 }
      return record
    }
    if let changed { save(changed) }
  }

  /// Remembers a revision that this run has made, so that nobody can undo it unnoticed.
  func remember(_ revision: KeyringRevision) {
    let changed = record.withLock { record in
      record.keyring = revision.reference
      return record
    }
    save(changed)
  }

  /// - Parameter path: the path of the source, if this run took the snapshot.
  package func remember(_ snapshot: Snapshot, path: Path?) {
    let changed: ClientMemory.Record? = record.withLock { record in
      let known = record.heads[snapshot.sourceName.key]
      if path == nil, let known, known.sequence >= snapshot.sequence { return nil }
      record.heads[snapshot.sourceName.key] = ClientMemory.Record.Head(
        sequence: snapshot.sequence, digest: snapshot.digest, path: path?.description ?? known?.path)
      return record
    }
    if let changed { save(changed) }
  }

  /// Saves the record. A full disk must not prevent a restore: the earlier memory stays valid.
  private func save(_ record: ClientMemory.Record) {
    do {
      try memory.store(record, at: places, files: files)
    } catch {
      let reason = describe(error).message
      failure.withLock { $0 = reason }
    }
  }
}
