package import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem

extension Repository {
  /// The keys with which a new repository is sealed.
  package struct Sealing: Sendable {
    /// Returns the recipients, at least one. The closure gets the ID of the repository, to which a passphrase is bound.
    package var recipients: @Sendable (Identifier) throws -> [Keyring.Member]
    /// The writer key of the machine that takes the first backup.
    package var writer: WriterKey
    package var writerName: String

    package init(
      writer: WriterKey, writerName: String, recipients: @escaping @Sendable (Identifier) throws -> [Keyring.Member]
    ) {
      self.writer = writer
      self.writerName = writerName
      self.recipients = recipients
    }
  }

  /// Makes a new repository in an empty store.
  /// - Parameters:
  ///   - sealing: `nil` for a repository that anybody with access can read.
  ///   - memory: the memory of this machine.
  ///   - onProbe: gets the result of the test of the store.
  ///   - warn: gets the properties that a repository needs and this store lacks.
  package static func create(
    in store: any Store, host: Host, sealing: Sealing? = nil, memory: ClientMemory = .none,
    onProbe: (StoreProbe) -> Void = { _ in }, warn: (String) -> Void = { _ in }
  ) throws -> Repository {
    try checkIsEmpty(store)
    let id = host.random.identifier()
    let created = RecordedTime(host.clock.now())
    guard let sealing else {
      try probe(store, host, onProbe, warn)
      let descriptor = Descriptor(repository: id, created: created)
      try publish(descriptor, in: store, memory: memory, host)
      return Repository(store, descriptor, [], .none, host: host, known: nil, memory)
    }
    let keyring = Keyring(
      repository: id, time: created, recipients: try sealing.recipients(id),
      writers: [Keyring.Writer(name: sealing.writerName, key: sealing.writer.signing.publicKey, mayPrune: true)])
    let bytes = try keyring.serialized(signedBy: sealing.writer.signing)
    let revision = try KeyringRevision(parsing: bytes, after: nil, repository: id, name: Keys.keyring(1))
    // The store is probed only when all keys are known, so that a missing passphrase leaves nothing behind.
    try probe(store, host, onProbe, warn)
    // The descriptor comes last, because with it the repository exists.
    try store.put(bytes, at: Keys.keyring(1))
    let descriptor = Descriptor(repository: id, created: created, keyring: revision.digest)
    try publish(descriptor, in: store, memory: memory, host)
    var credentials = Credentials.none
    credentials.writer = { sealing.writer }
    return try open(store, host: host, credentials: credentials, memory: memory)
  }

  private static func probe(
    _ store: any Store, _ host: Host, _ onProbe: (StoreProbe) -> Void, _ warn: (String) -> Void
  ) throws {
    let probe = try store.probe(host.random)
    onProbe(probe)
    probe.weaknesses.forEach(warn)
  }

  /// Writes the descriptor, with which the repository exists. The memory of another repository at this location is
  /// forgotten.
  private static func publish(
    _ descriptor: Descriptor, in store: any Store, memory: ClientMemory, _ host: Host
  ) throws {
    try memory.release(store.places, files: host.files)
    try store.put(descriptor.serialized(), at: Keys.descriptor)
  }

  /// Checks that a store contains nothing, or only what an interrupted `create` left.
  package static func checkIsEmpty(_ store: any Store) throws {
    // A new file system contains `lost+found`, and a probe may have been unable to remove its objects.
    let names = try store.names(below: "").filter { $0 != "lost+found/" && $0 != StoreProbe.prefix }
    if names.isEmpty || names == [Keys.keyring] { try checkIsNotDeleted(store) }
    // A keyring without a descriptor was left by a killed run. If objects are locked, it would stay the first
    // version.
    if names == [Keys.keyring], store.capabilities.objectLock == nil { return try store.removeAll(below: Keys.keyring) }
    guard !names.isEmpty else { return }
    let isRepository = (try? store.object(Keys.descriptor)) != nil
    throw EngineError(
      .usage, isRepository ? "\(store.location) is a repository already" : "\(store.location) is not empty",
      hint: isRepository
        ? "Run `holdfast list` to see what is in it." : store.scheme.emptyLocationHint)
  }
}
