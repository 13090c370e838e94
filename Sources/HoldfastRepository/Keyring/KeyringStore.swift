package import HoldfastArchive
package import HoldfastCodec
internal import HoldfastModel
internal import HoldfastStore

/// The keyring of a repository: its newest revision, the next one, and the rights that this run's keys give. In a
/// repository that is not sealed, everybody has every right.
package struct KeyringStore: Sendable {
  private let store: any Store
  private let descriptor: Descriptor
  private let memory: RepositoryMemory?
  /// For a sealed repository: its keyring, and the keys.
  package let sealed: SealedAccess?

  init(
    _ history: [KeyringRevision], of descriptor: Descriptor, in store: any Store, _ keys: Credentials,
    _ memory: RepositoryMemory?
  ) {
    (self.store, self.descriptor, self.memory) = (store, descriptor, memory)
    sealed = history.last.map { SealedAccess($0, after: Array(history.dropLast()), credentials: keys) }
  }

  package var isSealed: Bool { sealed != nil }

  /// The newest revision, as manifests refer to it; `nil` in a repository that is not sealed.
  package var reference: Envelope.KeyringReference? { sealed?.revision.reference }

  /// True if this run can open sealed objects: it has an identity, or needs none.
  package func hasIdentity() throws -> Bool { try sealed.map { try !$0.identities().isEmpty } ?? true }

  /// True if this run can open the objects of a snapshot.
  package func opens(_ snapshot: Snapshot) throws -> Bool { try sealed?.opens(snapshot) ?? true }

  /// True if a snapshot was sealed to the recipients of the next one: a chain is opened as a whole, or not at all.
  package func hasSameRecipients(as snapshot: Snapshot) throws -> Bool {
    try sealed?.hasSameRecipients(as: snapshot) ?? true
  }

  /// The writer key of this machine, with which manifests are signed; `nil` in a repository that is not sealed.
  /// - Throws: `KeyError` when its snapshots would not count, or there is none.
  package func writer() throws -> WriterKey? { try sealed?.writer() }

  /// True if removals by this machine count.
  /// - Throws: `KeyError` when its writer key does not count, or there is none.
  package func mayPrune() throws -> Bool {
    guard let sealed else { return true }
    return sealed.keyring.mayPrune(try sealed.writer().signing.publicKey)
  }

  /// Checks that the keyring is still the newest, so that recipients and writers are current.
  /// - Parameter work: the work that was done meanwhile, for the message.
  /// - Throws: `EngineError` when the keyring has changed since the repository was opened.
  package func checkIsNewest(after work: String = "the snapshot was taken") throws {
    try sealed?.checkIsNewest(in: store, after: work)
  }

  /// Makes the next revision durable.
  /// - Parameter authority: the key of a recipient, which signs the revision.
  package func publish(_ next: Keyring, signedBy authority: SigningKey) throws -> KeyringRevision {
    let key = Keys.keyring(next.revision)
    let bytes = try next.serialized(signedBy: authority)
    guard bytes.count <= Limits.envelopeBytesMax else {
      throw EngineError(
        .usage, "the keyring would be longer than \(Amount.bytes(UInt64(Limits.envelopeBytesMax)))",
        hint: "Start a new repository beside this one.")
    }
    let revision = try KeyringRevision(
      parsing: bytes, after: sealed?.revision, repository: descriptor.repository, name: key)
    try store.put(bytes, at: key)
    memory?.remember(revision)
    return revision
  }
}
