package import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// The keys of this run, fetched when they are first needed, so that listing a repository asks for no passphrase.
package struct Credentials: Sendable {
  /// Returns the identities; empty when none was given. Throws when one that was given cannot be used. It gets the
  /// keyring, with removed recipients after the current ones.
  package var identities: @Sendable (Keyring) throws -> [RecoveryIdentity]
  /// Returns the writer key of this machine. Throws when there is none.
  package var writer: @Sendable () throws -> WriterKey

  package init(
    identities: @escaping @Sendable (Keyring) throws -> [RecoveryIdentity],
    writer: @escaping @Sendable () throws -> WriterKey
  ) {
    self.identities = identities
    self.writer = writer
  }

  /// No keys at all.
  package static let none = Credentials(
    identities: { _ in [] },
    writer: {
      throw KeyError("there is no writer key on this machine", hint: "Run `holdfast key generate --writer FILE`.")
    })
}

/// The keyring of a sealed repository, and the rights that this run's keys give.
package final class SealedAccess: Sendable {
  private let history: [KeyringRevision]
  package let revision: KeyringRevision
  private let credentials: Credentials
  private let fetched = Mutex<[RecoveryIdentity]?>(nil)
  /// The keys of the bodies that this run has written. It reads these bodies before it commits, even if it could not
  /// open them later.
  private let own = Mutex<[Identifier: SealingKey]>([:])

  /// - Parameters:
  ///   - history: all revisions before `revision`, in ascending order.
  init(_ revision: KeyringRevision, after history: [KeyringRevision], credentials: Credentials) {
    self.history = history
    self.revision = revision
    self.credentials = credentials
  }

  package var keyring: Keyring { revision.keyring }

  /// True if a writer has the right to prune by any revision of the keyring.
  func mightPrune(_ writer: PublicKey) -> Bool {
    (history + [revision]).contains { $0.keyring.mayPrune(writer) }
  }

  /// The identities; empty when this run can only verify stored bytes.
  package func identities() throws -> [RecoveryIdentity] {
    try fetched.withLock { fetched in
      if let fetched { return fetched }
      // A removed recipient can still open objects that were sealed to it, with its passphrase too.
      var everybody = keyring
      everybody.recipients += former
      let identities = try credentials.identities(everybody)
      fetched = identities
      return identities
    }
  }

  /// The removed recipients, the last one removed first.
  private var former: [Keyring.Member] {
    var known = Set(keyring.recipients.map(\.id))
    return history.reversed().flatMap(\.keyring.recipients).filter { known.insert($0.id).inserted }
  }

  /// True if an identity opens the objects of a snapshot.
  package func opens(_ snapshot: Snapshot) throws -> Bool {
    let recipients = Set(try revision(of: snapshot).recipients.map(\.id))
    return try identities().contains { recipients.contains($0.recipient.id) }
  }

  /// Returns the writer key of this machine, if its snapshots count.
  package func writer() throws -> WriterKey {
    let writer = try credentials.writer()
    let key = writer.signing.publicKey
    guard let member = keyring.writers.first(where: { $0.key == key }) else {
      throw KeyError(
        "this machine's writer key (\(key.short)) is not in the keyring of the repository",
        hint: "Where the recovery identity is, run `holdfast key add --writer \(key.writerText) --identity FILE`.")
    }
    guard member.revoked == nil else {
      throw KeyError(
        "this machine's writer key (\(key.short)) was revoked",
        hint: "Run `holdfast key generate --writer FILE` for a new one, and enrol it with `holdfast key add`.")
    }
    return writer
  }

  /// Checks that this machine's writer may prune.
  package func checkMayPrune() throws {
    let key = try writer().signing.publicKey
    guard !keyring.mayPrune(key), let member = keyring.writers.first(where: { $0.key == key }) else { return }
    throw KeyError(
      "the writer \(Path(member.name)) (\(key.short)) of this machine may not prune",
      hint:
        "Prune on a machine that may; or, where the recovery identity is, run `holdfast key permit \(Path(member.name)) --prune --identity FILE`."
    )
  }

  /// Returns the keyring under which a snapshot was taken.
  package func revision(of snapshot: Snapshot) throws -> Keyring {
    try revision(snapshot.envelope.keyring, of: Keys.manifest(snapshot.sourceName, snapshot.sequence))
  }

  /// Returns the keyring under which the manifest at `key` was made.
  package func revision(_ reference: Envelope.KeyringReference?, of key: String) throws -> Keyring {
    guard let then = (history + [revision]).first(where: { $0.reference == reference }) else {
      throw DamageError(key, "it was taken under a revision of the keyring that is not there")
    }
    return then.keyring
  }

  /// True if a snapshot was sealed to the recipients of the next one: a chain is opened as a whole, or not at all.
  func hasSameRecipients(as snapshot: Snapshot) throws -> Bool {
    Set(try revision(of: snapshot).recipients.map(\.id)) == Set(keyring.recipients.map(\.id))
  }

  /// Finds the key of an object among its slots.
  /// - Throws: `KeyError` when no identity opens it.
  func key(of name: ContainerName, slots: [KeySlot]) throws -> SealingKey {
    if let key = own.withLock({ $0[name.id] }) { return key }
    let identities = try identities()
    for identity in identities {
      for slot in slots where slot.recipient == identity.recipient.id {
        if let key = identity.open(slot, info: name.keyInfo) { return key }
        throw DamageError("the key of \(name.id.short)", "its slot for \(identity.recipient.id.short) cannot be opened")
      }
    }
    throw refusal(
      wanted: slots.map(\.recipient), isNamed: !identities.isEmpty,
      what: name.kind == .wal ? "this part of the log" : "this snapshot")
  }

  /// Returns the error for an object that is sealed to other recipients.
  /// - Parameter isNamed: true if an identity was given.
  package func refusal(wanted: [Identifier], isNamed: Bool, what: String = "this snapshot") -> KeyError {
    let members = wanted.map { id in (keyring.recipients + former).first { $0.id == id } }
    let names = zip(wanted, members).map { id, member in
      member.map { "\(Path($0.name)) (\(id.short))" } ?? id.short
    }.joined(separator: ", ")
    return KeyError(
      isNamed
        ? "none of the identities at hand opens \(what); it is sealed to \(names)"
        : "the repository is sealed, and no identity was named; it is sealed to \(names)",
      hint: Self.hint(byPassphrase: members.contains { $0?.passphrase != nil }))
  }

  /// Returns the hint that says how to give the identity of a recipient.
  package static func hint(byPassphrase: Bool) -> String {
    "Name the identity of one of them with --identity FILE or HOLDFAST_IDENTITY_FILE"
      + (byPassphrase
        ? "; or set HOLDFAST_PASSPHRASE_FILE, or run this at a terminal to be asked for a passphrase." : ".")
  }

  /// Checks that the keyring is still the newest, so that recipients and writers are current.
  /// - Parameter work: the work that was done meanwhile, for the message.
  /// - Throws: `EngineError` when the keyring has changed since the repository was opened.
  func checkIsNewest(in store: any Store, after work: String) throws {
    let next = Keys.keyring(revision.keyring.revision + 1)
    do {
      _ = try store.object(next)
    } catch StoreError.notFound {
      return
    }
    throw EngineError(
      .transient, "the keyring was changed while \(work); nothing was committed",
      hint: "Run the same command again.")
  }

  func remember(_ head: ContainerHead) {
    guard let key = head.key else { return }
    own.withLock { $0[head.name.id] = key }
  }
}
