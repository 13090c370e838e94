package import HoldfastArchive
package import HoldfastCodec
internal import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// A change of the recipients and writers of a repository. It is made as a value, shown, and then published as the next
/// revision of the keyring.
package struct KeyringChange: Sendable {
  private let repository: Repository
  private let sealed: SealedAccess
  /// The keyring after the change.
  package private(set) var keyring: Keyring

  /// - Throws: `EngineError` if the repository is not sealed.
  package init(_ repository: Repository) throws {
    guard let sealed = repository.keyring.sealed else {
      throw EngineError(
        .usage, "the repository in \(repository.location) is not sealed: it has no keys",
        hint: "A sealed one is made by `holdfast init --recipient …`.")
    }
    self.repository = repository
    self.sealed = sealed
    keyring = sealed.keyring
  }

  // MARK: Changes

  package mutating func add(_ member: Keyring.Member) throws {
    try checkName(member.name, isTaken: keyring.recipients.contains { $0.name == member.name })
    try checkIsNew(member)
    guard keyring.recipients.count < Limits.recipientsMax else {
      throw EngineError(.usage, "a keyring has at most \(Limits.recipientsMax) recipients", hint: "Remove one first.")
    }
    keyring.recipients.append(member)
  }

  package mutating func enrol(_ writer: Keyring.Writer) throws {
    try checkName(writer.name, isTaken: keyring.writers.contains { $0.name == writer.name && $0.revoked == nil })
    if let known = keyring.writers.first(where: { $0.key == writer.key }) {
      throw EngineError(
        .usage,
        "the writer \(writer.key.short) is in the keyring already" + (known.revoked == nil ? "" : ", and revoked"),
        hint: known.revoked == nil ? nil : "A revoked key does not come back: generate a new one.")
    }
    guard keyring.writers.count < Limits.writersMax else {
      throw EngineError(
        .usage, "a keyring has at most \(Limits.writersMax) writers, revoked ones among them",
        hint: "Start a new repository beside this one.")
    }
    keyring.writers.append(writer)
  }

  /// Gives a writer the right to prune, or takes it away. Without the right, its removals no longer count; a writer
  /// with the right must remove the snapshots again.
  /// - Parameter name: the name of a writer, or its public key, or the beginning of the key.
  @discardableResult
  package mutating func permit(_ name: String, toPrune mayPrune: Bool) throws -> Keyring.Writer {
    let found = writers(called: name)
    guard found.count == 1, !name.isEmpty else { throw noSuchMember(name, isAmbiguous: found.count > 1) }
    keyring.writers[found[0]].mayPrune = mayPrune
    return keyring.writers[found[0]]
  }

  /// Returns the indexes of the writers with this name or key that are not revoked.
  private func writers(called name: String) -> [Int] {
    keyring.writers.indices.filter {
      keyring.writers[$0].revoked == nil
        && (keyring.writers[$0].name == name || keyring.writers[$0].key.description.hasPrefix(name))
    }
  }

  /// - Parameter name: the name of a recipient, or its ID, or the beginning of the ID.
  /// - Returns: the recipient that was removed.
  @discardableResult
  package mutating func removeRecipient(_ name: String) throws -> Keyring.Member {
    let index = try indexOfRecipient(name)
    guard keyring.recipients.count > 1 else {
      throw EngineError(
        .usage, "\(Path(keyring.recipients[index].name)) is the only recipient",
        hint: "Nobody could restore any more: add another one first.")
    }
    return keyring.recipients.remove(at: index)
  }

  /// Replaces a recipient.
  /// - Parameters:
  ///   - old: the name of the recipient to replace, or its ID, or the beginning of the ID.
  ///   - name: the name of the new recipient; `nil` for the name of the old one.
  package mutating func replaceRecipient(
    _ old: String, by recipient: Recipient, name: String?
  ) throws -> Keyring.Member {
    let index = try indexOfRecipient(old)
    let member = Keyring.Member(recipient, name: name ?? keyring.recipients[index].name)
    try checkName(
      member.name,
      isTaken: keyring.recipients.indices.contains { $0 != index && keyring.recipients[$0].name == member.name })
    try checkIsNew(member)
    keyring.recipients[index] = member
    return member
  }

  /// Revokes a writer. Its snapshots and archived WAL files that are in the repository now still count; no others do.
  /// - Parameter name: the name of a writer, or its public key, or the beginning of the key.
  /// - Returns: the revoked writer; `nil` if there is no writer of that name.
  package mutating func revokeWriter(_ name: String) throws -> Keyring.Writer? {
    let found = writers(called: name)
    guard let index = found.first, !name.isEmpty else { return nil }
    // The name must not mean a recipient as well: a revocation is final.
    guard found.count == 1, recipients(called: name).isEmpty else { throw noSuchMember(name, isAmbiguous: true) }
    let key = keyring.writers[index].key
    var lost: DamageError?
    let snapshots = try repository.catalog.allSnapshots(includingRemoved: true, includingDiverged: true) {
      lost = lost ?? $0
    }
    var logs: [Digest] = []
    do {
      logs = try WALArchive.allDigests(in: repository, signedBy: key)
    } catch let damage as DamageError {
      lost = lost ?? damage
    }
    if let lost {
      throw EngineError(
        .repository, "what is hidden or unreadable when a writer is revoked would be refused for ever: \(lost.message)",
        hint: "Bring it back; or if it was removed on purpose, run `holdfast key forget` first.", exitStatus: .dataLoss)
    }
    let accepted = snapshots.filter { $0.envelope.signature?.key == key }.map(\.digest)
    let noted = try repository.notes.digests(signedBy: key, of: repository.catalog.sourceNames())
    let listed = try repository.targets.store.digests(signedBy: key)
    let named = try repository.names.store.digests(signedBy: key)
    keyring.writers[index].revoked = Keyring.Writer.Revocation(
      accepted: Set(accepted).union(logs), notes: Set(noted).union(listed).union(named))
    return keyring.writers[index]
  }

  // MARK: Publishing

  /// Checks that there is an identity with which this change can be published, before the operator is asked for
  /// anything else.
  package func checkAuthority() throws { _ = try authority() }

  private func authority() throws -> RecoveryIdentity {
    let authorities = Set(sealed.keyring.recipients.map(\.authority))
    if let identity = try sealed.identities().first(where: { authorities.contains($0.recipient.authority) }) {
      return identity
    }
    let names = sealed.keyring.recipients.map { "\(Path($0.name)) (\($0.id.short))" }.joined(separator: ", ")
    throw KeyError(
      "the keyring is changed by a recipient only, and none of their identities is at hand: \(names)",
      hint: SealedAccess.hint(byPassphrase: sealed.keyring.recipients.contains { $0.passphrase != nil }))
  }

  /// Signs the new revision with the authority of an identity, and makes it durable.
  /// - Returns: the revision.
  package func publish() throws -> KeyringRevision {
    let identity = try authority()
    var next = keyring
    next.revision = sealed.revision.keyring.revision + 1
    next.previous = sealed.revision.digest
    next.time = RecordedTime(repository.host.clock.now())
    return try repository.keyring.publish(next, signedBy: identity.authority)
  }

  private func recipients(called name: String) -> [Int] {
    keyring.recipients.indices.filter {
      keyring.recipients[$0].name == name || keyring.recipients[$0].id.description.hasPrefix(name)
    }
  }

  private func indexOfRecipient(_ name: String) throws -> Int {
    let found = recipients(called: name)
    guard found.count == 1, !name.isEmpty else { throw noSuchMember(name, isAmbiguous: found.count > 1) }
    return found[0]
  }

  private func checkIsNew(_ member: Keyring.Member) throws {
    guard !keyring.recipients.contains(where: { $0.id == member.id }) else {
      throw EngineError(.usage, "the recipient \(member.id.short) is in the keyring already", hint: nil)
    }
  }

  private func checkName(_ name: String, isTaken: Bool) throws {
    guard Keyring.isName(name) else {
      throw EngineError(
        .usage, "\"\(name.isEmpty ? "" : Path(name).description)\" is no name for a key",
        hint: "Use 1 to 64 printable characters.", exitStatus: .usage)
    }
    if isTaken {
      throw EngineError(.usage, "the name \(name) is taken", hint: "Say another --label.", exitStatus: .usage)
    }
  }

  private func noSuchMember(_ name: String, isAmbiguous: Bool) -> EngineError {
    let shown = name.isEmpty ? "\"\"" : Path(name).description
    return EngineError(
      .usage, isAmbiguous ? "\(shown) stands for more than one key" : "there is no recipient or writer \(shown)",
      hint: "Run `holdfast key list` to see who there is.", exitStatus: .usage)
  }
}
