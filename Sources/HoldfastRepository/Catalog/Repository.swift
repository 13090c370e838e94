package import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem

/// A repository in one store: its descriptor and its snapshots.
package struct Repository: Sendable {
  package let store: any Store
  package let descriptor: Descriptor
  package let host: Host
  /// For a sealed repository: its keyring, and what this run's keys allow.
  package let sealed: SealedAccess?
  /// What this machine remembers of a sealed repository.
  package let memory: RepositoryMemory?
  /// The memory of this machine.
  package var machine = ClientMemory.none
  /// The archive lists of the snapshots that this run has listed.
  package var held = HeldArchives()
  /// Whether sealed objects are not opened, because there is no identity and only stored bytes are verified.
  package var isClosed = false

  package var id: Identifier { descriptor.repository }
  /// The location, for people.
  package var location: String { store.location }

  /// The notes on its snapshots.
  package var notes: NotesStore {
    NotesStore(store: store, descriptor: descriptor, sealed: sealed, memory: memory, host: host)
  }

  /// Why this machine would not notice an exchanged or older repository; `nil` when it would.
  package var memoryProblem: String? { memory?.problem }

  /// - Parameters:
  ///   - credentials: the keys for a sealed repository.
  ///   - memory: what this machine remembers.
  ///   - acceptsOlder: whether it may be a copy that is older than what this machine has seen; for reading only.
  ///   - expectedKeyring: the digest that a revision of its keyring must have.
  /// - Throws: with exit status 10 when there is no repository.
  package static func open(
    _ store: any Store, host: Host, credentials: Credentials = .none, memory: ClientMemory = .none,
    expectedKeyring: String? = nil, acceptsOlder: Bool = false
  ) throws -> Repository {
    let object: any ReadableBytes
    do {
      object = try store.object(Keys.descriptor)
    } catch StoreError.notFound {
      if try !store.children(of: Keys.sources).isEmpty {
        throw DamageError(Keys.descriptor, "it is missing, though there are snapshots in \(store.location)")
      }
      throw EngineError(
        "there is no repository in \(store.location)",
        hint:
          "Is its disk mounted? If it is new, run `holdfast init --repository \(store.location)`; else name another place with --repository.",
        exitStatus: .noRepository)
    }
    let descriptor = try Descriptor(parsing: object.contents(max: Limits.envelopeBytesMax), name: Keys.descriptor)
    let known = try memory.load(descriptor.repository, at: store.places, files: host.files)
    var history = try KeyringHistory(of: descriptor, in: store).revisions
    let pin = try expectedKeyring.map { text in
      guard let pin = Pin(text) else {
        throw EngineError(
          "\"\(text.isEmpty ? "" : Path(text).description)\" is not the digest of a keyring: it has \(Pin.digitsMin) hexadecimal digits at least, and fewer can be forged",
          hint: "Say the whole one that `holdfast key list` shows, as you have written it down.", exitStatus: .usage)
      }
      return pin
    }
    if let pin, let expectedKeyring, !history.contains(where: { pin.fits($0.digest) }) {
      throw EngineError(
        "the repository in \(store.location) has no revision \(expectedKeyring) of its keyring",
        hint: "It is not the one that is expected. Compare `holdfast key list` with what you have written down.",
        exitStatus: .dataLoss)
    }
    let remembered = try RepositoryMemory.check(
      descriptor, history, in: store, known: known, memory: memory, files: host.files,
      acceptsOlder: acceptsOlder)
    let newest = history.popLast()
    return Repository(
      store: store, descriptor: descriptor, host: host,
      sealed: newest.map { SealedAccess($0, after: history, credentials: credentials) }, memory: remembered,
      machine: memory)
  }

  /// The ID of the repository in a store, even if it is damaged otherwise; `nil` when it cannot be told.
  package static func id(in store: any Store) -> Identifier? {
    let bytes = try? store.object(Keys.descriptor).contents(max: Limits.envelopeBytesMax)
    return bytes.flatMap { try? Descriptor(parsing: $0, name: Keys.descriptor).repository }
  }

  // MARK: Snapshots

  /// The names of all sources, in ascending order.
  package func sourceNames() throws -> [SourceName] {
    try store.children(of: Keys.sources).compactMap { $0.hasSuffix("/") ? SourceName(String($0.dropLast())) : nil }
  }

  /// The names of all sources of which there is archived log, in ascending order.
  package func loggedSourceNames() throws -> [SourceName] {
    try store.children(of: Keys.wal).compactMap { $0.hasSuffix("/") ? SourceName(String($0.dropLast())) : nil }
  }

  /// The sequences that have a directory, in ascending order, committed or not.
  package func sequences(of source: SourceName) throws -> [UInt64] {
    try store.children(of: Keys.source(source)).compactMap { $0.hasSuffix("/") ? Keys.sequence($0.dropLast()) : nil }
      .sorted()
  }

  /// `nil` when no snapshot with this sequence was committed.
  package func snapshotIfCommitted(_ source: SourceName, _ sequence: UInt64) throws -> Snapshot? {
    try manifest(of: source, sequence).map { try snapshot($0, of: source, sequence) }
  }

  /// The object of a manifest; `nil` when there is none.
  func manifest(of source: SourceName, _ sequence: UInt64) throws -> (any ReadableBytes)? {
    do {
      return try store.object(Keys.manifest(source, sequence))
    } catch StoreError.notFound {
      return nil
    }
  }

  func snapshot(_ manifest: any ReadableBytes, of source: SourceName, _ sequence: UInt64) throws -> Snapshot {
    try snapshot(manifest.contents(max: Limits.envelopeBytesMax), of: source, sequence)
  }

  /// The snapshot with these manifest bytes.
  /// - Throws: `DamageError` or `FormatError` when it is not valid, or does not belong here.
  package func snapshot(_ bytes: [UInt8], of source: SourceName, _ sequence: UInt64) throws -> Snapshot {
    let key = Keys.manifest(source, sequence)
    let snapshot = try Snapshot(parsing: bytes, name: key)
    guard snapshot.sourceName == source, snapshot.sequence == sequence else {
      throw DamageError(key, "it belongs to \(snapshot.sourceName)/\(snapshot.sequence)")
    }
    guard snapshot.envelope.repository == id else { throw DamageError(key, "it belongs to another repository") }
    try checkSigner(of: snapshot, key: key)
    return snapshot
  }

  /// In a sealed repository, a snapshot counts only with a signature of a writer that counts.
  private func checkSigner(of snapshot: Snapshot, key: String) throws {
    guard snapshot.envelope.isSealed == descriptor.isSealed else {
      throw DamageError(
        key, "it is \(descriptor.isSealed ? "not sealed in a sealed" : "sealed in an unsealed") repository")
    }
    guard let keyring = sealed?.keyring, let signer = snapshot.envelope.signature?.key else { return }
    if let refusal = keyring.refusal(of: signer, digest: snapshot.digest) { throw DamageError(key, refusal) }
    _ = try sealed?.revision(of: snapshot)
  }

  /// All snapshots of a source in ascending order; the error for a damaged envelope.
  package func snapshots(of source: SourceName) throws -> [Result<Snapshot, DamageError>] {
    let numbers: [UInt64]
    do {
      numbers = try sequences(of: source)
    } catch let damage as DamageError {
      return [.failure(damage)]
    }
    return try EnvelopeReading(self, source).snapshots(numbers)
  }

  /// All snapshots of all sources, or of one. `onDamage` gets damaged envelopes.
  /// - Parameter includingRemoved: whether removed snapshots are included, as long as they are not gone.
  /// - Throws: when there is no source of that name: a mistyped name is not an empty history.
  package func allSnapshots(
    of name: SourceName? = nil, includingRemoved: Bool = false, onDamage: (DamageError) -> Void
  ) throws -> [Snapshot] {
    return try knownSources(name).flatMap { name in
      let sound = try committedSnapshots(of: name, onDamage: onDamage)
      let notes = try notes.read(name)
      notes.damage.forEach(onDamage)
      return includingRemoved ? sound : sound.filter { notes.removal(of: $0) == nil }
    }
  }

  /// All sources, or one.
  /// - Throws: when there is no source of that name.
  package func knownSources(_ name: SourceName?) throws -> [SourceName] {
    // A source that has disappeared is damage if this machine has seen snapshots of it.
    let known = Set(try sourceNames()).union(memory?.sources ?? [])
    if let name, !known.contains(name), try !loggedSourceNames().contains(name) {
      throw EngineError(
        "there is no source \(name) in \(location)", hint: "Run `holdfast list` to see all sources.")
    }
    return name.map { [$0] } ?? known.sorted()
  }

  /// All committed snapshots of a source in ascending order, regardless of its notes.
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
    if let loss = memory?.check(sound, of: name, damaged: damaged) { onDamage(loss) }
    return sound
  }

  // MARK: Objects

  package func openBody(of snapshot: Snapshot) throws -> ContainerReader {
    let envelope = snapshot.envelope
    return try container(
      .body, Keys.body(snapshot.sourceName, snapshot.sequence, envelope.body.id), envelope.body, access: access)
  }

  package func openArchive(_ archive: Envelope.Archive, of source: SourceName) throws -> ContainerReader {
    try container(
      .archive, Keys.archive(source, archive.sequence, archive.id), archive.reference, access: access)
  }

  /// Opens an object whose length is in a manifest.
  /// - Throws: `DamageError` when the object is not as recorded.
  package func container(
    _ kind: ContainerKind, _ key: String, _ reference: ObjectReference, access: ContainerAccess
  ) throws -> ContainerReader {
    try store.recorded(key) {
      try ContainerReader(
        store.open(key, length: reference.length), kind: kind, repository: id, reference: reference, access: access)
    }
  }

  /// Checks that an object exists and is as long as recorded, without reading it.
  package func checkPresence(_ key: String, length: UInt64) throws {
    try checkPresence(of: CollectionOfOne(RecordedObject(key: key, length: length)))
  }
}

extension ReadableBytes {
  /// All bytes; throws when there are more than `max`.
  package func contents(max: Int) throws -> [UInt8] {
    guard length <= UInt64(max) else { throw DamageError(name, "it is too long") }
    var bytes = [UInt8](repeating: 0, count: Int(length))
    try bytes.withUnsafeMutableBytes { try read(into: $0, at: 0) }
    return bytes
  }
}
