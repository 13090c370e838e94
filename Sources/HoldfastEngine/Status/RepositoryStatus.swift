package import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

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
    let noted = try (journals?.sources ?? []).map { try repository.names.source(stored: $0) }
    let name = try name.map { try repository.names.source($0) }
    let expected = try expected.map { try repository.names.source($0) }
    // A source that is missing as a whole is damage if this machine has seen it; `allSnapshots` reports that.
    let present = try name.map { try repository.catalog.isKnown($0) ? [$0] : [] } ?? repository.catalog.sourceNames()
    let known = Set(present).union(try repository.catalog.seenSources())
    let names =
      try name.map { [$0] }
      ?? known.union(noted).union(expected).sorted().filter {
        try expected.contains($0) || repository.catalog.removal(of: $0) == nil
      }
    // The heartbeat is only information.
    let leases = (try? newestLeases(of: names, in: repository.store)) ?? [:]
    return try names.map { name in
      try repository.host.cancellation.check()
      var facts = StatusComputation.Facts(name, snapshots: [])
      if known.contains(name) || !(noted.contains(name) || expected.contains(name)) {
        let all = try repository.catalog.allSnapshots(of: name, includingDiverged: true) {
          facts.damage.append($0.message)
        }
        (facts.snapshots, facts.diverged) = (all.filter { !$0.isDiverged }, all.filter(\.isDiverged).map(\.id))
        let notes = try repository.notes.read(name).notes
        facts.notedRole = notes.lastEra?.role
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
      facts.lease = leases[name]
      if let system = facts.snapshots.max(by: Snapshot.isOlder)?.envelope.postgres.flatMap({
        SystemIdentifier($0.system)
      }) {
        facts.newestLog = try WALArchive(repository, of: name).newestOfLog(system)
      }
      return StatusComputation(facts, objectives(name), now: repository.host.clock.now()).run()
    }
  }
}

extension SourceStatus {
  /// Returns the newest number of the lease of each source. All are listed at once, and read side by side.
  private static func newestLeases(
    of names: [SourceName], in store: any Store
  ) throws -> [SourceName: LeaseRecord] {
    let prefix = LeaseNumbers.prefix + (names.count == 1 ? names[0].key + "/" : "")
    var newest: [SourceName: UInt64] = [:]
    try store.forEachEntry(below: prefix, .everything) { entry in
      let parts = (prefix + entry.name).dropFirst(LeaseNumbers.prefix.count).split(separator: "/", maxSplits: 1)
      if parts.count == 2, let name = SourceName(String(parts[0])), let number = LeaseNumbers.number(parts[1]) {
        newest[name] = max(number, newest[name] ?? 0)
      }
      return true
    }
    let found = names.compactMap { name in newest[name].map { (name: name, number: $0) } }
    let records = Mutex<[SourceName: LeaseRecord]>([:])
    try SideBySide.run(found.count, threads: store.connections) { index in
      let (name, number) = found[index]
      let bytes = try? LeaseNumbers(store: store, name: name.key).bytes(of: number)
      guard let record = bytes.flatMap({ LeaseRecord(parsing: $0) }) else { return }
      records.withLock { $0[name] = record }
    }
    return records.withLock { $0 }
  }
}

extension SourceStatus {
  /// Returns the entries of a journal with the evidence that counts. In a sealed repository anybody who can write to
  /// the store could add a drill that passed, so evidence counts only with the signature of a writer; the other entries
  /// stay without it.
  package static func counted(
    _ entries: [JournalEntry], of name: SourceName, in repository: Repository
  ) -> [JournalEntry] {
    guard let keyring = repository.keyring.sealed?.keyring else { return entries }
    var (counted, signatures) = (entries, Set<Signature>())
    for (index, entry) in entries.enumerated() where entry.drill != nil {
      let isSigned = entry.hasSignedDrill(of: name, in: repository.id, by: keyring)
      if isSigned, let signature = entry.drill?.signature, signatures.insert(signature).inserted { continue }
      counted[index].drill = nil
    }
    return counted
  }
}

extension StatusComputation.Facts {
  fileprivate mutating func keep(_ entries: [JournalEntry], signedFor repository: Repository) {
    journal = SourceStatus.counted(entries, of: name, in: repository)
    unsignedDrills = entries.count { $0.drill != nil } - journal.count { $0.drill != nil }
  }
}
