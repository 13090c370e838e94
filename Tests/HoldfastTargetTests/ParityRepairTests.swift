import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A repair of the only copy never costs it, and a backup does not take damage for a snapshot because parity could mend
/// it.
@Suite(.timeLimit(.minutes(30))) struct ParityRepairTests {
  private static func fill(_ shop: TestShop) throws -> TreeDescription {
    var random = SeededRandom(seed: 41)
    TestFiles.write(random.bytes(200_000), to: shop.source.appending("orders.db"))
    let share = try #require(ParityShare("2%"))
    try shop.backup(.full) { $0.parity = share }
    return TreeDescription(of: shop.source)
  }

  private static func repair(_ repository: Repository) throws -> ScrubResult {
    var repository = repository
    repository.isHome = false
    var options = Scrub.Options()
    options.repairs = true
    let place = Scrub.Place("home", at: "home", isHome: true, .success(repository.store))
    return try #require(try Scrub([place], reference: repository, openedAt: "home", options).run().first)
  }

  private static func expectRestored(_ shop: TestShop, _ tree: TreeDescription, _ place: String) throws {
    defer { TestFiles.removeTree(shop.directory.appending("restored")) }
    try shop.restore(to: "restored", in: shop.open(memory: ClientMemory.none))
    let differences = TreeDescription(of: shop.directory.appending("restored")).differences(from: tree)
    #expect(differences == [], "\(place)")
  }

  /// A fault, or a kill, at each step of a repair in a directory.
  @Test(arguments: [false, true]) func nothingThatHappensDuringARepairCostsTheOnlyCopy(isKilled: Bool) throws {
    let shop = try TestShop(workers: 1)
    let tree = try Self.fill(shop)
    let archive = shop.repositoryPath.appending(try #require(shop.number(1).archiveKeys.first))
    let whole = try #require(TestFiles.read(archive))
    var damaged = whole
    damaged[100_000] ^= 1
    let watched = FaultProbe()
    TestFiles.write(damaged, to: archive)
    #expect(try Self.repair(shop.repository(probe: watched)).allFindings.map(\.outcome) == [.repaired])
    #expect(TestFiles.read(archive) == whole)
    #expect(watched.log.contains { $0.operation == .synchronize })
    for step in 0..<watched.count {
      let place = "step \(step), \(watched.log[step].operation) of \(watched.log[step].path)"
      TestFiles.write(damaged, to: archive)
      let probe = FaultProbe(isKilled ? .cut : .fail(EIO), at: step)
      _ = try? Self.repair(shop.repository(probe: probe))
      let found = TestFiles.read(archive)
      #expect(found == damaged || found == whole, "\(place)")
      try Self.expectRestored(shop, tree, place)
    }
    TestFiles.write(damaged, to: archive)
    #expect(try Self.repair(shop.open()).exitStatus == .done)
    #expect(TestFiles.read(archive) == whole)
  }

  /// A bucket or an SFTP server gives keys that are free only.
  @Test func whereNothingIsReplacedInOneStepTheOnlyCopyStays() throws {
    var traits = MemoryStore.Traits()
    traits.isNear = false
    let store = MemoryStore(traits)
    let shop = try TestShop(workers: 1, store: store)
    let tree = try Self.fill(shop)
    let key = try #require(shop.number(1).archiveKeys.first)
    store.contents[key]?[100_000] ^= 1
    let damaged = try #require(store.contents[key])
    let result = try Self.repair(shop.open())
    #expect(
      result.allFindings.map(\.outcome) == [
        .unrepaired(
          reason:
            "only what is left of it gives it back, and here an object must go before it is written anew; add another target and sync it, then repair"
        )
      ])
    #expect(result.exitStatus == .repairableDamage)
    #expect(store.contents[key] == damaged)
    try Self.expectRestored(shop, tree, "after the refusal")
  }

  // MARK: Backups

  @Test(arguments: ["none", "2%"]) func aBodyThatArrivesDamagedIsNoSnapshot(parity: String) throws {
    let memory = MemoryStore()
    let shop = try TestShop(workers: 1, store: FlippingStore(memory))
    TestFiles.write(Array("an order".utf8), to: shop.source.appending("orders"))
    let share = try #require(ParityShare(parity))
    let failed = Result { try shop.backup(.full) { $0.parity = share } }
    if case .failure(let error) = failed {
      #expect(error.isDamage, "\(error)")
    } else {
      Issue.record("it was acknowledged")
    }
    #expect(!memory.contents.keys.contains { $0.hasSuffix("manifest.json") })
  }
}

/// A store that flips a bit in each body on its way.
private final class FlippingStore: StoreLayer {
  let base: any Store
  init(_ base: any Store) { self.base = base }

  func upload(_ key: String) throws -> any ObjectUpload {
    let upload = try base.upload(key)
    return Keys.isBody(key) ? Upload(upload) : upload
  }

  private final class Upload: ObjectUpload {
    /// In the first frame.
    private static let flipped: UInt64 = 70
    private let base: any ObjectUpload
    init(_ base: any ObjectUpload) { self.base = base }

    var partBytes: Int? { base.partBytes }

    func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
      var sent = Array(bytes)
      if offset <= Self.flipped, Self.flipped < offset + UInt64(sent.count) { sent[Int(Self.flipped - offset)] ^= 1 }
      try sent.withUnsafeBytes { try base.send($0, at: offset) }
    }

    func commit() throws { try base.commit() }

    func abort() { base.abort() }
  }
}
