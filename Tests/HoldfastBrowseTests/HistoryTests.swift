import HoldfastArchive
import HoldfastBrowse
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

@Suite struct HistoryTests {
  private func history(_ path: String, in repository: Repository, _ source: String? = nil) throws -> History {
    var choice = SnapshotChoice()
    choice.source = source.flatMap { SourceName($0) }
    return try History(of: TypedPath(path), choice, in: repository)
  }

  @Test func aPathIsAcceptedAsItIsPasted() throws {
    let shop = try TestShop(workers: 1, store: MemoryStore())
    TestFiles.makeDirectory(shop.source.appending("d"))
    TestFiles.write("an order", to: shop.source.appending("d/orders"))
    try shop.backup()
    for path in ["d/orders", "./d//orders/", shop.source.appending("d/orders").description] {
      #expect(try history(path, in: shop.repository).sources.map(\.path) == [Path("d/orders")])
    }
  }

  @Test func sourcesWithTheSamePathAreTwo() throws {
    let shop = try TestShop(workers: 1, store: MemoryStore())
    TestFiles.write("an order", to: shop.source.appending("orders"))
    for name in ["one", "two"] { try shop.backup { $0.name = SourceName(name) } }
    #expect(try history("orders", in: shop.repository).sources.map(\.name.text) == ["one", "two"])
    #expect(try history("orders", in: shop.repository, "two").sources.map(\.name.text) == ["two"])
    let error = #expect(throws: EngineError.self) { try history("orders", in: shop.repository, "three") }
    #expect(error?.message == "there is no source three in memory")
  }

  @Test func whatNoSnapshotHasIsToldWithWhereToLook() throws {
    let shop = try TestShop(workers: 1, store: MemoryStore())
    TestFiles.write("an order", to: shop.source.appending("orders"))
    try shop.backup()
    let error = #expect(throws: EngineError.self) { try history("d/order's", in: shop.repository) }
    #expect(
      error?.description == """
        no snapshot has d/order's
        HINT: Run `holdfast find '*order'\\''s*'` to see where it lies.
        """)
    #expect(error?.exitStatus == .failed)
  }

  /// Attributes that change do not make another version; a content that comes back is another run of the same.
  @Test func versionsDifferByTheirContents() throws {
    let shop = try TestShop(workers: 1, store: MemoryStore())
    let file = shop.source.appending("orders")
    for (content, mode) in [("one", UInt32(0o600)), ("one", 0o640), ("two", 0o600), ("one", 0o600)] {
      TestFiles.write(content, to: file)
      TestFiles.setMode(file, mode)
      try shop.backup()
    }
    let found = try #require(try history("orders", in: shop.repository).sources.first)
    #expect(found.versions.map(\.snapshotCount) == [2, 1, 1])
    #expect(found.distinctCount == 2)
    #expect(!found.isDeleted)
    TestFiles.remove(file)
    TestFiles.write("else", to: shop.source.appending("else"))
    try shop.backup()
    let deleted = try #require(try history("orders", in: shop.repository).sources.first)
    #expect(deleted.versions.last?.entry == nil)
    #expect(deleted.isDeleted)
  }

  /// What lies behind damage is not told, and that it is not told is told.
  @Test func snapshotsBehindDamageAreLeftOutAndNamed() throws {
    let store = MemoryStore()
    let shop = try TestShop(workers: 1, store: store)
    let file = shop.source.appending("orders")
    for content in ["one", "two", "three"] {
      TestFiles.write(content, to: file)
      try shop.backup(.incremental)
    }
    TestFiles.write("four", to: file)
    try shop.backup(.full)
    let body = try #require(store.contents.keys.first { $0.contains("/0000000002/body-") })
    store.contents[body]?[100] ^= 1
    let found = try history("orders", in: shop.repository)
    #expect(found.damage.map(\.object) == [body])
    #expect(found.sources.first?.versions.map(\.first.sequence) == [1, 4])
    #expect(try Find(["orders"], SnapshotChoice(), in: shop.repository).damage.map(\.object) == [body])
  }

  /// A repository that has lost its newest snapshots does not pass for one in which nothing was deleted.
  @Test func newestSnapshotsThatAreLostAreNamed() throws {
    let store = MemoryStore()
    let shop = try TestShop(workers: 1, store: store)
    for content in ["one", "two"] {
      TestFiles.write(content, to: shop.source.appending("orders"))
      try shop.backup()
    }
    try shop.repository.notes.pin(shop.snapshot(), reason: "")
    for key in store.contents.keys where key.contains("/0000000002/") { store.contents[key] = nil }
    let lost = ["sources/source/0000000002/manifest.json"]
    #expect(try history("orders", in: shop.open()).damage.map(\.object) == lost)
    #expect(try Find(["*"], SnapshotChoice(), isDeletedOnly: true, in: shop.open()).damage.map(\.object) == lost)
  }

  @Test func aSealedRepositoryNeedsAnIdentity() throws {
    let shop = try TestShop(workers: 1, store: MemoryStore(), isSealed: true)
    TestFiles.write("an order", to: shop.source.appending("orders"))
    try shop.backup()
    let path = shop.source.appending("orders").description
    #expect(try history(path, in: shop.open(as: .owner)).sources.first?.versions.count == 1)
    let error = #expect(throws: KeyError.self) { try history("orders", in: shop.open(as: .nobody)) }
    #expect(error?.message.hasPrefix("the repository is sealed, and no identity was named") == true)
  }
}
