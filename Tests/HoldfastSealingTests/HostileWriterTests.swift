import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What a stolen writer key can make of a repository, and what it cannot: every digest and every signature here fits.
@Suite struct HostileWriterTests {
  private let sealed: SealedShop
  private let snapshots: [Snapshot]
  private var owner: RecoveryIdentity { sealed.keys.identity }

  init() throws {
    sealed = try SealedShop()
    snapshots = [try sealed.backup(), try sealed.backup(), try sealed.backup(.full)]
  }

  private func key(_ index: Int) -> String { SealedShop.key(snapshots[index]) }

  // MARK: Who signs

  @Test func aStrangerSignsInVain() throws {
    let stranger = try WriterKey().signing
    try sealed.replace(snapshots[2], by: stranger) { _ in }
    for holder in [TestKeys.Holder.owner, .nobody] {
      #expect(
        try sealed.findings(as: holder) == [
          "\(key(2)) is damaged: it is signed by a writer that the keyring does not have (\(stranger.publicKey.short))"
        ])
    }
    #expect(throws: EngineError.self) { try sealed.shop.snapshot() }
  }

  /// Who may restore, and who may change the keyring, makes no snapshots.
  @Test func anAuthorityIsNoWriter() throws {
    try sealed.replace(snapshots[2], by: owner.authority) { _ in }
    #expect(
      try sealed.findings(as: .nobody) == [
        "\(key(2)) is damaged: it is signed by a writer that the keyring does not have (\(owner.authority.publicKey.short))"
      ])
  }

  @Test func whatARevokedWriterSignsLaterIsRefused() throws {
    var change = try KeyringChange(sealed.shop.open())
    #expect(try change.revokeWriter(TestKeys.writerName)?.revoked?.accepted == Set(snapshots.map(\.digest)))
    try _ = change.publish()
    #expect(try sealed.findings(as: .nobody) == [])
    // Signed anew, with a time before the revocation and under the keyring of then.
    try sealed.replace(snapshots[2]) { $0.time.finished = RecordedTime(text: "2001-01-01T00:00:00.000Z") }
    #expect(
      try sealed.findings(as: .nobody) == [
        "\(key(2)) is damaged: it is signed by shop-1, whose key was revoked (\(sealed.keys.writer.signing.publicKey.short))"
      ])
  }

  // MARK: Sealed to whom

  /// A machine without keys sees that the owner was left out.
  @Test func anObjectHasASlotForEachRecipient() throws {
    var change = try KeyringChange(sealed.shop.open())
    try change.add(Keyring.Member(RecoveryIdentity().recipient, name: "auditor"))
    let second = try change.publish()
    // Taken under the first revision, and said to be of the second.
    for index in 0..<3 { try sealed.replace(snapshots[index]) { $0.keyring = second.reference } }
    for holder in [TestKeys.Holder.owner, .nobody] {
      let findings = try sealed.findings(as: holder)
      #expect(
        findings.contains(
          "\(SealedShop.bodyKey(snapshots[2])) is damaged: it is not sealed to the recipients of its keyring"),
        "\(findings)")
    }
  }

  @Test func anArchiveHasASlotForEachRecipientToo() throws {
    let archive = SealedShop.archiveKey(snapshots[2])
    // Two slots for one recipient are not one for each of two.
    sealed.store.contents[archive]?.replaceSubrange(72..<88, with: [UInt8](repeating: 7, count: 16))
    try vouch(for: 2)
    #expect(
      try sealed.findings(as: .nobody) == [
        "\(archive) is damaged: it is not sealed to the recipients of its keyring"
      ])
  }

  /// The envelope of a snapshot vouches for its objects as they are now.
  private func vouch(for index: Int) throws {
    let snapshot = snapshots[index]
    let (archiveKey, bodyKey) = (SealedShop.archiveKey(snapshot), SealedShop.bodyKey(snapshot))
    try sealed.replace(snapshot) { envelope in
      let archive = sealed.reference(archiveKey, id: envelope.archives[0].id)
      (envelope.archives[0].length, envelope.archives[0].digest) = (archive.length, archive.digest)
      envelope.body = sealed.reference(bodyKey, id: envelope.body.id)
    }
  }

  /// A slot with junk in it: nobody sees that but who tries it.
  @Test func aSlotThatDoesNotOpenIsFoundByItsRecipient() throws {
    let body = snapshots[2].envelope.body.id
    sealed.store.contents[SealedShop.bodyKey(snapshots[2])]?[100] ^= 1
    try vouch(for: 2)
    #expect(try sealed.findings(as: .nobody) == [])
    #expect(
      try sealed.findings(as: .owner) == [
        "the key of \(body.short) is damaged: its slot for \(owner.recipient.id.short) cannot be opened"
      ])
  }

  /// Whoever wrote an object has its key, and seals what he likes: a restore begins with the label, so a verification
  /// reads it as well.
  @Test func aLabelThatCannotBeOpenedIsFound() throws {
    let bodyKey = SealedShop.bodyKey(snapshots[2])
    var bytes = try #require(sealed.store.contents[bodyKey])
    let (header, slot) = (Array(bytes[..<64]), Array(bytes[72..<168]))
    let name = ContainerName(
      kind: .body, repository: sealed.shop.repository.id, id: snapshots[2].envelope.body.id)
    let recipient = try #require(Identifier(bytes: slot[..<16]))
    let key = try #require(
      owner.open(
        KeySlot(recipient: recipient, encapsulatedKey: Array(slot[16..<48]), sealedKey: Array(slot[48...])),
        info: name.keyInfo))
    bytes[168] ^= 1
    // The seal over the index is made anew: it covers the label.
    let preamble = 64 + SealedShop.number(bytes, at: 12, count: 4)
    let index = SealedShop.number(bytes, at: bytes.count - 32, count: 8)
    let parts = [bytes[..<preamble], bytes[index..<(bytes.count - 48)], bytes.suffix(32)]
    let digest = Hasher.digest(parts.flatMap { Array($0) })
    let seal = try key.seal([], number: .max, associated: header + [3] + digest.bytes)
    bytes.replaceSubrange(bytes.count - 48..<bytes.count - 32, with: seal)
    sealed.store.contents[bodyKey] = bytes
    try vouch(for: 2)
    #expect(try sealed.findings(as: .nobody) == [])
    #expect(try sealed.findings(as: .owner) == ["\(bodyKey) is damaged: its label cannot be opened"])
    #expect(throws: DamageError(bodyKey, "its label cannot be opened")) {
      try sealed.shop.restore(to: "restored", in: sealed.shop.open(as: .owner, memory: ClientMemory.none))
    }
  }

  @Test func aRevisionThatIsNotThereIsNotBelieved() throws {
    try sealed.replace(snapshots[2]) { $0.keyring?.revision = 2 }
    #expect(
      try sealed.findings(as: .nobody) == [
        "\(key(2)) is damaged: it was taken under a revision of the keyring that is not there"
      ])
    let digest = snapshots[0].digest
    try sealed.replace(snapshots[2]) { $0.keyring?.digest = digest }
    #expect(
      try sealed.findings(as: .nobody) == [
        "\(key(2)) is damaged: it was taken under a revision of the keyring that is not there"
      ])
  }

  // MARK: What objects

  /// An archive of the same repository, sealed to the same recipients, in the place of another one.
  @Test func anotherArchiveDoesNotHoldThePages() throws {
    let other = snapshots[0].envelope.archives[0]
    try sealed.replace(snapshots[2]) { $0.archives = [other] }
    #expect(try sealed.findings(as: .nobody) == [])
    #expect(
      try sealed.findings(as: .owner) == [
        "\(SealedShop.archiveKey(snapshots[0])) is damaged: frame 0 is shorter than its manifest says"
      ])
    #expect(throws: DamageError.self) {
      try sealed.shop.restore(
        snapshots[2].id.description, to: "restored", in: sealed.shop.open(as: .owner, memory: ClientMemory.none))
    }
  }

  /// A body of the same repository in the place of another one: its key makes another state root of the same state.
  @Test func anotherBodyGivesAnotherState() throws {
    let other = snapshots[0].envelope
    let bytes = try #require(sealed.store.contents[SealedShop.bodyKey(snapshots[0])])
    sealed.store.contents[Keys.body(snapshots[2].sourceName, 3, other.body.id)] = bytes
    try sealed.replace(snapshots[2]) { ($0.body, $0.archives) = (other.body, other.archives) }
    #expect(
      try sealed.findings(as: .owner) == [
        "\(key(2)) is damaged: replaying its chain gives another state than it records"
      ])
  }

  /// What is recorded is compared whole: root, entries, files and bytes.
  @Test func anotherStateIsFound() throws {
    for change in 0..<4 {
      try sealed.replace(snapshots[2]) { envelope in
        switch change {
        case 0: envelope.state.root = snapshots[0].envelope.state.root
        case 1: envelope.state.entries += 1
        case 2: envelope.state.files += 1
        default: envelope.state.bytes += 1
        }
      }
      #expect(
        try sealed.findings(as: .owner) == [
          "\(key(2)) is damaged: replaying its chain gives another state than it records"
        ])
    }
  }

  /// The same source, taken twice: nobody who compares the envelopes sees that it is the same.
  @Test func equalStatesHaveRootsThatDiffer() throws {
    let report = try sealed.shop.backup(.full, in: sealed.shop.open(as: .backupHost))
    #expect(report.envelope.state.entries == snapshots[2].envelope.state.entries)
    #expect(report.envelope.state.root != snapshots[2].envelope.state.root)
  }

  // MARK: No downgrade

  @Test func anUnsealedManifestInASealedRepository() throws {
    var envelope = snapshots[2].envelope
    (envelope.features, envelope.keyring, envelope.signature) = ([], nil, nil)
    sealed.store.contents[key(2)] = try envelope.serialized()
    for holder in [TestKeys.Holder.owner, .nobody] {
      #expect(
        try sealed.findings(as: holder) == ["\(key(2)) is damaged: it is not sealed in a sealed repository"])
    }
  }

  @Test func aSealedManifestInAnUnsealedRepository() throws {
    let store = MemoryStore()
    let plain = try TestShop(store: store)
    var envelope = snapshots[0].envelope
    envelope.repository = plain.repository.id
    store.contents[key(0)] = try envelope.serialized(signedBy: sealed.keys.writer.signing)
    #expect(
      try plain.verify().unreadable.map(\.message) == [
        "\(key(0)) is damaged: it is sealed in an unsealed repository"
      ])
  }

  /// Objects in the clear beside a signed envelope: a backup host that was told not to seal.
  @Test func unsealedObjectsInASealedRepository() throws {
    let store = MemoryStore()
    let plain = try TestShop(workers: 1, store: store)
    TestFiles.write("order number 1", to: plain.source.appending("order 1"))
    let envelope = try plain.backup().envelope
    let bytes = try #require(store.contents[Keys.body(envelope.source.name, 1, envelope.body.id)])
    sealed.store.contents[Keys.body(snapshots[2].sourceName, 3, envelope.body.id)] = bytes
    try sealed.replace(snapshots[2]) { $0.body = envelope.body }
    for holder in [TestKeys.Holder.owner, .nobody] {
      #expect(
        try sealed.findings(as: holder) == [
          "\(Keys.body(snapshots[2].sourceName, 3, envelope.body.id)) is damaged: it is not sealed in a sealed repository"
        ])
    }
  }
}
