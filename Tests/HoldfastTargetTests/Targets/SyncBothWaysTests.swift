import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Where a list of targets gives each target numbers of its own, what was taken at any of them reaches all of them.
@Suite struct SyncBothWaysTests {
  private func taken(_ shop: ListedShop, _ text: String, at name: String) throws -> UInt64 {
    TestFiles.write(text, to: shop.shop.source.appending(text))
    return try shop.backup(at: name)
  }

  @Test(arguments: [false, true]) func whatWasTakenWhileHomeWasAwayComesHome(isSealed: Bool) throws {
    let shop = try ListedShop(isSealed: isSealed)
    #expect(try taken(shop, "one", at: "home") == 1)
    #expect(try shop.sync("cloud").isInStep)
    // The way between them breaks, and both go on.
    #expect(try taken(shop, "two", at: "cloud") == 1001)
    #expect(try taken(shop, "two at home", at: "home") == 2)
    #expect(try taken(shop, "three", at: "cloud") == 2001)
    let result = try shop.sync("cloud")
    #expect(result.isInStep, "\(result.cause ?? "")")
    #expect(result.sources.map { $0.brought.map(\.sequence) } == [[1001, 2001]])
    #expect(result.sources.map { $0.copied.map(\.sequence) } == [[2]])
    #expect(try shop.sync("barn").isInStep)
    for name in ListedShop.names { #expect(try shop.expectSound(name) == [1, 2, 1001, 2001]) }
    // Home goes on above what came, and leaves out the numbers of the others.
    #expect(try taken(shop, "four", at: "home") == 2016)
    #expect(try taken(shop, "five", at: "barn") == 2002)
    #expect(try shop.sync("barn").isInStep)
    #expect(try shop.expectSound("home") == [1, 2, 1001, 2001, 2002, 2016])
  }

  @Test func aSyncBetweenOtherTargetsNeedsNoHome() throws {
    let shop = try ListedShop()
    #expect(try taken(shop, "one", at: "home") == 1)
    #expect(try shop.sync("cloud").isInStep)
    #expect(try taken(shop, "two", at: "cloud") == 1001)
    #expect(try shop.sync("barn", from: "cloud").isInStep)
    #expect(try shop.expectSound("barn") == [1, 1001])
    #expect(try shop.sync("barn").sources.map { $0.brought.map(\.sequence) } == [[1001]])
  }

  @Test func notesThatWereWrittenElsewhereComeHome() throws {
    let shop = try ListedShop(isSealed: true)
    #expect(try taken(shop, "one", at: "home") == 1)
    #expect(try shop.sync("cloud").isInStep)
    let cloud = try shop.open("cloud")
    let snapshot = try shop.shop.snapshot(in: cloud)
    try cloud.notes.pin(snapshot, reason: "away")
    #expect(try cloud.notes.revisions(of: snapshot.sourceName) == [1001])
    #expect(try shop.sync("cloud").isInStep)
    let home = try shop.open("home")
    #expect(try home.notes.read(snapshot.sourceName).notes[snapshot].pinned?.reason == "away")
    _ = try home.notes.tag(snapshot, add: [try #require(Tag("home"))], remove: [])
    #expect(try home.notes.revisions(of: snapshot.sourceName) == [1001, 1016])
    #expect(try shop.sync("cloud").isInStep)
    for name in ["home", "cloud"] { try shop.expectSound(name) }
  }

  /// An old home that goes on unaware writes lower numbers than the new one.
  @Test func notesThatDoNotCountAreNamed() throws {
    let shop = try ListedShop()
    #expect(try taken(shop, "one", at: "home") == 1)
    for name in ["cloud", "barn"] { #expect(try shop.sync(name).isInStep) }
    let snapshot = try shop.shop.snapshot(in: shop.open("cloud"))
    let source = snapshot.sourceName
    _ = try shop.open("cloud").notes.tag(snapshot, add: [try #require(Tag("new"))], remove: [])
    _ = try shop.open("barn").notes.tag(snapshot, add: [try #require(Tag("newest"))], remove: [])
    _ = try shop.open("home").notes.tag(snapshot, add: [try #require(Tag("apart"))], remove: [])
    // `cloud` is home now. It has 1001 and 1003, and home has 1.
    _ = try shop.open("cloud").notes.tag(snapshot, add: [try #require(Tag("newer"))], remove: [])
    _ = try shop.open("home").notes.tag(snapshot, add: [try #require(Tag("later"))], remove: [])
    let result = try shop.sync("home", from: "cloud")
    #expect(result.isInStep, "\(result.cause ?? "")")
    #expect(try shop.open("home").notes.read(source).notes.revision == 2001)
    #expect(try shop.sync("barn", from: "cloud").sources.map { $0.plan?.diverged ?? [] } == [[1002]])
  }

  /// Twice as many as are kept, with gaps between them: as many are kept as of numbers without gaps.
  @Test func eightRevisionsOfTheNotesAreKept() throws {
    let shop = try ListedShop()
    #expect(try taken(shop, "one", at: "home") == 1)
    #expect(try shop.sync("cloud").isInStep)
    let cloud = try shop.open("cloud")
    let snapshot = try shop.shop.snapshot(in: cloud)
    for number in 1...12 { _ = try cloud.notes.tag(snapshot, add: [try #require(Tag("t\(number)"))], remove: []) }
    #expect(
      try cloud.notes.revisions(of: snapshot.sourceName) == (5...12).map { UInt64($0) * 1000 + 1 })
    #expect(try shop.sync("cloud").isInStep)
    #expect(try shop.open("home").notes.revisions(of: snapshot.sourceName).count == 8)
  }

  @Test func whatWasCollectedDoesNotComeBack() throws {
    let shop = try ListedShop()
    #expect(try taken(shop, "one", at: "home") == 1)
    #expect(try shop.sync("cloud").isInStep)
    for text in ["two", "three"] {
      TestFiles.write(text, to: shop.shop.source.appending(text))
      _ = try shop.backup(.full, at: "cloud")
    }
    for name in ["cloud", "barn"] { #expect(try shop.sync(name).isInStep) }
    try shop.shop.prune(graceDays: 0, in: shop.open("home")) { $0.tellsCollected = .days(30) }
    for name in ["cloud", "barn", "cloud"] {
      let result = try shop.sync(name)
      #expect(result.isInStep && result.sources.allSatisfy(\.brought.isEmpty))
    }
    for name in ListedShop.names { #expect(try shop.expectSound(name) == [2001]) }
  }

  /// What home has lost of its own numbers is named, and stays where it is.
  @Test func whatHomeHasLostDoesNotComeBackByItself() throws {
    let shop = try ListedShop()
    #expect(try taken(shop, "one", at: "home") == 1)
    #expect(try shop.sync("cloud").isInStep)
    let snapshot = try shop.shop.snapshot(in: shop.open("cloud"))
    try shop.store("home").contents[Keys.manifest(snapshot.sourceName, 1)] = nil
    let result = try shop.sync("cloud")
    #expect(result.sources.map { $0.onlyThere.map(\.sequence) } == [[1]])
  }
}

/// Whatever three targets do apart from each other, and wherever syncs stop: no number is given twice, and in the end
/// every snapshot that nobody collected is in all of them, sound.
@Suite struct SyncBothWaysPropertyTests {
  @Test(arguments: Trials.seeds(byDay: 4, atNight: 100))
  func everySnapshotReachesEveryTarget(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let clock = TestClock("2026-03-01T12:00:00Z")
    let shop = try ListedShop(isSealed: random.next() & 1 == 0, clock: clock.clock)
    var mutator = SourceMutator(seed: seed, root: shop.shop.source)
    mutator.fill()
    var given: Set<UInt64> = [try shop.backup(at: "home")]
    let source = try shop.shop.snapshot(in: shop.open("home")).sourceName
    var collected: Set<UInt64> = []
    for _ in 0..<14 {
      clock.advance(days: 1)
      let name = ListedShop.names[Int(random.next() % 3)]
      switch random.next() % 8 {
      case 0...3:
        mutator.change()
        let kinds: [SnapshotKind?] = [.full, .differential, nil, nil]
        let number = try shop.backup(kinds[Int(random.next() % 4)], at: name)
        #expect(given.insert(number).inserted, "seed \(seed): \(number) was given twice")
      case 4:
        try shop.shop.prune(last: 2, graceDays: 0, in: shop.open("home")) { $0.tellsCollected = .days(30) }
        collected.formUnion(
          try shop.open("home").notes.read(source).notes.notes.filter {
            $0.removed?.isCollected == true
          }.map(\.sequence))
      default:
        let from = random.next() % 4 == 0 ? name : "home"
        let to = try #require(ListedShop.names.filter { $0 != from }.randomElement(using: &random))
        let failing = UnansweringStore(try shop.store(to))
        if random.next() % 3 > 0 {
          failing.fail(
            at: Int(random.next() % 80) + 1, UnansweringStore.Failure.allCases[Int(random.next() % 3)])
        }
        _ = try shop.sync(to, from: from, failing)
      }
    }
    for name in ["cloud", "barn", "cloud"] {
      let result = try shop.sync(name)
      #expect(result.isInStep, "seed \(seed), \(name): \(result.cause ?? "")")
    }
    for name in ListedShop.names {
      let there = Set(try shop.expectSound(name))
      #expect(given.subtracting(collected).isSubset(of: there), "seed \(seed), \(name): \(there) of \(given)")
    }
  }
}
