internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The time until which a new snapshot is locked, in a store that locks objects. Everything that the snapshot needs is
/// locked until then before it is committed, so that no manifest names a term that is not kept.
struct SnapshotTerm {
  private let repository: Repository
  /// The end of the term; `nil` in a store that locks nothing.
  let end: Timestamp?

  init(in repository: Repository) {
    self.repository = repository
    end = repository.store.capabilities.objectLock?.end(from: repository.host.clock.now())
  }

  /// Extends the locks of the objects that the snapshot needs. If the newest snapshot has the same term, the objects of
  /// the chain were locked when it was committed, and are skipped: so a chain is extended with the first snapshot of a
  /// day.
  /// - Parameters:
  ///   - chain: the chain that it builds on; `nil` for a full.
  ///   - newest: the newest snapshot of the source, which is in that chain or builds on it; `nil` if there is none.
  ///   - begun: the time when its first object was begun.
  /// - Returns: the keys of objects that were written over or removed since they were created.
  func extendLocks(
    _ envelope: Envelope, on chain: Chain?, after newest: Snapshot?, begun: Timestamp
  ) throws -> [String] {
    guard let end, let lock = repository.store.capabilities.objectLock else { return [] }
    var keys = try isDone(envelope, after: newest, until: end) ? [] : neededKeys(envelope, chain)
    let isTermNew = lock.end(from: begun) < end
    keys += envelope.archives.filter { isTermNew || $0.sequence != envelope.sequence }.map {
      Keys.archive(envelope.source.name, $0.sequence, $0.id)
    }
    if isTermNew { keys.append(Keys.body(envelope.source.name, envelope.sequence, envelope.body.id)) }
    return keys.isEmpty ? [] : try repository.store.extendLocks(of: keys, until: end)
  }

  /// Returns true if there may be a lock to extend.
  func extendsLocks(of envelope: Envelope, after newest: Snapshot?, begun: Timestamp) -> Bool {
    guard let end, let lock = repository.store.capabilities.objectLock else { return false }
    return !isDone(envelope, after: newest, until: end) || lock.end(from: begun) < end || !envelope.archives.isEmpty
  }

  /// Returns true if the newest snapshot has locked everything that this one needs and did not make. It returns false
  /// for a merged snapshot, which may stand for an older snapshot that needs older log.
  private func isDone(_ envelope: Envelope, after newest: Snapshot?, until end: Timestamp) -> Bool {
    envelope.merged == nil && newest?.envelope.lockedUntil.map { $0.moment >= end } ?? false
  }

  /// Returns the keys that the snapshot needs beside its own objects: of older snapshots, the repository itself, the
  /// archived log, and the notes.
  private func neededKeys(_ envelope: Envelope, _ chain: Chain?) throws -> [String] {
    let name = envelope.source.name
    var keys = [Keys.descriptor]
    if let newest = repository.keyring.reference?.revision { keys += (1...newest).map { Keys.keyring($0) } }
    keys += try repository.targets.revisions().map { Keys.targetList($0.list.revision) }
    keys += try repository.names.store.reading().sound.map { Keys.names($0.contents.revision) }
    let notes = try repository.notes.read(name).notes.revision
    if notes > 0 { keys.append(Keys.notes(name, notes)) }
    let envelopes = (chain?.snapshots.map(\.envelope) ?? []) + [envelope]
    keys += try WALTerm(repository, of: name, neededBy: envelopes).keys()
    guard let chain else { return keys }
    for snapshot in chain.snapshots {
      keys += [
        Keys.manifest(name, snapshot.sequence), Keys.body(name, snapshot.sequence, snapshot.envelope.body.id),
      ]
    }
    return keys + chain.archives.map { Keys.archive(name, $0.sequence, $0.id) }
  }
}
