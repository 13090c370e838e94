import HoldfastArchive
import HoldfastBrowse
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What this machine keeps of the changes of snapshots makes answers fast, and changes none of them.
@Suite struct ChangeCacheTests {
  private let store = MemoryStore()
  private let shop: TestShop
  private let cache: ChangeCache

  init() throws {
    shop = try TestShop(workers: 1, store: store)
    cache = ChangeCache(directory: shop.cachePath.appending("changes"))
    for number in 1...6 {
      TestFiles.write("order \(number)", to: shop.source.appending("orders"))
      TestFiles.write("new", to: shop.source.appending("new \(number)"))
      try shop.backup(number == 4 ? .full : nil)
    }
  }

  private func answer(_ cache: ChangeCache, in repository: Repository? = nil) throws -> [String] {
    let repository = try repository ?? shop.open()
    var lines = try History(of: TypedPath("orders"), SnapshotChoice(), in: repository, cache: cache).sources.flatMap {
      $0.versions.map { "\($0.first.id) \($0.last.id) \($0.snapshotCount) \(String(describing: $0.entry))" }
    }
    for source in try Find(["*"], SnapshotChoice(), in: repository, cache: cache).sources {
      source.forEach { lines.append("\($0.newest) \($0.first.id) \($0.last.id) \($0.snapshotCount)") }
    }
    return lines
  }

  private var file: Path? { TestFiles.allFiles(in: shop.cachePath.appending("changes")).first }

  /// The number of bodies that were read since requests were last forgotten.
  private var bodiesRead: Int { Set(store.fetched.filter { $0.contains("/body-") }).count }

  @Test func whatIsKeptIsNotReadAgain() throws {
    store.forgetRequests()
    _ = try answer(cache)
    #expect(bodiesRead == 6)
    store.forgetRequests()
    _ = try answer(cache)
    #expect(bodiesRead == 0)
    TestFiles.write("order 7", to: shop.source.appending("orders"))
    try shop.backup(in: shop.open())
    store.forgetRequests()
    _ = try answer(cache)
    #expect(bodiesRead == 1)
  }

  /// Whatever becomes of the file, the answers are those of the repository.
  @Test func aDamagedFileChangesNoAnswer() throws {
    let expected = try answer(.none)
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    _ = try answer(cache)
    let path = try #require(file)
    let whole = try #require(TestFiles.read(path))
    for _ in 0..<40 {
      var bytes = whole
      switch random.next() % 3 {
      case 0: bytes.removeLast(Int(random.next() % UInt64(bytes.count)))
      case 1: bytes += random.bytes(300)
      default: bytes[Int(random.next() % UInt64(bytes.count))] ^= UInt8(1 << (random.next() % 8))
      }
      TestFiles.write(bytes, to: path)
      #expect(try answer(cache) == expected, "seed \(seed)")
      #expect(try answer(cache) == expected, "seed \(seed)")
    }
  }

  /// A snapshot of the same number that is another one is not taken for the one that is kept.
  @Test func anotherSnapshotUnderTheSameNumberIsReadAnew() throws {
    _ = try answer(cache)
    for key in store.contents.keys where key.contains("/0000000006/") { store.contents[key] = nil }
    TestFiles.write("another order", to: shop.source.appending("orders"))
    try shop.backup(in: shop.open())
    #expect(try shop.snapshot(in: shop.open()).sequence == 6)
    #expect(try answer(cache) == answer(.none))
  }

  @Test func whatDoesNotFitIsReadFromTheRepository() throws {
    let small = ChangeCache(directory: shop.cachePath.appending("changes"), bytesMax: 700)
    #expect(try answer(small) == answer(.none))
    #expect(try answer(small) == answer(.none))
    let size = try #require(file.flatMap { TestFiles.status($0)?.size })
    #expect((1...700).contains(size))
  }

  @Test func recordsOfSnapshotsThatAreGoneDoNotPileUp() throws {
    _ = try answer(cache)
    let path = try #require(file)
    let header = 24
    let records = try #require(TestFiles.read(path)).dropFirst(header)
    TestFiles.write((0..<20).reduce(into: try #require(TestFiles.read(path))) { all, _ in all += records }, to: path)
    TestFiles.write("order 7", to: shop.source.appending("orders"))
    try shop.backup(in: shop.open())
    #expect(try answer(cache) == answer(.none))
    #expect(try #require(TestFiles.status(path)?.size) < 2 * records.count)
  }

  /// Names of files are secret.
  @Test func nothingIsKeptOfASealedRepository() throws {
    let sealed = try TestShop(workers: 1, store: MemoryStore(), isSealed: true)
    TestFiles.write("an order", to: sealed.source.appending("orders"))
    try sealed.backup()
    let cache = ChangeCache(directory: sealed.cachePath.appending("changes"))
    _ = try Find(["*"], SnapshotChoice(), in: sealed.open(), cache: cache)
    #expect(!TestFiles.exists(sealed.cachePath.appending("changes")))
  }
}
