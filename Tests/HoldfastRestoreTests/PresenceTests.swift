import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Whether a chain is there is told by listings, not by an open for each of its objects: far away each request takes as
/// long as a page of a listing.
@Suite(.timeLimit(.minutes(30))) struct PresenceTests {
  /// A shop with a full and some incrementals.
  private func shop(_ store: MemoryStore, incrementals: Int) throws -> TestShop {
    let shop = try TestShop(store: store)
    for number in 0...incrementals {
      TestFiles.write("order \(number)", to: shop.source.appending("orders"))
      try shop.backup(number == 0 ? .full : .incremental)
    }
    return shop
  }

  /// What a restore into nothing asks the store for, of the tip of a chain.
  private func restoreCounts(incrementals: Int) throws -> (listings: Int, opened: [String]) {
    let store = MemoryStore()
    let shop = try shop(store, incrementals: incrementals)
    store.forgetRequests()
    try shop.restore(to: "restored") { $0.isDryRun = true }
    return (store.counts.listings, store.opened)
  }

  @Test func aChainOfAHundredCostsAsManyListingsAsOneOfTen() throws {
    let short = try restoreCounts(incrementals: 9)
    let long = try restoreCounts(incrementals: 99)
    #expect(long.listings == short.listings)
    #expect(long.opened.filter { $0.contains("/body-") || $0.contains("/archive-") } == [])
  }

  @Test func aBackupOntoAChainOfAHundredOpensNoBodyAndNoArchive() throws {
    let store = MemoryStore()
    let shop = try shop(store, incrementals: 99)
    store.forgetRequests()
    try shop.backup(.incremental) { $0.isDryRun = true }
    #expect(store.counts.listings <= 15)
    #expect(store.opened.filter { $0.contains("/body-") || $0.contains("/archive-") } == [])
  }

  @Test func aPruneLooksAtWhatStaysWithListings() throws {
    func counts(kept: Int) throws -> (listings: Int, opened: [String]) {
      let store = MemoryStore()
      let shop = try TestShop(store: store)
      // The first is to go; what stays is one chain.
      for number in 0...kept {
        TestFiles.write("order \(number)", to: shop.source.appending("orders"))
        try shop.backup(number <= 1 ? .full : .incremental)
      }
      store.forgetRequests()
      let report = try shop.prune(last: kept, isDryRun: true)
      #expect(report.actions.count { $0.hasSuffix("keep") } == kept)
      #expect(report.actions.count == kept + 1)
      return (store.counts.listings, store.opened)
    }
    let (few, many) = try (counts(kept: 5), counts(kept: 40))
    #expect(many.listings == few.listings)
    #expect(many.opened.filter { $0.contains("/body-") || $0.contains("/archive-") } == [])
  }

  @Test(arguments: [false, true]) func whatIsNotAsRecordedIsNamed(isMissing: Bool) throws {
    let store = MemoryStore()
    let shop = try shop(store, incrementals: 3)
    let archive = try #require(shop.snapshot().envelope.archives.first)
    let key = Keys.archive(try shop.snapshot().sourceName, archive.sequence, archive.id)
    store.contents[key] = isMissing ? nil : [1, 2, 3]
    let error = #expect(throws: DamageError.self) { try shop.restore(to: "restored") }
    #expect(error?.object == key)
    #expect(error?.finding == (isMissing ? "it is missing" : "it has 3 bytes instead of \(archive.length)"))
  }

  /// What a listing does not show yet is not missing.
  @Test func aListingThatLagsIsNoDamage() throws {
    let store = MemoryStore()
    let shop = try shop(store, incrementals: 3)
    let hidden = store.contents.keys.filter { $0.contains("/archive-") || $0.contains("/body-") }
    #expect(hidden.count == 8)
    for key in hidden { store.hideFromListings(key) }
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify().exitStatus == .done)
    let progress = QuietProgress()
    try shop.backup(progress: progress)
    #expect(progress.warnings == [])
  }

  @Test func aStoreWhoseListingsTellNoLengthsIsAskedForEach() throws {
    var traits = MemoryStore.Traits()
    traits.listsLengths = false
    let store = MemoryStore(traits)
    let shop = try shop(store, incrementals: 3)
    store.forgetRequests()
    try shop.restore(to: "restored")
    #expect(store.opened.count { $0.contains("/body-") || $0.contains("/archive-") } == 8)
  }
}
