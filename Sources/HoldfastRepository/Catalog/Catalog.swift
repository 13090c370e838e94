package import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem

/// The sources and snapshots of a repository. No other code lists or reads manifests.
package struct Catalog: Sendable {
  var store: any Store
  let descriptor: Descriptor
  let keyring: KeyringStore
  package let names: SourceNameStore
  var notes: NotesStore
  let journal: Journal
  let memory: RepositoryMemory?
  var host: Host
  /// The archive lists of the snapshots that this run has listed.
  package var held = HeldArchives()

  /// The names of all sources, in ascending order. A remote store lists everything below them for this, so code that
  /// needs only one source uses `isKnown`.
  package func sourceNames() throws -> [SourceName] {
    try called(Self.names(in: try store.children(of: Keys.sources)))
  }

  /// The names of all sources with archived log, in ascending order.
  package func loggedSourceNames() throws -> [SourceName] {
    try called(Self.names(in: try store.children(of: Keys.wal)))
  }

  /// The names of all sources with a journal, in ascending order.
  package func journaledSourceNames() throws -> [SourceName] {
    try called(journal.sources())
  }

  private static func names(in listing: [String]) -> [SourceName] {
    listing.compactMap { $0.hasSuffix("/") ? SourceName(String($0.dropLast())) : nil }
  }

  /// Returns sources that are known as they are stored, with the names by which they are called.
  private func called(_ stored: [SourceName]) throws -> [SourceName] {
    try stored.map { try names.source(stored: $0) }.sorted()
  }

  /// The sources of which this machine has seen snapshots.
  package func seenSources() throws -> [SourceName] {
    try (memory?.sources ?? []).map { try names.source(stored: $0) }
  }

  /// The sequences that have a directory, in ascending order, committed or not.
  package func sequences(of source: SourceName) throws -> [UInt64] {
    try store.children(of: Keys.source(source)).compactMap { $0.hasSuffix("/") ? Keys.sequence($0.dropLast()) : nil }
      .sorted()
  }

  /// Returns the committed snapshot with this sequence; `nil` when none was committed.
  package func snapshotIfCommitted(_ source: SourceName, _ sequence: UInt64) throws -> Snapshot? {
    try manifest(of: source, sequence).map { try snapshot($0, of: source, sequence) }
  }

  /// Returns the object of a manifest; `nil` when there is none.
  /// - Throws: `DamageError` when the store lists it and says that it is missing. Such a snapshot must not be taken for
  ///   one that was never committed: its objects would be removed.
  func manifest(of source: SourceName, _ sequence: UInt64) throws -> (any ReadableBytes)? {
    let key = Keys.manifest(source, sequence)
    if let object = try objectIfThere(key) { return object }
    // This uses what this run has listed already, and makes no request.
    guard !store.capabilities.isNear, try isCommitted(source, sequence) else { return nil }
    store.refresh()
    if let object = try objectIfThere(key) { return object }
    // A manifest that a prune has removed meanwhile is no longer listed.
    guard try isCommitted(source, sequence) else { return nil }
    throw DamageError(key, "\(store.location) lists it, and answers that it is not there")
  }

  private func objectIfThere(_ key: String) throws -> (any ReadableBytes)? {
    do {
      return try store.object(key)
    } catch StoreError.notFound {
      return nil
    }
  }

  func snapshot(_ manifest: any ReadableBytes, of source: SourceName, _ sequence: UInt64) throws -> Snapshot {
    try manifest.firstSound { try snapshot($0.contents(max: Limits.envelopeBytesMax), of: source, sequence) }
  }

  /// Returns the snapshot with these manifest bytes.
  /// - Throws: `DamageError` or `FormatError` when it is not valid, or does not belong here.
  package func snapshot(_ bytes: [UInt8], of source: SourceName, _ sequence: UInt64) throws -> Snapshot {
    let key = Keys.manifest(source, sequence)
    var snapshot = try Snapshot(parsing: bytes, name: key)
    guard snapshot.sourceName == source, snapshot.sequence == sequence else {
      throw DamageError(key, "it belongs to \(snapshot.sourceName)/\(snapshot.sequence)")
    }
    guard snapshot.envelope.repository == descriptor.repository else {
      throw DamageError(key, "it belongs to another repository")
    }
    try checkSigner(of: snapshot, key: key)
    snapshot.envelope.source.name = try names.source(stored: source)
    return snapshot
  }

  /// Checks that a snapshot of a sealed repository has the signature of a writer whose snapshots count.
  private func checkSigner(of snapshot: Snapshot, key: String) throws {
    guard snapshot.envelope.isSealed == descriptor.isSealed else {
      throw DamageError(
        key, "it is \(descriptor.isSealed ? "not sealed in a sealed" : "sealed in an unsealed") repository")
    }
    guard let sealed = keyring.sealed, let signer = snapshot.envelope.signature?.key else { return }
    if let refusal = sealed.keyring.refusal(of: signer, digest: snapshot.digest) { throw DamageError(key, refusal) }
    _ = try sealed.revision(of: snapshot)
  }

  /// Returns all snapshots of a source in ascending order, and the error for each damaged envelope.
  package func snapshots(of source: SourceName) throws -> [Result<Snapshot, DamageError>] {
    let numbers: [UInt64]
    do {
      numbers = try sequences(of: source)
    } catch let damage as DamageError {
      return [.failure(damage)]
    }
    return try EnvelopeReading(self, of: source).snapshots(numbers)
  }

  /// Returns all snapshots of all sources, or of one. `onDamage` gets damaged envelopes.
  /// - Parameters:
  ///   - includingRemoved: true if removed snapshots are included, as long as they exist.
  ///   - includingDiverged: true if snapshots are included that were under way when another host took over the source.
  ///     They are named to people and copied, and never count as anything's newest.
  /// - Throws: when there is no source of that name: a mistyped name is not an empty history.
  package func allSnapshots(
    of name: SourceName? = nil, includingRemoved: Bool = false, includingDiverged: Bool = false,
    onDamage: (DamageError) -> Void
  ) throws -> [Snapshot] {
    return try knownSources(name).flatMap { name in
      let sound = try committedSnapshots(of: name, onDamage: onDamage)
      let notes = try notes.read(name)
      notes.damage.forEach(onDamage)
      let marked = notes.notes.markDiverged(sound)
      return marked.filter { snapshot in
        (includingRemoved || notes.removal(of: snapshot) == nil) && (includingDiverged || !snapshot.isDiverged)
      }
    }
  }

  /// Returns all sources, or one.
  /// - Parameter name: any name of the source.
  /// - Throws: when there is no source of that name.
  package func knownSources(_ name: SourceName?) throws -> [SourceName] {
    // A source that has disappeared is damage if this machine has seen snapshots of it.
    let seen = try seenSources()
    guard let given = name else { return Set(try sourceNames()).union(seen).sorted() }
    let name = try names.source(given)
    guard try seen.contains(name) || isKnown(name) || loggedSourceNames().contains(name) else {
      if let problem = try names.problem() { throw problem }
      throw EngineError(
        .usage, "there is no source \(name) in \(store.location)", hint: "Run `holdfast list` to see all sources.")
    }
    return [name]
  }

  /// Returns all committed snapshots of a source in ascending order, regardless of its notes.
  package func committedSnapshots(of name: SourceName, onDamage: (DamageError) -> Void) throws -> [Snapshot] {
    var damaged: Set<String> = []
    let sound = try snapshots(of: name).compactMap { result in
      switch result {
      case .success(let snapshot): return snapshot as Snapshot?
      case .failure(let damage):
        damaged.insert(damage.object)
        onDamage(damage)
        return nil
      }
    }
    if let loss = memory?.check(sound, of: name, damaged: damaged),
      try memory?.head(of: name).map({ try !notes.read(name).notes.isCollected($0.sequence) }) ?? true
    {
      onDamage(loss)
    }
    return sound
  }
}
