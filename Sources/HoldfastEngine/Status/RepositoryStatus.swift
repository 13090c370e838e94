internal import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

extension SourceStatus {
  /// Returns the status of each source, in ascending order of names. Sources are read one after the other, so that
  /// memory does not grow with their number.
  /// - Parameters:
  ///   - name: one source; `nil` for all, including those that only the journal knows.
  ///   - expected: the sources that should exist.
  ///   - objectives: returns the objectives of a source.
  package static func read(
    from repository: Repository, of name: SourceName?, expected: [SourceName] = [],
    _ objectives: (SourceName) -> Objectives
  ) throws -> [SourceStatus] {
    let journal = repository.journal
    // If this cannot be read, reading the journal of each source reports the reason.
    let journals = try journal.listIfReadable(name)
    let noted = journals?.sources ?? []
    // A source that is missing as a whole is damage if this machine has seen it; `allSnapshots` reports that.
    let present = try name.map { try repository.catalog.isKnown($0) ? [$0] : [] } ?? repository.catalog.sourceNames()
    let known = Set(present).union(repository.memory?.sources ?? [])
    let names = name.map { [$0] } ?? known.union(noted).union(expected).sorted()
    return try names.map { name in
      try repository.host.cancellation.check()
      var facts = StatusComputation.Facts(name, snapshots: [])
      if known.contains(name) || !(noted.contains(name) || expected.contains(name)) {
        facts.snapshots = try repository.catalog.allSnapshots(of: name) { facts.damage.append($0.message) }
        let notes = try repository.notes.read(name).notes
        facts.notedDamage = notes.notes.filter { $0.damaged != nil && $0.removed == nil }.map(\.snapshot)
        facts.suspicious = Set(facts.snapshots.filter { $0.isSuspicious(notes) }.map(\.id))
      }
      do {
        let reading = try journal.read(name, in: journals)
        facts.keep(reading.entries, signedFor: repository)
        facts.journalDamage = reading.damage.map(\.message)
      } catch let error as any OperatorError where !error.isTransient {
        // The journal is only information: the values that depend on it are then not known.
        facts.journalDamage = [error.message]
      }
      // The heartbeat is only information.
      facts.lease = try? LeaseNumbers(store: repository.store, name: name.text).newest()?.record
      return StatusComputation(facts, objectives(name), now: repository.host.clock.now()).run()
    }
  }
}

extension StatusComputation.Facts {
  /// Keeps the entries of the journal. In a sealed repository anybody who can write to the store could add a drill that
  /// passed, so evidence counts only with the signature of a writer.
  fileprivate mutating func keep(_ entries: [JournalEntry], signedFor repository: Repository) {
    journal = entries
    guard let keyring = repository.keyring.sealed?.keyring else { return }
    for (index, entry) in entries.enumerated()
    where entry.drill != nil && !entry.hasSignedDrill(of: name, in: repository.id, by: keyring) {
      journal[index].drill = nil
      unsignedDrills += 1
    }
  }
}
