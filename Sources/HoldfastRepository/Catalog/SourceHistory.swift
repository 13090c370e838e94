package import HoldfastArchive
package import HoldfastModel
package import HoldfastStore
internal import HoldfastSystem

/// Finds what a run that adds a snapshot to a source must know of the earlier ones.
extension Catalog {
  /// Returns the newest committed snapshot with a readable envelope, in the order of `standsFor`. A damaged envelope
  /// gives a warning, and is skipped, and so is a diverged snapshot.
  /// - Parameters:
  ///   - lease: the lease under which leftovers of killed runs are removed; `nil` to leave them.
  ///   - notes: the notes on the source; `nil` to read them.
  package func newestSnapshot(
    of name: SourceName, _ notes: SourceNotes? = nil, removingLeftoversUnder lease: Lease?,
    progress: any ProgressObserver
  ) throws -> Snapshot? {
    let notes = try notes ?? self.notes.read(name).notes
    let found = try newestReadable(of: name, notes, removingLeftoversUnder: lease, progress: progress)
    guard let head = memory?.head(of: name) else { return found.newest }
    if found.last.map({ $0.sequence < head.sequence }) ?? true {
      progress.warn(
        "snapshot number \(head.sequence) of \(name), which this machine has seen, is not there: the repository was put back, or has lost its newest snapshots"
      )
    } else if let last = found.last, last.sequence == head.sequence, last.digest != head.digest {
      progress.warn(
        "snapshot number \(head.sequence) of \(name) is another one than this machine has seen: the repository was put back"
      )
    }
    return found.newest
  }

  /// - Returns: the newest snapshot in the order of `standsFor`, and the one with the highest number. They differ if
  ///   the last action was a merge of an older snapshot.
  private func newestReadable(
    of name: SourceName, _ notes: SourceNotes, removingLeftoversUnder lease: Lease?, progress: any ProgressObserver
  ) throws -> (newest: Snapshot?, last: Snapshot?) {
    var newest: Snapshot?
    var last: Snapshot?
    for sequence in try sequences(of: name).reversed() {
      // No snapshot stands for one with a higher number.
      if let newest, sequence <= newest.standsFor { break }
      do {
        if let snapshot = try snapshotIfCommitted(name, sequence) {
          last = last ?? snapshot
          if !notes.isDiverged(snapshot), newest.map({ Snapshot.isOlder($0, snapshot) }) ?? true { newest = snapshot }
        } else if let lease, last == nil {
          try removeLeftover(of: name, sequence, under: lease, progress)
        }
      } catch let damage as DamageError {
        progress.warn(damage.message)
      }
    }
    return (newest, last)
  }

  /// Removes what a killed run left under a number. It removes nothing if a snapshot was seen there: if that lost only
  /// its manifest, the rest may still be useful.
  private func removeLeftover(
    of name: SourceName, _ sequence: UInt64, under lease: Lease, _ progress: any ProgressObserver
  ) throws {
    let isSeen = memory?.head(of: name).map { sequence <= $0.sequence } ?? false
    guard
      try !isSeen && !notes.read(name).notes.notes.contains(where: { $0.sequence == sequence && $0.speaksOfACommit })
    else {
      return progress.warn("\(Keys.manifest(name, sequence)) is missing: bring it back, or remove what is beside it")
    }
    let folder = Keys.snapshot(name, sequence)
    do {
      if store.capabilities.isNear {
        try lease.checkHeld()
        return try store.removeAll(below: folder)
      }
      // It may have been committed after this run has listed the source.
      store.refresh()
      let names = try store.children(of: folder)
      guard !names.contains(Keys.manifestName) else { return }
      try lease.checkHeld()
      // A request may be repeated for minutes, and arrive after the next holder of the lease has committed under this
      // number. So each request names one object that existed before.
      for leftover in names { try store.remove(folder + leftover) }
    } catch let refusal as StoreError {
      guard case .removalRefused = refusal else { throw refusal }
      // The leftover does not count, and the next snapshot gets another number.
      progress.warn("\(folder) is what a killed run left, and it stays: \(refusal.message)")
    }
  }

  /// True if anything of a source exists.
  package func isKnown(_ name: SourceName) throws -> Bool {
    do {
      return try !store.children(of: Keys.source(name)).isEmpty
    } catch is DamageError {
      // Something else lies at its key; the code that reads the source reports that.
      return true
    }
  }

  /// True if this machine has a key that opens the newest snapshot of a source.
  package func opensNewest(of name: SourceName) throws -> Bool {
    guard keyring.isSealed else { return true }
    guard try keyring.hasIdentity() else { return false }
    guard try isKnown(name),
      let newest = try allSnapshots(of: name, onDamage: { _ in }).max(by: Snapshot.isOlder)
    else { return true }
    return try keyring.opens(newest)
  }

  /// Returns the damage if notes or journal name a snapshot that is newer than all that exist. So a machine without
  /// memory also notices a repository that has lost its newest snapshots. Nobody signs the journal: this is a warning,
  /// and decides nothing.
  /// - Parameter journals: a listing of the journals, if one was made.
  package func newerThanPresent(of name: SourceName, in journals: Journal.Listing? = nil) throws -> DamageError? {
    do {
      return try newerThanListed(of: name, in: journals)
    } catch let damage as DamageError {
      return damage
    }
  }

  private func newerThanListed(of name: SourceName, in journals: Journal.Listing?) throws -> DamageError? {
    // The notes are read first, because meanwhile a run may commit and then write to the journal.
    let notes = try notes.read(name).notes
    let noted = max(notes.highest, notes.notes.last { $0.speaksOfACommit }?.sequence ?? 0)
    let journal = try journal.entriesIfReadable(of: name, in: journals)
    let written = journal.compactMap(\.sequence).filter { $0 <= Limits.sequenceMax }.max() ?? 0
    let told = max(noted, written)
    guard try told > highestPresent(of: name), !notes.isCollected(told) else { return nil }
    // A listing that the store remembers may be older than the note or entry that names the snapshot.
    store.refresh()
    guard try told > highestPresent(of: name) else { return nil }
    return DamageError(
      Keys.manifest(name, told),
      "it is missing, and \(noted == told ? "the notes tell" : "the journal tells") of it: "
        + "the repository was put back, or has lost its newest snapshots")
  }

  /// Returns the highest number with a manifest; 0 for none.
  package func highestPresent(of name: SourceName) throws -> UInt64 {
    try sequences(of: name).last { sequence in
      do {
        return try manifest(of: name, sequence) != nil
      } catch is DamageError {
        // Something exists; other checks report its fault.
        return true
      }
    } ?? 0
  }

  /// Returns the same for every source that exists or has a journal.
  package func newerThanPresent() throws -> [DamageError] {
    let journals = try journal.listIfReadable()
    let written = try (journals?.sources ?? []).map { try names.source(stored: $0) }
    return try Set(try sourceNames()).union(written).sorted().compactMap {
      try newerThanPresent(of: $0, in: journals)
    }
  }
}
