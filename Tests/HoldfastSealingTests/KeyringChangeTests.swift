import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Whoever holds an identity of a recipient changes who may open and who may write, and nobody else does.
@Suite struct KeyringChangeTests {
  private let sealed: SealedShop
  private var shop: TestShop { sealed.shop }
  private var owner: Recipient { sealed.keys.identity.recipient }
  private var writer: PublicKey { sealed.keys.writer.signing.publicKey }

  init() throws {
    sealed = try SealedShop()
  }

  private func change(as holder: TestKeys.Holder = .owner) throws -> KeyringChange {
    try KeyringChange(shop.open(as: holder))
  }

  private func member(_ name: String) throws -> Keyring.Member {
    Keyring.Member(try RecoveryIdentity().recipient, name: name)
  }

  private func writer(_ name: String) throws -> Keyring.Writer {
    Keyring.Writer(name: name, key: try WriterKey().signing.publicKey)
  }

  private func keyring() throws -> Keyring { try #require(shop.open(as: .nobody).keyring.sealed).keyring }

  // MARK: What can be changed

  @Test func aRecipientComesGoesAndIsReplaced() throws {
    let (second, third) = (try member("second"), try member("third"))
    var change = try change()
    try change.add(second)
    let revision = try change.publish()
    #expect(revision.keyring.revision == 2)
    #expect(revision.keyring.previous == shop.repository.keyring.sealed?.revision.digest)
    #expect(revision.keyring.signature?.key == sealed.keys.identity.authority.publicKey)
    #expect(try keyring().recipients.map(\.name) == ["owner", "second"])
    change = try self.change()
    #expect(try change.replaceRecipient("second", by: third.recipient, name: nil).name == "second")
    #expect(change.keyring.recipients.map(\.id) == [owner.id, third.id])
    #expect(try change.replaceRecipient("second", by: second.recipient, name: "again").name == "again")
    // By the beginning of its ID.
    #expect(try change.removeRecipient(second.id.short) == Keyring.Member(second.recipient, name: "again"))
    #expect(try keyring().recipients.count == 2)
    try _ = change.publish()
    #expect(try keyring().recipients.map(\.name) == ["owner"])
    #expect(try keyring().revision == 3)
  }

  @Test func aWriterComesAndIsRevoked() throws {
    let other = try writer("shop-2")
    var change = try change()
    try change.enrol(other)
    try _ = change.publish()
    let snapshot = try sealed.backup()
    change = try self.change()
    let revoked = try #require(try change.revokeWriter(writer.short))
    #expect(revoked.revoked?.accepted == [snapshot.digest])
    try _ = change.publish()
    #expect(try keyring().writers.map { $0.revoked == nil } == [false, true])
    #expect(try sealed.findings(as: .nobody) == [])
    // It goes once, and its name is free again.
    change = try self.change()
    #expect(try change.revokeWriter(TestKeys.writerName) == nil)
    try change.enrol(writer(TestKeys.writerName))
    // The last one may go too: an owner enrols another.
    #expect(try change.revokeWriter("shop-2") != nil)
    try _ = change.publish()
  }

  /// An object sealed to a passphrase's identity opens with the passphrase, from the keyring alone.
  @Test func aPassphraseIsARecipient() throws {
    var text = Array("six words".utf8)
    let passphrase = SecretBytes(taking: &text)
    let identity = try RecoveryIdentity()
    let seal = try PassphraseSeal(identity, passphrase: passphrase, repository: shop.repository.id, logN: 15)
    var change = try change()
    try change.add(Keyring.Member(identity.recipient, name: "passphrase", passphrase: seal))
    try _ = change.publish()
    let snapshot = try sealed.backup()
    var credentials = Credentials.none
    credentials.identities = { keyring in
      try keyring.recipients.compactMap {
        try $0.passphrase?.open(passphrase: passphrase, repository: keyring.repository)
      }
    }
    let repository = try Repository.open(sealed.store, host: shop.host, credentials: credentials)
    try snapshot.forEachEntry(in: repository) { _ in }
    // And it has the same authority as any other.
    var next = try KeyringChange(repository)
    _ = try next.removeRecipient(TestKeys.ownerName)
    #expect(try next.publish().keyring.recipients.map(\.name) == ["passphrase"])
  }

  // MARK: Who may

  @Test func whoHasNoIdentityOfARecipientChangesNothing() throws {
    let refusal =
      "the keyring is changed by a recipient only, and none of their identities is at hand: \(sealed.owner)"
      + "\nHINT: Name the identity of one of them with --identity FILE or HOLDFAST_IDENTITY_FILE."
    let before = sealed.store.contents
    for holder in [TestKeys.Holder.nobody, .backupHost] {
      var change = try change(as: holder)
      try change.enrol(writer("shop-2"))
      #expect(shown { _ = try change.publish() } == refusal, "\(holder)")
    }
    // Who signs himself in.
    let stranger = try RecoveryIdentity()
    var credentials = Credentials.none
    credentials.identities = { _ in [stranger] }
    var change = try KeyringChange(Repository.open(sealed.store, host: shop.host, credentials: credentials))
    try change.add(Keyring.Member(stranger.recipient, name: "stranger"))
    let error = #expect(throws: KeyError.self) { try change.publish() }
    #expect(error?.description == refusal)
    #expect(error?.exitStatus == .wrongKey)
    #expect(sealed.store.contents == before)
  }

  @Test func whoWasRemovedChangesNothingMore() throws {
    let second = try RecoveryIdentity()
    var change = try change()
    _ = try change.replaceRecipient(TestKeys.ownerName, by: second.recipient, name: "second")
    try _ = change.publish()
    var late = try self.change()
    try late.enrol(writer("shop-2"))
    #expect(
      shown { _ = try late.publish() }.hasPrefix(
        "the keyring is changed by a recipient only, and none of their identities is at hand: second (\(second.recipient.id.short))\n"
      ))
  }

  @Test func anUnsealedRepositoryHasNoKeys() throws {
    let plain = try TestShop()
    #expect(
      shown { _ = try KeyringChange(plain.repository) }
        == "the repository in \(plain.repositoryPath) is not sealed: it has no keys"
        + "\nHINT: A sealed one is made by `holdfast init --recipient …`.")
  }

  // MARK: Two at once

  @Test func theSecondOfTwoChangesAtOnceIsToldAndLosesNothing() throws {
    var (mine, yours) = (try change(), try change())
    let (second, other) = (try member("second"), try writer("shop-2"))
    try mine.add(second)
    try yours.enrol(other)
    let revision = try mine.publish()
    #expect(
      shown { _ = try yours.publish() }
        == "keyring/0000000002.json exists already in memory"
        + "\nHINT: Another run wrote it at the same time: run the same command again.")
    #expect(try shop.open(as: .nobody).keyring.sealed?.revision == revision)
    yours = try change()
    try yours.enrol(other)
    let last = try yours.publish().keyring
    #expect(last.revision == 3)
    #expect(last.recipients.map(\.name) == ["owner", "second"])
    #expect(last.writers.map(\.name) == ["shop-1", "shop-2"])
  }

  @Test func aChangeThatIsKilledAnywhereIsMadeOrNot() throws {
    let count = try killChange(at: nil).probe.count
    #expect(count > 5)
    for index in 0..<count {
      let (shop, probe) = try killChange(at: index)
      let place = "operation \(index): \(probe.log.last?.operation.rawValue ?? "-")"
      probe.dropUnsynced()
      let revision = try #require(shop.open(as: .owner).keyring.sealed).keyring.revision
      #expect(revision == 1 || revision == 2, "\(place)")
      var again = try KeyringChange(shop.open(as: .owner))
      try again.enrol(writer("shop-3"))
      #expect(try again.publish().keyring.revision == revision + 1, "\(place)")
      #expect(try shop.open().keyring.sealed?.keyring.revision == revision + 1, "\(place)")
    }
  }

  private func killChange(at index: Int?) throws -> (shop: TestShop, probe: FaultProbe) {
    let shop = try TestShop(workers: 1, isSealed: true)
    let probe = FaultProbe(.cut, at: index)
    let change = Result {
      var change = try KeyringChange(shop.repository(probe: probe, as: .owner))
      try change.enrol(writer("shop-2"))
      return try change.publish()
    }
    // What was reported done is there, also after a power cut.
    if (try? change.get()) != nil {
      probe.dropUnsynced()
      #expect(try shop.open(memory: ClientMemory.none).keyring.sealed?.keyring.revision == 2)
    }
    return (shop, probe)
  }
}
