package import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem

/// A repository in one store, opened: what it consists of, and what this machine remembers of it.
package struct Repository: Sendable {
  package private(set) var store: any Store
  package let descriptor: Descriptor
  package let host: Host
  /// Its keyring, and what this run's keys allow.
  package let keyring: KeyringStore
  /// The notes on its snapshots.
  package private(set) var notes: NotesStore
  /// The runs on its sources.
  package let journal: Journal
  /// Its sources and snapshots.
  package var catalog: Catalog
  /// Its bodies and archives.
  package var containers: ContainerStore
  /// What this machine remembers of a sealed repository.
  package let memory: RepositoryMemory?
  /// What this machine has done with it.
  package let machine: MachineRecords
  /// What was asked for the run while it was opened; `nil` for a near one.
  package private(set) var ahead: RunAhead?
  /// What the end of a run in a remote repository need not wait for, one thing after the other.
  package let errands = Errands()
  /// Whether runs are noted in it. Notes and journal are written at home only, and other targets get them from there.
  package var isHome = true

  package var id: Identifier { descriptor.repository }
  /// The location, for people.
  package var location: String { store.location }

  /// How it is reached.
  package var scheme: StoreScheme { store.scheme }

  /// - Parameters:
  ///   - keys: the keys for a sealed repository.
  ///   - known: what this machine remembers of a sealed one.
  init(
    _ store: any Store, _ descriptor: Descriptor, _ history: [KeyringRevision], _ keys: Credentials, host: Host,
    known: RepositoryMemory?, _ machine: ClientMemory
  ) {
    (self.store, self.descriptor, self.host, memory) = (store, descriptor, host, known)
    self.machine = MachineRecords(machine, of: descriptor.repository, at: store.places, files: host.files)
    keyring = KeyringStore(history, of: descriptor, in: store, keys, known)
    notes = NotesStore(store: store, descriptor: descriptor, keyring: keyring, memory: known, host: host)
    journal = Journal(in: store)
    catalog = Catalog(
      store: store, descriptor: descriptor, keyring: keyring, notes: notes, journal: journal, memory: known, host: host)
    containers = ContainerStore(in: store, of: descriptor.repository, keyring.sealed, host: host)
  }

  /// - Parameters:
  ///   - credentials: the keys for a sealed repository.
  ///   - memory: what this machine remembers.
  ///   - cache: what this machine keeps of remote repositories.
  ///   - acceptsOlder: whether it may be a copy that is older than what this machine has seen; for reading only.
  ///   - expectedKeyring: the digest that a revision of its keyring must have.
  ///   - source: the source that the run is about, if that is known: then it asks for more things at once.
  ///   - takesLease: whether the run will take the lease on that source.
  ///   - looksAround: whether the run will ask for the snapshots and the journals of all sources.
  /// - Throws: with exit status 10 when there is no repository.
  package static func open(
    _ store: any Store, host: Host, credentials: Credentials = .none, memory: ClientMemory = .none,
    cache: CatalogCache = .none, expectedKeyring: String? = nil, acceptsOlder: Bool = false,
    for source: SourceName? = nil, takesLease: Bool = false, looksAround: Bool = false
  ) throws -> Repository {
    // What does not depend on the descriptor is asked for together with it.
    let keyringNames = store.meanwhile { try store.children(of: Keys.keyring) }
    let ahead =
      store.capabilities.isNear
      ? nil : source.map { RunAhead(on: $0, takesLease: takesLease, in: store, host: host) }
    let isFarAndWide = looksAround && !store.capabilities.isNear
    // The store remembers what it has listed.
    if isFarAndWide { _ = store.meanwhile { try store.children(of: Keys.sources) } }
    let journals = isFarAndWide ? Journal.lookAround(in: store) : nil
    let object: any ReadableBytes
    do {
      object = try store.object(Keys.descriptor)
    } catch StoreError.notFound {
      try checkIsNotDeleted(store)
      if try !store.children(of: Keys.sources).isEmpty {
        throw DamageError(Keys.descriptor, "it is missing, though there are snapshots in \(store.location)")
      }
      throw EngineError(
        "there is no repository in \(store.location)",
        hint:
          "\(store.scheme.absenceQuestion) If it is new, run `holdfast init --repository \(store.location)`; else name another place with --repository.",
        exitStatus: .noRepository)
    }
    let descriptor: Descriptor
    do {
      descriptor = try object.firstSound {
        try Descriptor(parsing: $0.contents(max: Limits.envelopeBytesMax), name: Keys.descriptor)
      }
    } catch let error as any OperatorError where error is DamageError || error is FormatError {
      try checkIsNotDeleted(store)
      throw error
    }
    let known = try memory.load(descriptor.repository, at: store.places, files: host.files)
    let cached = cache.over(store, of: descriptor.repository, files: host.files)
    ahead?.readNewest(from: cached)
    var names = try keyringNames.value()
    // They were asked for before the descriptor and the memory were read: a newer one is not missing.
    if UInt64(names.count) < max(known.record?.keyring.revision ?? 0, descriptor.keyring == nil ? 0 : 1) {
      names = try store.children(of: Keys.keyring)
    }
    let history = try KeyringHistory(of: descriptor, names: names, in: store).revisions
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
    if let ahead, let source, let remembered {
      ahead.wait()
      let seen = [
        remembered.head(of: source).map { Keys.manifest(source, $0.sequence) },
        remembered.highestNotes(of: source) > 0 ? Keys.notes(source, remembered.highestNotes(of: source)) : nil,
      ]
      // The listing may be older than the memory: another run on this machine may have added what is remembered.
      if seen.compactMap(\.self).contains(where: { store.listed($0) == nil }) { store.refresh() }
    }
    var repository = Repository(cached, descriptor, history, credentials, host: host, known: remembered, memory)
    repository.ahead = ahead
    if let journals { repository.journal.expectListing(journals) }
    return repository
  }

  /// The same, which reads everything from the store itself, whatever this machine keeps of it.
  package var uncached: Repository {
    guard let cached = store as? CatalogCacheStore else { return self }
    var direct = self
    direct.store = cached.base
    direct.notes.store = cached.base
    direct.catalog.store = cached.base
    direct.catalog.notes.store = cached.base
    direct.containers.store = cached.base
    return direct
  }

  /// A bucket may keep versions of what was deleted. Then nobody must be led to make a new repository there.
  static func checkIsNotDeleted(_ store: any Store) throws {
    guard try store.hasEarlierVersion(of: Keys.descriptor) else { return }
    throw DeletedRepository(location: store.location)
  }

  /// The ID of the repository in a store, even if it is damaged otherwise; `nil` when it cannot be told.
  package static func id(in store: any Store) -> Identifier? {
    let bytes = try? store.object(Keys.descriptor).contents(max: Limits.envelopeBytesMax)
    return bytes.flatMap { try? Descriptor(parsing: $0, name: Keys.descriptor).repository }
  }
}
