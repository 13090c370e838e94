import FoundationEssentials
import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A change of the keyring that would lock everybody out, confuse two keys or not fit is refused, with what to do
/// instead.
@Suite struct KeyringRefusalTests {
  private let sealed: SealedShop
  private var shop: TestShop { sealed.shop }

  init() throws {
    sealed = try SealedShop()
  }

  private func change() throws -> KeyringChange { try KeyringChange(shop.open(as: .owner)) }

  private func member(_ name: String) throws -> Keyring.Member {
    Keyring.Member(try RecoveryIdentity().recipient, name: name)
  }

  private func writer(_ name: String) throws -> Keyring.Writer {
    Keyring.Writer(name: name, key: try WriterKey().signing.publicKey)
  }

  // MARK: Recipients

  @Test func theOnlyRecipientStays() throws {
    var change = try change()
    #expect(
      shown { _ = try change.removeRecipient("owner") }
        == "owner is the only recipient\nHINT: Nobody could restore any more: add another one first.")
    #expect(change.keyring.recipients.count == 1)
  }

  @Test func aRecipientIsThereOnce() throws {
    let owner = sealed.keys.member
    var change = try change()
    let refusal = "the recipient \(owner.id.short) is in the keyring already"
    #expect(shown { try change.add(Keyring.Member(owner.recipient, name: "another name")) } == refusal)
    #expect(shown { _ = try change.replaceRecipient("owner", by: owner.recipient, name: "new") } == refusal)
    #expect(change.keyring.recipients == [owner])
  }

  @Test func thereAreNoMoreRecipientsThanAllowed() throws {
    var change = try change()
    for number in 2...64 { try change.add(member("recipient-\(number)")) }
    #expect(
      shown { try change.add(member("recipient-65")) }
        == "a keyring has at most 64 recipients\nHINT: Remove one first.")
    #expect(try change.publish().keyring.recipients.count == 64)
    // All of them can be sealed to.
    let snapshot = try sealed.backup()
    try snapshot.forEachEntry(in: shop.open(as: .owner)) { _ in }
    #expect(try sealed.findings(as: .nobody) == [])
  }

  // MARK: Writers

  @Test func aWriterIsThereOnceAndARevokedOneDoesNotComeBack() throws {
    let key = sealed.keys.writer.signing.publicKey
    var change = try change()
    #expect(
      shown { try change.enrol(Keyring.Writer(name: "shop-2", key: key)) }
        == "the writer \(key.short) is in the keyring already")
    try change.enrol(writer("shop-2"))
    _ = try change.revokeWriter(TestKeys.writerName)
    #expect(
      shown { try change.enrol(Keyring.Writer(name: "shop-3", key: key)) }
        == "the writer \(key.short) is in the keyring already, and revoked"
        + "\nHINT: A revoked key does not come back: generate a new one.")
  }

  /// Any 32 bytes are a key to a keyring.
  @Test func thereAreNoMoreWritersThanAllowed() throws {
    var change = try change()
    for number in 2...1024 {
      let bytes = [UInt8(number & 0xff), UInt8(number >> 8)] + [UInt8](repeating: 7, count: 30)
      try change.enrol(Keyring.Writer(name: "writer-\(number)", key: #require(PublicKey(bytes: bytes))))
    }
    #expect(
      shown { try change.enrol(writer("writer-1025")) }
        == "a keyring has at most 1024 writers, revoked ones among them"
        + "\nHINT: Start a new repository beside this one.")
    #expect(try change.publish().keyring.writers.count == 1024)
  }

  /// What is hidden when a writer is revoked would be refused for ever: first it has to be found.
  @Test func noWriterIsRevokedWhileASnapshotCannotBeRead() throws {
    let snapshot = try sealed.backup()
    let key = SealedShop.key(snapshot)
    let whole = sealed.store.contents
    sealed.store.contents[key]?[20] ^= 1
    var change = try change()
    #expect(
      shown { _ = try change.revokeWriter(TestKeys.writerName) }
        == "what is hidden or unreadable when a writer is revoked would be refused for ever: \(key) is damaged: its first line does not have the digest on its second\n"
        + "HINT: Bring it back; or if it was removed on purpose, run `holdfast key forget` first.")
    #expect(change.keyring.writers[0].revoked == nil)
    sealed.store.contents = whole.filter { !$0.key.hasPrefix(Keys.sources) }
    #expect(
      shown { _ = try change.revokeWriter(TestKeys.writerName) }
        .contains("\(key) is damaged: it is missing, and this machine has seen it"))
  }

  /// What no reader would read is not written.
  @Test func aKeyringIsNoLongerThanIsRead() throws {
    let salt = String(repeating: "0", count: Limits.envelopeBytesMax)
    let text = #"{"logN":17,"p":1,"r":8,"salt":"\#(salt)","sealed":""}"#
    let seal = try JSONDecoder().decode(PassphraseSeal.self, from: Data(text.utf8))
    var change = try change()
    try change.add(Keyring.Member(RecoveryIdentity().recipient, name: "long", passphrase: seal))
    #expect(
      shown { _ = try change.publish() }
        == "the keyring would be longer than 8.0 MiB\nHINT: Start a new repository beside this one.")
    #expect(sealed.store.contents[Keys.keyring(2)] == nil)
  }

  // MARK: Names

  @Test(arguments: ["", "two\nlines", "\u{1b}[2J", String(repeating: "n", count: 65)])
  func aNameThatCannotBeShown(name: String) throws {
    var change = try change()
    let refusal =
      "\(name.isEmpty ? "\"\"" : "\"\(Path(name))\"") is no name for a key\nHINT: Use 1 to 64 printable characters."
    let error = #expect(throws: EngineError.self) { try change.add(member(name)) }
    #expect(error?.description == refusal)
    #expect(error?.exitStatus == .usage)
    #expect(shown { try change.enrol(writer(name)) } == refusal)
    #expect(
      shown { _ = try change.replaceRecipient("owner", by: RecoveryIdentity().recipient, name: name) } == refusal)
  }

  @Test func aNameThatIsTaken() throws {
    var change = try change()
    let error = #expect(throws: EngineError.self) { try change.add(member("owner")) }
    #expect(error?.description == "the name owner is taken\nHINT: Say another --label.")
    #expect(error?.exitStatus == .usage)
    #expect(
      shown { try change.enrol(writer(TestKeys.writerName)) } == "the name shop-1 is taken\nHINT: Say another --label.")
    try change.add(member("second"))
    #expect(
      shown { _ = try change.replaceRecipient("second", by: RecoveryIdentity().recipient, name: "owner") }
        == "the name owner is taken\nHINT: Say another --label.")
  }

  @Test(arguments: ["nobody", "", "ffffffffffffffff\u{1b}"]) func aNameThatNobodyHas(name: String) throws {
    var change = try change()
    let refusal =
      "there is no recipient or writer \(name.isEmpty ? "\"\"" : Path(name).description)\nHINT: Run `holdfast key list` to see who there is."
    let error = #expect(throws: EngineError.self) { try change.removeRecipient(name) }
    #expect(error?.description == refusal)
    #expect(error?.exitStatus == .usage)
    #expect(shown { _ = try change.replaceRecipient(name, by: RecoveryIdentity().recipient, name: nil) } == refusal)
    #expect(try change.revokeWriter(name) == nil)
  }

  /// Nobody goes whom the operator may not have meant.
  @Test func aNameThatSeveralCouldHave() throws {
    func refusal(_ name: String) -> String {
      "\(name) stands for more than one key\nHINT: Run `holdfast key list` to see who there is."
    }
    let key = sealed.keys.writer.signing.publicKey
    var change = try change()
    // A recipient whose name is the beginning of a writer's key; and one whose name is the beginning of another's ID.
    try change.add(member(key.short))
    #expect(shown { _ = try change.revokeWriter(key.short) } == refusal(key.short))
    #expect(try change.removeRecipient(key.short).name == key.short)
    #expect(change.keyring.writers.allSatisfy { $0.revoked == nil })
    let short = sealed.keys.member.id.short
    try change.add(member(short))
    #expect(shown { _ = try change.removeRecipient(short) } == refusal(short))
    #expect(try change.removeRecipient(sealed.keys.member.id.description).name == "owner")
    let twin = Keyring.Writer(
      name: "shop-2", key: try #require(PublicKey(bytes: key.bytes.prefix(31) + [key.bytes[31] ^ 1])))
    try change.enrol(twin)
    #expect(shown { _ = try change.revokeWriter(key.short) } == refusal(key.short))
    #expect(try change.revokeWriter(key.description)?.name == TestKeys.writerName)
  }
}
