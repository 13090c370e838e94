import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// All revisions of a keyring are there and follow each other, or the repository is not opened.
@Suite struct KeyringHistoryTests {
  private let sealed: SealedShop
  private var store: MemoryStore { sealed.store }

  init() throws {
    sealed = try SealedShop()
    for number in 2...3 {
      var change = try KeyringChange(sealed.shop.open())
      try change.enrol(Keyring.Writer(name: "shop-\(number)", key: WriterKey().signing.publicKey))
      try _ = change.publish()
    }
  }

  /// A machine without memory refuses it as well.
  private func expectDamage(
    _ object: String, _ finding: String, to holders: [TestKeys.Holder] = TestKeys.Holder.allCases,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for holder in holders {
      #expect(throws: DamageError(object, finding), sourceLocation: sourceLocation) {
        try sealed.shop.open(as: holder, memory: ClientMemory.none)
      }
    }
  }

  @Test func aGap() throws {
    store.contents[Keys.keyring(2)] = nil
    expectDamage(Keys.keyring(2), "it is missing, and 0000000003.json is there")
  }

  @Test func noBeginning() {
    store.contents[Keys.keyring(1)] = nil
    expectDamage(Keys.keyring(1), "it is missing, and 0000000002.json is there")
  }

  @Test func nothing() {
    store.contents = store.contents.filter { !$0.key.hasPrefix(Keys.keyring) }
    expectDamage(Keys.keyring(1), "it is missing")
  }

  @Test func somethingElseAmongThem() {
    store.contents["keyring/notes"] = [1]
    expectDamage(Keys.keyring(4), "it is missing, and notes is there")
  }

  @Test func moreThanAreRead() {
    var contents = store.contents
    for number in UInt64(4)...100_001 { contents[Keys.keyring(number)] = [] }
    store.contents = contents
    expectDamage(Keys.keyring(1), "there are too many revisions", to: [.nobody])
  }

  @Test func revisionsThatChangedPlaces() {
    let contents = store.contents
    store.contents[Keys.keyring(2)] = contents[Keys.keyring(3)]
    store.contents[Keys.keyring(3)] = contents[Keys.keyring(2)]
    expectDamage(Keys.keyring(2), "it does not follow the revision before it")
  }

  @Test func theKeyringOfAnotherRepository() throws {
    let other = try SealedShop()
    store.contents[Keys.keyring(1)] = other.store.contents[Keys.keyring(1)]
    expectDamage(Keys.keyring(1), "it belongs to another repository")
  }

  @Test func aKeyringThatTheDescriptorDoesNotRecord() throws {
    var descriptor = sealed.shop.repository.descriptor
    descriptor.keyring = Hasher.digest([1])
    store.contents[Keys.descriptor] = try descriptor.serialized()
    expectDamage(Keys.keyring(1), "it is not the one that the descriptor records")
  }

  /// The descriptor is signed by nobody: that it says unsealed is not believed beside a keyring.
  @Test func aDescriptorThatSaysUnsealed() throws {
    let descriptor = Descriptor(
      repository: sealed.shop.repository.id, created: RecordedTime(text: "2026-11-22T14:05:03.123Z"))
    store.contents[Keys.descriptor] = try descriptor.serialized()
    expectDamage(Keys.descriptor, "it says unsealed, and there is a keyring")
  }
}
