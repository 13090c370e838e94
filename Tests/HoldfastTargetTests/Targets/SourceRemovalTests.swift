import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A source that is removed at home goes at every target, whenever that is reached; what only another target has stays.
@Suite struct SourceRemovalTests {
  private static let name = SourceName(from: Path("source"))

  private func remove(_ shop: ListedShop, graceDays: Double = 0, targets: [TargetRetention] = []) throws {
    let report = try shop.shop.prune(graceDays: graceDays, in: shop.open("home")) {
      $0.rules.policy = .removingSource
      $0.targets = targets
    }
    #expect(report.exitStatus == .done, "\(report.sources.compactMap(\.refusal))")
  }

  private func keys(_ shop: ListedShop, _ name: String) throws -> [String] {
    try shop.store(name).contents.keys.filter { Keys.isOfSnapshot($0) }.sorted()
  }

  @Test(arguments: [false, true]) func itGoesAtEveryTargetAndTheLastOneOfAll(isSealed: Bool) throws {
    let shop = try ListedShop(isSealed: isSealed)
    for text in ["one", "two"] {
      TestFiles.write(text, to: shop.shop.source.appending(text))
      try shop.backup(at: "home")
    }
    for name in ["cloud", "barn"] { #expect(try shop.sync(name).isInStep) }
    try remove(shop, graceDays: 7)
    #expect(try shop.sync("cloud").isInStep)
    #expect(try !keys(shop, "cloud").isEmpty)
    // The removal reaches it before its objects go, so no run begins the source anew there either.
    #expect(try shop.open("cloud").catalog.removal(of: Self.name)?.isCollected == false)
    #expect(throws: EngineError.self) { try shop.backup(at: "cloud") }
    try remove(shop)
    #expect(try keys(shop, "home").isEmpty)
    for _ in 0..<3 {
      for name in ["cloud", "barn"] {
        #expect(try shop.sync(name).isInStep)
        #expect(try keys(shop, name).isEmpty, "\(name)")
        #expect(try shop.expectSound(name) == [])
      }
    }
    #expect(try shop.expectSound("home") == [])
  }

  /// What was taken there while home was away is the only copy.
  @Test func whatOnlyAnotherTargetHasComesHome() throws {
    let shop = try ListedShop()
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(.full, at: "home")
    #expect(try shop.sync("cloud").isInStep)
    TestFiles.write("two", to: shop.shop.source.appending("two"))
    let away = try shop.backup(.full, at: "cloud")
    try remove(shop)
    let result = try shop.sync("cloud")
    #expect(result.isInStep)
    // Whoever removed it is told that it is there again, and only once.
    #expect(
      result.sources.flatMap { $0.warnings(at: "cloud") } == [
        "the source source was removed, and comes back: cloud has snapshots of it that home did not know when it was removed; if they may go, run `holdfast source remove source` again"
      ])
    #expect(try shop.sync("cloud").sources.allSatisfy { !$0.isBack })
    #expect(try shop.expectSound("home") == [away])
    #expect(try shop.open("home").catalog.removal(of: Self.name) == nil)
  }

  /// A dry run says that it comes back only where the sync would.
  @Test(arguments: [false, true]) func aDryRunForetellsThat(isNew: Bool) throws {
    let shop = try ListedShop()
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(.full, at: "home")
    #expect(try shop.sync("cloud").isInStep)
    if isNew { try shop.backup(.full, at: "cloud") }
    try remove(shop, graceDays: 7)
    if !isNew {
      // Home has lost it meanwhile: it is brought home, and is still removed.
      for key in try keys(shop, "home") { try shop.store("home").contents[key] = nil }
    }
    let foretold = try shop.sync("cloud", isDryRun: true).sources.map(\.isBack)
    #expect(foretold == [isNew])
    #expect(try shop.sync("cloud").sources.map(\.isBack) == foretold)
  }

  /// A target that keeps more than home keeps nothing of a source that is removed.
  @Test func aRetentionOfItsOwnKeepsNothingOfIt() throws {
    let shop = try ListedShop()
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(.full, at: "home")
    #expect(try shop.sync("cloud").isInStep)
    var keeps = RetentionPolicy()
    keeps.last = 9
    let store = try shop.store("cloud")
    try remove(shop, targets: [TargetRetention("cloud", policy: keeps, .success(store))])
    #expect(try shop.sync("cloud").isInStep)
    #expect(try keys(shop, "cloud").isEmpty)
  }
}
