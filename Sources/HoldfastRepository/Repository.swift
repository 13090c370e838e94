package import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem

/// An opened repository in one store: its parts, and what this machine remembers of it.
package struct Repository: Sendable {
  package private(set) var store: any Store
  package let descriptor: Descriptor
  package private(set) var host: Host
  /// Its keyring, and the rights that this run's keys give.
  package let keyring: KeyringStore
  /// Its list of targets, and which numbers are given here.
  package let targets: TargetListStore
  /// The names of its sources.
  package let names: SourceNameStore
  /// The notes on its snapshots.
  package private(set) var notes: NotesStore
  /// The runs on its sources.
  package let journal: Journal
  /// Its sources and snapshots.
  package var catalog: Catalog
  /// Its bodies and archives.
  package var containers: ContainerStore
  /// The memory of this machine of a sealed repository.
  package let memory: RepositoryMemory?
  /// The records that this machine keeps of its work on the repository.
  package let machine: MachineRecords
  /// The requests for this run that were made while the repository was opened; `nil` for a near one.
  package private(set) var ahead: RunAhead?
  /// Work in a remote repository for which the end of a run need not wait, done one after the other.
  package let errands = Errands()
  /// True if runs are noted in it. Notes and journal are written at home only; other targets get copies.
  package var isHome = true
  /// The targets over which its containers are divided; `nil` if every target has them whole.
  package private(set) var shards: ShardSet?
  /// Returns the highest number above the given one that a snapshot of the source has at another target that answers; 0
  /// if there is none. `nil` when the run knows no other targets.
  package var highestElsewhere: (@Sendable (_ source: SourceName, _ known: UInt64) -> UInt64)?

  /// Returns the name by which this host is known to those that take turns in serving a source; `nil` if it has none.
  /// It is asked only where a host was announced.
  package var hostName: @Sendable (SourceName) -> HostName? = { _ in nil }

  /// The lease on a source that is held for longer than one run. Runs on that source use it, and do not take another.
  package var held: (source: SourceName, lease: Lease)?

  /// The record of the answers of its targets, if it is read from several.
  package var outcomes: TargetOutcomes?

  package var id: Identifier { descriptor.repository }
  /// The location, for people.
  package var location: String { store.location }

  /// The scheme by which it is reached.
  package var scheme: StoreScheme { store.scheme }

  /// - Parameters:
  ///   - keys: the keys for a sealed repository.
  ///   - known: the memory of a sealed repository.
  ///   - target: the name of the target that it is; `nil` when its location must tell it.
  init(
    _ store: any Store, _ descriptor: Descriptor, _ history: [KeyringRevision], _ keys: Credentials, host: Host,
    known: RepositoryMemory?, _ machine: ClientMemory, target: String? = nil
  ) {
    (self.store, self.descriptor, self.host, memory) = (store, descriptor, host, known)
    self.machine = MachineRecords(machine, of: descriptor.repository, at: store.places, files: host.files)
    keyring = KeyringStore(history, of: descriptor, in: store, keys, known)
    targets = TargetListStore(store, descriptor, keyring, as: target, host: host)
    names = SourceNameStore(
      store: RevisionStore(store, descriptor, keyring, host: host, needsPruning: true) { known?.check($0) })
    notes = NotesStore(
      store: store, descriptor: descriptor, keyring: keyring, targets: targets, memory: known, host: host)
    journal = Journal(in: store)
    catalog = Catalog(
      store: store, descriptor: descriptor, keyring: keyring, names: names, notes: notes, journal: journal,
      memory: known,
      host: host)
    containers = ContainerStore(in: store, of: descriptor.repository, keyring.sealed, host: host)
  }

  /// - Parameters:
  ///   - credentials: the keys for a sealed repository.
  ///   - memory: the memory of this machine.
  ///   - cache: the catalog cache of this machine.
  ///   - acceptsOlder: true if it may be a copy that is older than what this machine has seen; for reading only.
  ///   - expectedKeyring: the digest that a revision of its keyring must have.
  ///   - source: the source of the run, if that is known: then more is requested at once.
  ///   - takesLease: true if the run will take the lease on that source.
  ///   - looksAround: true if the run will read the snapshots and the journals of all sources.
  ///   - target: the name of the target that the store is; `nil` when its location must tell it.
  /// - Throws: with exit status 10 when there is no repository.
  package static func open(
    _ store: any Store, host: Host, credentials: Credentials = .none, memory: ClientMemory = .none,
    cache: CatalogCache = .none, expectedKeyring: String? = nil, acceptsOlder: Bool = false,
    for source: SourceName? = nil, takesLease: Bool = false, looksAround: Bool = false,
    target: String? = nil
  ) throws -> Repository {
    // Everything that does not depend on the descriptor is requested together with it.
    let keyringNames = store.meanwhile { try store.children(of: Keys.keyring) }
    // The store remembers what it has listed.
    if !store.capabilities.isNear { _ = store.meanwhile { try store.children(of: Keys.names) } }
    let ahead =
      store.capabilities.isNear
      ? nil : source.map { RunAhead(on: $0, takesLease: takesLease, in: store, host: host) }
    let isFarAndWide = looksAround && !store.capabilities.isNear
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
        .usage, "there is no repository in \(store.location)",
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
    // The names were listed before the descriptor and the memory were read. A newer revision may not be among them, so
    // they are listed again.
    if UInt64(names.count) < max(known.record?.keyring.revision ?? 0, descriptor.keyring == nil ? 0 : 1) {
      names = try store.children(of: Keys.keyring)
    }
    let history = try KeyringHistory(of: descriptor, names: names, in: store).revisions
    let pin = try expectedKeyring.map { text in
      guard let pin = Pin(text) else {
        throw EngineError(
          .usage,
          "\"\(text.isEmpty ? "" : Path(text).description)\" is not the digest of a keyring: it has \(Pin.digitsMin) hexadecimal digits at least, and fewer can be forged",
          hint: "Say the whole one that `holdfast key list` shows, as you have written it down.", exitStatus: .usage)
      }
      return pin
    }
    if let pin, let expectedKeyring, !history.contains(where: { pin.fits($0.digest) }) {
      throw EngineError(
        .repository, "the repository in \(store.location) has no revision \(expectedKeyring) of its keyring",
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
    var repository = Repository(
      cached, descriptor, history, credentials, host: host, known: remembered, memory, target: target)
    repository.ahead = ahead
    // A run that adds a snapshot will give it a number.
    if takesLease { _ = store.meanwhile { [targets = repository.targets] in try targets.newest() } }
    if let journals { repository.journal.expectListing(journals) }
    return repository
  }

  /// The same repository as another store has it. Descriptor and keyring are those of this one, and nothing that this
  /// machine remembers or keeps counts there.
  package func at(_ other: any Store) -> Repository { Repository(self, at: other) }

  private init(_ known: Repository, at store: any Store) {
    (self.store, descriptor, host, keyring) = (store, known.descriptor, known.host, known.keyring)
    (memory, machine) = (nil, known.machine)
    targets = TargetListStore(store, descriptor, keyring, as: nil, host: host)
    // A source is called as home says, also where a target is behind.
    names = known.names
    notes = NotesStore(
      store: store, descriptor: descriptor, keyring: keyring, targets: targets, memory: nil, host: host)
    journal = Journal(in: store)
    catalog = Catalog(
      store: store, descriptor: descriptor, keyring: keyring, names: names, notes: notes, journal: journal, memory: nil,
      host: host)
    containers = ContainerStore(in: store, of: descriptor.repository, keyring.sealed, host: host)
    isHome = false
  }

  /// The same repository, which reads everything from the store itself and nothing from the catalog cache.
  package var uncached: Repository {
    guard let cached = store as? CatalogCacheStore else { return self }
    return replacing(store: cached.base)
  }

  /// The same with one more layer over its store, below what this machine keeps of it.
  package func through(_ layer: (any Store) -> any Store) -> Repository {
    guard let cached = store as? CatalogCacheStore else { return replacing(store: layer(store)) }
    return replacing(store: cached.over(layer(cached.base)))
  }

  /// The same, with its containers divided over several targets.
  package func divided(over shards: ShardSet) -> Repository {
    var changed = through { shards.logical(over: $0) }
    changed.shards = shards
    return changed
  }

  /// The same as one target among several: of what is in shards it has only its own.
  package var alone: Repository {
    guard let view = shards.flatMap({ $0.view(of: $0.home.name) }) else { return self }
    return through { _ in view }
  }

  /// The same with all shards again, after `alone`.
  package var together: Repository {
    guard let view = store as? ShardView else { return self }
    return replacing(store: view.shardSet.logical(over: view.base))
  }

  /// Returns the store of another target as sync and scrub use it.
  /// - Parameter store: the store of the target itself.
  package func place(_ name: String, _ store: any Store) -> any Store { shards?.view(of: name) ?? store }

  /// The same for work that another flag stops: replays and the reading of pages. Its store keeps the flag of the run.
  package func cancelled(by cancellation: Cancellation) -> Repository {
    var changed = self
    changed.host = host.cancelled(by: cancellation)
    changed.catalog.host = changed.host
    changed.containers.host = changed.host
    return changed
  }

  private func replacing(store: any Store) -> Repository {
    var changed = self
    changed.store = store
    changed.notes.store = store
    changed.catalog.store = store
    changed.catalog.notes.store = store
    changed.containers.store = store
    return changed
  }

  /// Throws if the repository was deleted from a bucket that keeps earlier versions: nobody must be led to make a new
  /// repository there.
  static func checkIsNotDeleted(_ store: any Store) throws {
    guard try store.hasEarlierVersion(of: Keys.descriptor) else { return }
    throw DeletedRepository(location: store.location)
  }

  /// Returns the ID of the repository in a store, even if the rest of it is damaged; `nil` when the ID cannot be read.
  package static func id(in store: any Store) -> Identifier? {
    let bytes = try? store.object(Keys.descriptor).contents(max: Limits.envelopeBytesMax)
    return bytes.flatMap { try? Descriptor(parsing: $0, name: Keys.descriptor).repository }
  }
}
