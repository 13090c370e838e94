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

/// What a machine remembers of a repository is kept by the repository, and of every name that it was reached by:
/// neither a link in the storage nor another spelling makes one look new.
@Suite struct MemoryPlaceTests {
  /// The repository lies in a directory to which its attacker can write.
  private let shop: TestShop
  private var genuine: Path { shop.repositoryPath }
  private var forged: Path { shop.directory.appending("forged") }

  init() throws {
    shop = try TestShop(workers: 1, isSealed: true)
    TestFiles.write("the first order", to: shop.source.appending("first"))
    try shop.backup()
  }

  @discardableResult
  private func open(_ path: Path, as memory: ClientMemory? = nil) throws -> Repository {
    try Repository.open(
      LocalStore(directory: path, host: shop.host), host: shop.host, memory: memory ?? shop.memory)
  }

  private func expectRefused(
    _ path: Path, as place: Path? = nil, _ finding: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: EngineError.self, sourceLocation: sourceLocation) { try open(path) }
    #expect(
      error?.message == "the repository in \(place ?? path) is not the one that was there: \(finding)",
      sourceLocation: sourceLocation)
    #expect(error?.exitStatus == .dataLoss, sourceLocation: sourceLocation)
  }

  private func forge(isSealed: Bool) throws {
    let store = LocalStore(directory: forged, host: shop.host)
    _ = try Repository.create(in: store, host: shop.host, sealing: isSealed ? try TestKeys().sealing : nil)
  }

  private func plantLink(to target: String) {
    TestFiles.rename(genuine, to: shop.directory.appending("old"))
    TestFiles.symbolicLink(target, at: genuine)
  }

  private static let unsealed = "it is not sealed, and it was when this machine last used it"
  private static let other = "it has another ID than the one that this machine knows there"

  // MARK: Links and spellings

  @Test(arguments: [false, true]) func aLinkToAForgedRepositoryIsRefused(isSealed: Bool) throws {
    try forge(isSealed: isSealed)
    plantLink(to: "forged")
    let finding = isSealed ? Self.other : Self.unsealed
    expectRefused(genuine, finding)
    // By other ways to the same link.
    TestFiles.symbolicLink(".", at: shop.directory.appending("here"))
    expectRefused(shop.directory.appending("here/repository"), as: genuine, finding)
    expectRefused(shop.directory.appending("source/../repository"), as: genuine, finding)
    expectRefused(shop.directory.appending(".//repository/"), as: genuine, finding)
  }

  /// The link is the operator's, and where it leads was exchanged.
  @Test func whereALinkLeadsIsRememberedToo() throws {
    TestFiles.symbolicLink("repository", at: shop.directory.appending("link"))
    try open(shop.directory.appending("link"))
    try forge(isSealed: true)
    TestFiles.remove(shop.directory.appending("link"))
    TestFiles.symbolicLink("forged", at: shop.directory.appending("link"))
    expectRefused(shop.directory.appending("link"), Self.other)
  }

  @Test func aLinkToTheSameRepositoryIsTheSame() throws {
    plantLink(to: "old")
    #expect(try open(genuine).id == shop.repository.id)
  }

  // MARK: The same repository elsewhere

  @Test func anOlderCopyElsewhereIsToldFromTheOneThatWasSeen() throws {
    let copy = shop.directory.appending("copy")
    TestFiles.copyTree(genuine, to: copy)
    TestFiles.write("an order", to: shop.source.appending("order"))
    try shop.backup()
    var damage: [String] = []
    _ = try open(copy).catalog.allSnapshots { damage.append($0.message) }
    #expect(damage.count == 1 && damage[0].contains("this machine has seen it"), "\(damage)")
    damage = []
    _ = try open(copy, as: ClientMemory(directory: shop.directory.appending("own memory"))).catalog.allSnapshots {
      damage.append($0.message)
    }
    #expect(damage == [])
  }

  @Test func aRepositoryThatBearsAKnownIDIsNoOther() throws {
    let descriptor = Descriptor(repository: shop.repository.id, created: shop.repository.descriptor.created)
    TestFiles.makeDirectory(forged)
    TestFiles.write(try descriptor.serialized(), to: forged.appending("holdfast.json"))
    expectRefused(forged, Self.unsealed)
  }

  // MARK: Forgetting

  @Test func whatIsForgottenIsLearntAnew() throws {
    try forge(isSealed: true)
    plantLink(to: "forged")
    let store = LocalStore(directory: genuine, host: shop.host)
    #expect(try shop.memory.forget(store.places, Repository.id(in: store), files: shop.host.files))
    #expect(TestFiles.names(in: shop.memoryPath) == [])
    #expect(try open(genuine).id != shop.repository.id)
  }

  /// Nothing is known of the name, and yet the repository there is refused.
  @Test func whatIsKnownOfARepositoryElsewhereIsForgottenWithIt() throws {
    let descriptor = Descriptor(repository: shop.repository.id, created: shop.repository.descriptor.created)
    TestFiles.makeDirectory(forged)
    TestFiles.write(try descriptor.serialized(), to: forged.appending("holdfast.json"))
    let store = LocalStore(directory: forged, host: shop.host)
    #expect(try shop.memory.forget(store.places, Repository.id(in: store), files: shop.host.files))
    try open(forged)
  }

  /// Of the repository that was there before, the new one takes the name and nothing else.
  @Test func aNewRepositoryUnderAKnownNameLeavesWhatIsKnownOfTheOld() throws {
    let old = shop.directory.appending("old")
    TestFiles.rename(genuine, to: old)
    let keys = try TestKeys()
    let made = try Repository.create(
      in: LocalStore(directory: genuine, host: shop.host), host: shop.host, sealing: keys.sealing, memory: shop.memory)
    #expect(try open(genuine).id == made.id)
    TestFiles.removeTree(old.appending("sources/source/0000000001"))
    var damage: [String] = []
    _ = try open(old).catalog.allSnapshots { damage.append($0.message) }
    #expect(damage.count == 1, "its snapshot is missed")
  }

  // MARK: What earlier versions remembered

  /// Makes of what is remembered what an earlier version would have: one file, by the name of the place, with
  /// everything in it.
  private func makeEarlierMemory() throws {
    let files = TestFiles.allFiles(in: shop.memoryPath)
    let kept = try #require(files.first { $0.text.contains("/repository-") })
    let named = try #require(files.first { !$0.text.contains("/repository-") })
    let text = String(decoding: TestFiles.read(kept) ?? [], as: UTF8.self)
    let earlier = text.replacing(/{"firstKeyring":{[^}]*},"heads"/, with: "{\"location\":\"\(genuine)\",\"heads\"")
    #expect(earlier != text)
    TestFiles.write(earlier, to: named)
    TestFiles.remove(kept)
    #expect(TestFiles.allFiles(in: shop.memoryPath).count == 1)
  }

  @Test func whatAnEarlierVersionRememberedStillCounts() throws {
    try makeEarlierMemory()
    try forge(isSealed: true)
    plantLink(to: "forged")
    expectRefused(genuine, Self.other)
    TestFiles.remove(genuine)
    TestFiles.rename(shop.directory.appending("old"), to: genuine)
    let manifest = genuine.appending("sources/source/0000000001/manifest.json")
    let bytes = try #require(TestFiles.read(manifest))
    TestFiles.remove(manifest)
    var damage: [String] = []
    _ = try open(genuine).catalog.allSnapshots { damage.append($0.message) }
    #expect(damage.count == 1, "its snapshot is missed")
    TestFiles.write(bytes, to: manifest)
  }

  @Test func whatAnEarlierVersionRememberedMovesAndIsNotLost() throws {
    let before = TestFiles.allFiles(in: shop.memoryPath).map { ($0, TestFiles.read($0)) }
    try makeEarlierMemory()
    try open(genuine)
    for (path, bytes) in before { #expect(TestFiles.read(path) == bytes, "\(path)") }
    #expect(TestFiles.allFiles(in: shop.memoryPath).count == 2)
  }

  /// Where the move is disturbed, nothing is lost either.
  @Test func aMoveThatIsDisturbedAnywhereLosesNothing() throws {
    try makeEarlierMemory()
    let earlier = TestFiles.allFiles(in: shop.memoryPath).map { ($0, TestFiles.read($0) ?? []) }
    let counting = FaultProbe()
    _ = try shop.repository(probe: counting, as: .nobody)
    try forge(isSealed: false)
    for index in 0..<counting.count {
      for path in TestFiles.allFiles(in: shop.memoryPath) { TestFiles.remove(path) }
      for (path, bytes) in earlier { TestFiles.write(bytes, to: path) }
      _ = try? shop.repository(probe: FaultProbe(.cut, at: index), as: .nobody)
      plantLink(to: "forged")
      expectRefused(genuine, Self.unsealed)
      TestFiles.remove(genuine)
      TestFiles.rename(shop.directory.appending("old"), to: genuine)
    }
    #expect(counting.count > 4)
  }

  @Test func aNewNameAfterAnEarlierVersionIsForgottenOver() throws {
    try makeEarlierMemory()
    TestFiles.rename(genuine, to: shop.directory.appending("old"))
    _ = try Repository.create(
      in: LocalStore(directory: genuine, host: shop.host), host: shop.host, sealing: TestKeys().sealing,
      memory: shop.memory)
    try open(genuine)
    TestFiles.removeTree(shop.directory.appending("old/sources"))
    var damage: [String] = []
    _ = try open(shop.directory.appending("old")).catalog.allSnapshots { damage.append($0.message) }
    #expect(damage.count == 1, "what was known of the old one is kept")
  }

  // MARK: A directory that others can change

  @Test func whatOthersMayHaveWrittenIsNotBelieved() throws {
    TestFiles.setMode(shop.memoryPath, 0o777)
    let repository = try open(genuine)
    #expect(repository.memory?.problem == "others may write in \(shop.memoryPath) (mode 0777)")
  }
}
