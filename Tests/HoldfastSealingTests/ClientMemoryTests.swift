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

/// A machine that has used a sealed repository takes no other one for it, whatever lies in its place; and says what to
/// do.
@Suite struct ClientMemoryTests {
  private let sealed: SealedShop
  private var shop: TestShop { sealed.shop }
  private var store: MemoryStore { sealed.store }

  init() throws {
    sealed = try SealedShop()
    try sealed.backup()
  }

  private static let hint =
    "\nHINT: Somebody may have exchanged it or put back an old copy. Find out; to read a copy that is known to be older, say --older-copy; only if that was meant, run `holdfast key forget`."

  /// Nobody opens the repository as it is now: nor does a backup seal to a forger, or in the clear.
  private func expectRefused(_ finding: String, sourceLocation: SourceLocation = #_sourceLocation) {
    for holder in TestKeys.Holder.allCases {
      let error = #expect(throws: EngineError.self, sourceLocation: sourceLocation) { try shop.open(as: holder) }
      #expect(
        error?.description == "the repository in memory is not the one that was there: \(finding)" + Self.hint,
        sourceLocation: sourceLocation)
      #expect(error?.exitStatus == .dataLoss, sourceLocation: sourceLocation)
    }
  }

  // MARK: Another repository

  @Test func anExchangedRepository() throws {
    let other = try SealedShop()
    try other.backup()
    store.contents = other.store.contents
    expectRefused("it has another ID than the one that this machine knows there")
  }

  @Test func anUnsealedRepositoryInItsPlace() throws {
    let other = MemoryStore()
    _ = try TestShop(store: other)
    store.contents = other.contents
    expectRefused("it is not sealed, and it was when this machine last used it")
  }

  /// The same ID, and a keyring of its own: to whoever compares IDs alone it is the same.
  @Test func aKeyringWithTheSameIDByAnotherHand() throws {
    let forger = try TestKeys()
    var keyring = try shop.open().keyring.sealed.map(\.keyring)
    keyring?.recipients = [forger.member]
    keyring?.writers = [Keyring.Writer(name: "shop-1", key: forger.writer.signing.publicKey)]
    let bytes = try #require(try keyring?.serialized(signedBy: forger.writer.signing))
    let revision = try KeyringRevision(
      parsing: bytes, after: nil, repository: shop.repository.id, name: Keys.keyring(1))
    var descriptor = shop.repository.descriptor
    descriptor.keyring = revision.digest
    store.contents = [Keys.keyring(1): bytes, Keys.descriptor: try descriptor.serialized()]
    expectRefused("its keyring lacks revision 1, which this machine has seen")
  }

  // MARK: The keyring

  private func enrol(_ name: String) throws -> KeyringRevision {
    var change = try KeyringChange(shop.open())
    try change.enrol(Keyring.Writer(name: name, key: WriterKey().signing.publicKey))
    return try change.publish()
  }

  @Test func anOlderKeyring() throws {
    let before = store.contents
    try _ = enrol("shop-2")
    // No run but the one that made it has seen it.
    store.contents[Keys.keyring(2)] = nil
    expectRefused("its keyring lacks revision 2, which this machine has seen")
    store.contents = before
    expectRefused("its keyring lacks revision 2, which this machine has seen")
  }

  @Test func anotherSuccessorOfTheSameRevision() throws {
    let before = store.contents
    try _ = enrol("shop-2")
    let seen = store.contents
    // By another machine, and with the same right.
    store.contents = before
    var change = try KeyringChange(shop.open(memory: ClientMemory.none))
    try change.enrol(Keyring.Writer(name: "shop-2", key: WriterKey().signing.publicKey))
    try _ = change.publish()
    expectRefused("its keyring lacks revision 2, which this machine has seen")
    store.contents = seen
    _ = try shop.open()
  }

  @Test func aKeyringThatWentOn() throws {
    try _ = (enrol("shop-2"), enrol("shop-3"))
    let machine = ClientMemory(directory: shop.directory.appending("another machine"))
    _ = try shop.open(memory: machine)
    try _ = enrol("shop-4")
    #expect(try shop.open(memory: machine).keyring.sealed?.keyring.revision == 4)
    store.contents[Keys.keyring(4)] = nil
    #expect(throws: EngineError.self) { try shop.open(memory: machine) }
  }

  @Test func anExpectedKeyring() throws {
    let first = try #require(shop.repository.keyring.sealed?.revision.digest.description)
    let second = try enrol("shop-2").digest.description
    for digest in [first, second, String(first.prefix(32)), second.uppercased()] {
      _ = try shop.open(memory: ClientMemory.none, expectedKeyring: digest)
    }
    for digest in [String(second.dropLast()) + (second.last == "0" ? "1" : "0"), String(repeating: "0", count: 32)] {
      let error = #expect(throws: EngineError.self, "\(digest)") {
        try shop.open(memory: ClientMemory.none, expectedKeyring: digest)
      }
      #expect(
        error?.description
          == "the repository in memory has no revision \(digest) of its keyring"
          + "\nHINT: It is not the one that is expected. Compare `holdfast key list` with what you have written down.")
      #expect(error?.exitStatus == .dataLoss)
    }
    // Fewer digits can be forged: a sixteenth of all keyrings begins with any one of them.
    for digest in [String(first.prefix(1)), String(first.prefix(31)), first + "0", "another", ""] {
      let error = #expect(throws: EngineError.self, "\(digest)") {
        try shop.open(memory: ClientMemory.none, expectedKeyring: digest)
      }
      #expect(
        error?.description
          == "\"\(digest)\" is not the digest of a keyring: it has 32 hexadecimal digits at least, and fewer can be forged"
          + "\nHINT: Say the whole one that `holdfast key list` shows, as you have written it down.")
      #expect(error?.exitStatus == .usage)
    }
    let plain = MemoryStore()
    let unsealed = try TestShop(store: plain)
    #expect(throws: EngineError.self) { try unsealed.open(expectedKeyring: first) }
  }

  // MARK: The record

  /// What was meant is taken once the operator has said so.
  @Test func whatIsForgottenIsLearntAnew() throws {
    let other = try SealedShop()
    store.contents = other.store.contents
    #expect(try shop.memory.forget(store.places, Repository.id(in: store), files: shop.host.files))
    #expect(try shop.open(as: .nobody).id == other.shop.repository.id)
    #expect(try shop.memory.forget(store.places, Repository.id(in: store), files: shop.host.files))
    #expect(try !shop.memory.forget(store.places, Repository.id(in: store), files: shop.host.files))
  }

  @Test func aNewRepositoryInTheSamePlaceIsMeant() throws {
    store.contents = [:]
    let keys = try TestKeys()
    _ = try Repository.create(in: store, host: shop.host, sealing: keys.sealing, memory: shop.memory)
    _ = try shop.open(as: .nobody)
  }

  /// What is kept of the repository, and what is kept of the name.
  @Test func aDamagedRecordIsNotIgnored() throws {
    let files = TestFiles.allFiles(in: shop.memoryPath)
    #expect(files.count == 2)
    for file in files {
      let bytes = try #require(TestFiles.read(file))
      for damaged in [[], Array(bytes.dropLast()), [0] + bytes, Array("{}".utf8)] {
        TestFiles.write(damaged, to: file)
        #expect(
          shown { _ = try shop.open() }
            == "\(file), what this machine remembers of memory, is damaged"
            + "\nHINT: Compare `holdfast key list` with what you have written down, then run `holdfast key forget`.")
      }
      TestFiles.write(bytes, to: file)
      _ = try shop.open()
    }
  }

  /// The record of another place, under the name of this one's.
  @Test func theRecordOfAnotherPlaceIsDamage() throws {
    let file = try #require(TestFiles.allFiles(in: shop.memoryPath).first { !$0.text.contains("repository-") })
    let text = String(decoding: TestFiles.read(file) ?? [], as: UTF8.self)
    TestFiles.write(text.replacing(#""location":"memory""#, with: #""location":"memorx""#), to: file)
    #expect(shown { _ = try shop.open() }.hasSuffix("run `holdfast key forget`."))
  }

  /// It says where a source lay, and otherwise nothing that the repository does not say.
  @Test func itHoldsNoKeyAndIsPrivate() throws {
    let files = TestFiles.allFiles(in: shop.memoryPath)
    for file in files { #expect((TreeDescription(of: file).nodes["."]?.mode ?? 0) & 0o777 == 0o600) }
    let text = files.map { String(decoding: TestFiles.read($0) ?? [], as: UTF8.self) }.joined()
    let secrets = [
      sealed.keys.identity.fileText(created: "now"), sealed.keys.writer.fileText(created: "now"),
    ].map { secret in secret.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
    for secret in secrets {
      let line = try #require(secret.split(separator: "\n").last { !$0.hasPrefix("#") })
      #expect(!text.contains(try #require(line.split(separator: "-").dropLast().last)))
    }
  }

  // MARK: A machine that cannot remember

  @Test func aDiskWithoutRoomKeepsNobodyFromRestoring() throws {
    let (local, count) = try makeLocal()
    for index in 0..<count {
      let shop = try makeLocal().shop
      let probe = FaultProbe(.fail(28), at: index)
      let place = "operation \(index)"
      let repository = try shop.repository(probe: probe, as: .owner)
      #expect(shop.memoryPath.contains(probe.log.last?.path ?? .root), "\(place)")
      try shop.restore(to: "restored")
      #expect(try shop.verify(in: repository).exitStatus == .done, "\(place)")
      // What was remembered before, or nothing: no damage.
      _ = try shop.open()
    }
    withExtendedLifetime(local) {}
  }

  /// A repository that this machine sees for the first time, and how many operations it takes to remember it.
  private func makeLocal() throws -> (shop: TestShop, count: Int) {
    let shop = try TestShop(workers: 1, isSealed: true)
    TestFiles.write("an order", to: shop.source.appending("order"))
    try shop.backup()
    TestFiles.removeTree(shop.memoryPath)
    let probe = FaultProbe()
    _ = try shop.repository(probe: probe, as: .owner)
    TestFiles.removeTree(shop.memoryPath)
    #expect(probe.count > 4)
    return (shop, probe.count)
  }

  /// A directory that cannot be made.
  @Test func aStateDirectoryBehindAFileKeepsNobodyFromRestoring() throws {
    TestFiles.write("a file", to: shop.directory.appending("file"))
    let nowhere = ClientMemory(directory: shop.directory.appending("file/memory"))
    let repository = try shop.open(as: .owner, memory: nowhere)
    try shop.restore(to: "restored", in: repository)
    #expect(try shop.verify(in: repository).exitStatus == .done)
  }
}
