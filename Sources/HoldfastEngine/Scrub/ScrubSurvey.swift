internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The listing, the manifests, the notes and the archived log of one source at one target.
struct ScrubSurvey: Sendable {
  let listing: SourceListing
  /// The snapshots with a sound manifest, by sequence.
  private(set) var snapshots: [UInt64: Snapshot] = [:]
  /// The damage of the other manifests, by sequence.
  private(set) var damaged: [UInt64: DamageError] = [:]
  /// The sound revisions of the notes, by number.
  private(set) var notes: [UInt64: NotesRevision] = [:]
  /// The damage of the other revisions of the notes, by number.
  private(set) var damagedNotes: [UInt64: DamageError] = [:]
  /// The archived log of the source.
  let logs: ScrubLogs.Survey
  /// The numbers of the revisions of the notes that are there, sound or not. They were listed after the manifests were
  /// read: a prune notes what it collects before it removes a manifest.
  private(set) var listedNotes: Set<UInt64> = []
  /// The keyring, by which removals count; `nil` when the repository is not sealed.
  private let keyring: Keyring?

  init(of source: SourceName, at target: ScrubTarget) throws {
    let repository = target.repository
    keyring = repository.keyring.sealed?.keyring
    repository.store.refresh()
    listing = try SourceListing(of: source, in: repository.store)
    logs = try ScrubLogs.survey(source, target)
    try readManifests(of: source, in: repository)
    try listNotes(of: source, in: repository.store)
    for number in listedNotes.sorted() {
      do {
        notes[number] = try repository.notes.revision(number, of: source)
      } catch let damage as DamageError {
        damagedNotes[number] = damage
      } catch StoreError.notFound {
        // It was removed after the listing.
      }
    }
  }

  private mutating func listNotes(of source: SourceName, in store: any Store) throws {
    store.refresh()
    let prefix = Keys.notes(source)
    try store.forEachEntry(below: prefix, .everything) { entry in
      let number = Keys.sequence(entry.name.prefix { $0 != "/" })
      if entry.kind != .foreign, let number, prefix + entry.name == Keys.notes(source, number) {
        listedNotes.insert(number)
      }
      return true
    }
  }

  private mutating func readManifests(of source: SourceName, in repository: Repository) throws {
    let sequences = listing.committed.sorted()
    repository.store.prefetch(sequences.map { (Keys.manifest(source, $0), nil) })
    let read = try sequences.mapInParallel(workers: repository.host.workers, batch: 16) {
      sequence -> Result<Snapshot, DamageError>? in
      do {
        try repository.host.cancellation.check()
        guard let snapshot = try repository.catalog.snapshotIfCommitted(source, sequence) else { return nil }
        // Beyond the limit the list of a merged snapshot stays in memory: the manifest is sound.
        return .success((try? repository.catalog.held.hold(snapshot)) ?? snapshot)
      } catch let damage as DamageError {
        return .failure(damage)
      }
    }
    for (sequence, result) in zip(sequences, read) {
      switch result {
      case .success(let snapshot): snapshots[sequence] = snapshot
      case .failure(let damage): damaged[sequence] = damage
      case nil: continue
      }
    }
  }

  /// The numbers of the snapshots whose manifests are there, sound or not.
  var committed: Set<UInt64> { Set(snapshots.keys).union(damaged.keys) }

  /// The newest sound revision of the notes, with the removals that count.
  var newestNotes: SourceNotes? { notes.max { $0.key < $1.key }.map { counted($0.value) } }

  /// Returns the notes of a revision, without removals that no writer with the right to prune has signed.
  func counted(_ revision: NotesRevision) -> SourceNotes {
    revision.notes.removalsThatCount(by: keyring).notes
  }
}
