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

/// A merge costs what is live: what needs no new compression gets none, and what is dead is left behind.
@Suite struct MergeCostTests {
  private let pageCount = 1024

  /// A database of 4 MiB, in sixteen frames, and three days on which pages in two of them change.
  private func makeShop(isSealed: Bool) throws -> TestShop {
    let shop = try TestShop(isSealed: isSealed)
    var random = SeededRandom(seed: 7)
    let database = shop.source.appending("orders.db")
    TestFiles.write(random.text(pageCount * 4096), to: database)
    try shop.backup()
    for day in 0..<3 {
      TestFiles.overwrite(database, at: (10 + day) * 4096, with: random.text(4096))
      TestFiles.overwrite(database, at: (700 + day) * 4096, with: random.text(4096))
      try shop.backup()
    }
    return shop
  }

  @Test(arguments: [false, true])
  func wholeFramesAreCarriedOverAsTheyAre(isSealed: Bool) throws {
    let shop = try makeShop(isSealed: isSealed)
    let before = try shop.repository.catalog.allSnapshots { _ in }
    let old = try before.map { try shop.frames(of: $0) }
    // What is compressed anew can be told from what is not: here it is not compressed at all.
    let report = try shop.merge { $0.compression = .none }
    let plan = try #require(report.plan)
    let merged = try shop.snapshot()
    let frames = try shop.frames(of: merged)
    // The full has sixteen frames, two of them with dead pages; each increment one, of two live pages.
    #expect(plan.frames == 19)
    #expect(plan.carriedFrames == 17)
    #expect(plan.pages == 1024 && plan.pageBytes == 1024 * 4096)
    #expect(plan.compressedBytes == 2 * (64 - 3) * 4096)
    #expect(frames.count { $0.codec == .zlib } == 17)
    let remade: [UInt32] = frames.filter { $0.codec == .stored }.map(\.plainCount)
    #expect(remade == [249_856, 249_856])
    #expect(frames.reduce(0) { $0 + UInt64($1.plainCount) } == 1024 * 4096)
    #expect(merged.envelope.changes.pages == 1024 && merged.envelope.changes.pageBytes == 1024 * 4096)
    let carried = frames.filter { $0.codec == .zlib }
    // Sealed anew, the same number of bytes is another text.
    let (known, key) = (Set(old.joined().map(\.digest)), Set(old.joined().map(\.storedCount)))
    #expect(carried.allSatisfy { known.contains($0.digest) == !isSealed })
    #expect(carried.allSatisfy { key.contains($0.storedCount) })
    #expect(try shop.verify().exitStatus == .done)
    #expect(try shop.differencesAfterRestore() == [])
  }

  @Test func whatIsStoredIsWhatIsLive() throws {
    let shop = try makeShop(isSealed: false)
    // Twenty days more, on which the same forty pages change again and again.
    var random = SeededRandom(seed: 8)
    for _ in 0..<20 {
      for page in 300..<340 {
        TestFiles.overwrite(shop.source.appending("orders.db"), at: page * 4096, with: random.text(4096))
      }
      try shop.backup()
    }
    let chain = try shop.repository.catalog.allSnapshots { _ in }.reduce(0) { $0 + $1.envelope.storedBytes }
    let merged = try #require(try shop.merge().envelope)
    let full = try shop.backup(.full).envelope
    let share = Double(merged.storedBytes) / Double(full.storedBytes)
    #expect((0.97...1.03).contains(share), "\(merged.storedBytes) for \(full.storedBytes)")
    #expect(merged.storedBytes < chain * 2 / 3)
  }

  /// However many runs need it; an archive is opened with five readings.
  @Test func everyFrameIsReadOnce() throws {
    let shop = try makeShop(isSealed: false)
    let probe = FaultProbe(of: [.read])
    let plan = try #require(try shop.merge(in: shop.repository(probe: probe)).plan)
    let readings = probe.log.count { $0.path.description.contains("/archive-") }
    #expect(plan.frames == 19)
    #expect((19...19 + 4 * 5).contains(readings))
  }

  /// Files that share pages, as copies of large files do, share them in the merged full too.
  @Test func sharedPagesStayShared() throws {
    let shop = try TestShop()
    var random = SeededRandom(seed: 9)
    let bytes = random.text(600 << 10)
    TestFiles.write(bytes, to: shop.source.appending("orders.db"))
    try shop.backup()
    for name in ["a copy", "z copy"] { TestFiles.write(bytes, to: shop.source.appending(name)) }
    TestFiles.overwrite(shop.source.appending("z copy"), at: 40 << 10, with: [1, 2, 3])
    try shop.backup()
    let plan = try #require(try shop.merge().plan)
    #expect(plan.pages == 151 && plan.pageBytes == 151 * 4096)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify().exitStatus == .done)
  }

  /// Pages that came day by day, and what was written beside them is dead: they lie in one run now.
  @Test func runsThatComeTogetherBecomeOne() throws {
    let shop = try TestShop()
    let database = shop.source.appending("orders.db")
    var random = SeededRandom(seed: 10)
    TestFiles.write("", to: database)
    for day in 0..<12 {
      for page in [day, 50 + day] { TestFiles.overwrite(database, at: page * 4096, with: random.text(4096)) }
      try shop.backup()
    }
    TestFiles.overwrite(database, at: 50 * 4096, with: random.text(12 * 4096))
    try shop.backup()
    let merged = try #require(try shop.merge().envelope)
    let body = try ContainerReader(
      shop.repository.store.open(Keys.body(merged.source.name, merged.sequence, merged.body.id)), kind: .body,
      repository: merged.repository, reference: merged.body, access: .unsealed)
    let reader = BodyReader(body)
    var counts: [UInt64] = []
    while let change = try reader.next() {
      guard change.path == Path("orders.db") else { continue }
      var extents = reader.extents()
      while let extent = try extents.next() { counts.append(extent.count) }
    }
    #expect(counts == [12, 38, 12])
    #expect(try shop.differencesAfterRestore() == [])
  }

  @Test func aDryRunTellsAndTouchesNothing() throws {
    let shop = try makeShop(isSealed: false)
    let before = TestFiles.allFiles(in: shop.directory.path)
    let dry = try shop.merge { ($0.compression, $0.isDryRun) = (.none, true) }
    #expect(dry.envelope == nil && dry.isDryRun)
    #expect(TestFiles.allFiles(in: shop.directory.path) == before)
    let plan = try #require(dry.plan)
    let done = try shop.merge { $0.compression = .none }
    #expect(done.plan?.readBytes == plan.readBytes && done.plan?.carriedBytes == plan.carriedBytes)
    let standard = try #require(try shop.merge(done.chain.tip.id.description).envelope)
    let archives = Double(standard.archives.reduce(0) { $0 + $1.length })
    #expect((0.95...1.05).contains(Double(plan.expectedBytes) / archives))
  }

  /// By day the year has a quarter of its days.
  @Test func aYearOfDaysIsMergedAndRestored() throws {
    let days = Trials.areAll ? 365 : 91
    let shop = try TestShop(clock: TestHost.clock(ahead: 10))
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    let database = shop.source.appending("orders.db")
    TestFiles.write(random.text(100 * 4096), to: database)
    try shop.backup()
    for day in 1...days {
      for _ in 0..<3 {
        TestFiles.overwrite(database, at: Int(random.next() % 100) * 4096 + 17, with: random.bytes(100))
      }
      TestFiles.overwrite(database, at: (99 + day) * 4096, with: random.text(4096))
      TestFiles.write("invoice \(day)", to: shop.source.appending("invoice \(day % 30)"))
      try shop.backup()
    }
    let tree = TreeDescription(of: shop.source)
    let report = try shop.merge { $0.listBytes = 4096 }
    #expect(report.chain.snapshots.count == days + 1)
    #expect(report.plan?.pages == UInt64(100 + days + 30), "seed \(seed)")
    let merged = try #require(report.envelope)
    try shop.restore(merged.snapshot.description, to: "restored")
    #expect(TreeDescription(of: shop.directory.appending("restored")).differences(from: tree) == [], "seed \(seed)")
    let full = try shop.backup(.full).envelope
    #expect(Double(merged.storedBytes) < 1.1 * Double(full.storedBytes), "seed \(seed)")
  }
}
