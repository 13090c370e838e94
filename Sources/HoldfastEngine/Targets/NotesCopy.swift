internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Copies the revisions of the notes on a source that home keeps. With the places exchanged, it brings home what was
/// written at another target.
struct NotesCopy {
  private let home: Repository
  private let target: Repository
  private let source: SourceName

  init(from home: Repository, to target: Repository, of source: SourceName) {
    (self.home, self.target, self.source) = (home, target, source)
  }

  /// Compares the revisions at home with those at the target.
  /// - Parameter own: the numbers that home gives.
  /// - Returns: the revisions that the target needs, in ascending order.
  /// - Throws: `TargetError` when somebody has written notes at the target as if it were home.
  func missing(_ atHome: Set<UInt64>, _ atTarget: Set<UInt64>, own: OwnNumbers) throws -> [UInt64] {
    // A revision that was begun and never written is in no listing.
    if let newest = atTarget.filter(own.contains).max(), newest > atHome.max() ?? 0, try newest > newestAtHomeNow() {
      throw TargetError.newerNotes(
        key: Keys.notes(source, newest), target: target.location, home: home.location)
    }
    if let newest = atHome.intersection(atTarget).max() { try compare(newest) }
    return atHome.subtracting(atTarget).sorted()
  }

  /// Somebody may have written notes at home, and another sync have brought them, since home was listed.
  private func newestAtHomeNow() throws -> UInt64 {
    home.store.refresh()
    return try home.notes.revisions(of: source).last ?? 0
  }

  private func compare(_ revision: UInt64) throws {
    let key = Keys.notes(source, revision)
    guard let own = try bytes(key, in: home), let other = try bytes(key, in: target), own != other else { return }
    // Damaged revisions are reported by the readers of notes. Two sound ones that differ are a fork.
    guard isSound(revision, in: home), isSound(revision, in: target) else { return }
    throw TargetError.forked(key: key, target: target.location, home: home.location)
  }

  private func isSound(_ revision: UInt64, in repository: Repository) -> Bool {
    (try? repository.notes.revision(revision, of: source)) != nil
  }

  private func bytes(_ key: String, in repository: Repository) throws -> [UInt8]? {
    do {
      return try repository.store.object(key).contents(max: Limits.envelopeBytesMax)
    } catch StoreError.notFound {
      return nil
    }
  }

  /// Copies revisions that are sound at home, and removes older ones that home does not keep either.
  func copy(_ revisions: [UInt64], under lease: Lease) throws {
    for revision in revisions {
      guard isSound(revision, in: home), let bytes = try bytes(Keys.notes(source, revision), in: home) else { continue }
      do {
        try target.store.put(bytes, at: Keys.notes(source, revision))
      } catch StoreError.alreadyExists {
        try compare(revision)
      }
    }
    guard let newest = revisions.last else { return }
    let old = NotesStore.outdated(try target.notes.revisions(of: source), at: newest)
    guard !old.isEmpty else { return }
    try lease.checkHeld()
    // If nothing may be removed, old revisions stay.
    for revision in old { try? target.store.removeAll(below: Keys.notesFolder(source, revision)) }
  }
}

/// Copies the journal of a source: the two objects that are kept of it. It is not signed, so objects that the target
/// has are not compared.
struct JournalCopy {
  private let home: Repository
  private let target: Repository
  private let source: SourceName

  init(from home: Repository, to target: Repository, of source: SourceName) {
    (self.home, self.target, self.source) = (home, target, source)
  }

  func run() throws {
    let atHome = try home.journal.numbers(of: source).suffix(2)
    let atTarget = try target.journal.numbers(of: source)
    guard let newest = atHome.last, newest > atTarget.last ?? 0 else { return }
    for number in atHome where !atTarget.contains(number) {
      let key = Keys.journal(source, number)
      do {
        try target.store.put(home.store.object(key).contents(max: JournalObject.bytesMax), at: key)
      } catch let error as StoreError {
        // A run at home has removed it after adding a newer one, or another run has copied it.
        switch error {
        case .notFound, .alreadyExists: continue
        default: throw error
        }
      }
    }
    for number in atTarget where number + 1 < newest { try? target.store.remove(Keys.journal(source, number)) }
  }
}
