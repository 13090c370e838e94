import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Whatever home does, and wherever syncs stop: in the end every snapshot that is kept restores from each target alone.
@Suite struct SyncPropertyTests {
  @Test(arguments: Trials.seeds(byDay: 3, atNight: 60))
  func everySnapshotThatIsKeptRestoresFromEachTarget(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let clock = TestClock("2026-03-01T12:00:00Z")
    let shop = try TargetShop(isSealed: random.next() & 1 == 0, clock: clock.clock)
    let second = MemoryStore()
    #expect(try TargetSync.make(second, of: shop.shop.open()) { _ in })
    var mutator = SourceMutator(seed: seed, root: shop.shop.source)
    mutator.fill()
    for step in 0..<14 {
      switch random.next() % 8 {
      case 0...2:
        mutator.change()
        let kinds: [SnapshotKind?] = [.full, .differential, .incremental, nil]
        let kind = step == 0 ? .full : kinds[Int(random.next() % 4)]
        try write(shop, second, &random) { try shop.shop.backup(kind, in: $0) }
        clock.advance(days: 1)
      case 3:
        if try !shop.shop.open().catalog.sourceNames().isEmpty {
          let days = Double(random.next() % 2)
          try shop.shop.prune(last: Int(random.next() % 3) + 1, graceDays: days) { $0.tellsCollected = .days(30) }
        }
      case 4:
        if try !shop.shop.open().catalog.sourceNames().isEmpty {
          try write(shop, second, &random) { try shop.shop.merge(in: $0) }
        }
      default:
        let failing = UnansweringStore(random.next() & 1 == 0 ? shop.target : second)
        if random.next() % 3 > 0 {
          let failures = UnansweringStore.Failure.allCases
          failing.fail(at: Int(random.next() % 80) + 1, failures[Int(random.next() % 3)])
        }
        _ = try shop.sync(failing)
      }
    }
    for (name, store) in [("first", shop.target), ("second", second)] {
      let result = try shop.sync(store)
      #expect(result.isInStep, "seed \(seed), \(name): \(result.cause ?? "")")
      #expect(
        TargetShop.lasting(store) == TargetShop.lasting(shop.home), "seed \(seed), \(name): has what home has")
      let target = try shop.atTarget(store)
      let report = try shop.shop.verify(in: target)
      #expect(report.exitStatus == .done, "seed \(seed), \(name)")
      for snapshot in try shop.shop.open().catalog.allSnapshots({ Issue.record("seed \(seed): \($0)") }) {
        let restored = "\(name) \(snapshot.sequence)"
        try shop.shop.restore(snapshot.id.description, to: restored, in: target)
        TestFiles.removeTree(shop.shop.directory.appending(restored))
      }
    }
  }
}

extension SyncPropertyTests {
  /// Adds a snapshot at home alone, or in one pass to both targets, of which one may fail.
  private func write<Report>(
    _ shop: TargetShop, _ second: MemoryStore, _ random: inout SeededRandom, _ work: (Repository) throws -> Report
  ) throws {
    let home = try shop.shop.open()
    guard random.next() % 4 > 0 else {
      _ = try work(home)
      return
    }
    let failing = [UnansweringStore(shop.target), UnansweringStore(second)]
    for store in failing where random.next() % 2 == 0 {
      store.fail(at: Int(random.next() % 60) + 1, UnansweringStore.Failure.allCases[Int(random.next() % 3)])
    }
    let pass = TargetPass(
      from: home, named: "home", to: zip(["first", "second"], failing).map { Target(name: $0, store: $1) },
      TargetPolicy())
    do {
      _ = try work(pass.repository)
    } catch {
      pass.abandon()
      throw error
    }
    _ = try pass.finish(SourceName(from: Path("source")))
  }
}

extension Catalog {
  fileprivate func allSnapshots(_ onDamage: (DamageError) -> Void) throws -> [Snapshot] {
    try allSnapshots(onDamage: onDamage)
  }
}
