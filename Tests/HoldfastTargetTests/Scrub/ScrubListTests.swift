import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A scrub of a repository with a list of targets.
@Suite(.timeLimit(.minutes(30))) struct ScrubListTests {
  /// A run of a machine without any key.
  private func scrub(_ shop: ListedShop, repairs: Bool = false, notes: Bool = false) throws -> [ScrubResult] {
    var options = Scrub.Options()
    options.repairs = repairs
    let places = try ListedShop.names.map {
      Scrub.Place($0, at: $0, isHome: $0 == "home", .success(try shop.store($0)))
    }
    var reference = try Repository.open(
      shop.store("home"), host: shop.shop.host, credentials: shop.shop.keys?.credentials(of: .nobody) ?? .none,
      target: "home")
    reference.isHome = notes
    return try Scrub(places, reference: reference, openedAt: "home", options).run()
  }

  /// The list has two revisions at all targets.
  private func makeShop(isSealed: Bool) throws -> ListedShop {
    let shop = try ListedShop(isSealed: isSealed)
    var change = try TargetListChange(shop.open("home"), home: ListedShop.member("home"))
    var moved = ListedShop.member("barn")
    moved.location = "/yard"
    try change.add(moved)
    try change.publish()
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(at: "home")
    for name in ["cloud", "barn"] { #expect(try shop.sync(name).isInStep) }
    return shop
  }

  // MARK: The list

  @Test(arguments: [false, true]) func aDamagedListIsReplaced(isSealed: Bool) throws {
    let shop = try makeShop(isSealed: isSealed)
    #expect(ScrubShop.texts(try scrub(shop)) == [])
    for name in ListedShop.names {
      let store = try shop.store(name)
      for revision in 1...2 as ClosedRange<UInt64> {
        let key = Keys.targetList(revision)
        let whole = try #require(store.contents[key])
        for isRemoved in [false, true] where !isRemoved || revision == 1 {
          if isRemoved { store.contents[key] = nil } else { store.contents[key]?[whole.count / 2] ^= 1 }
          let found = try scrub(shop)
          #expect(ScrubShop.texts(found) == ["\(name): \(key): repairable"])
          #expect(found.map(\.exitStatus).contains(.repairableDamage))
          let repaired = try scrub(shop, repairs: true)
          #expect(ScrubShop.texts(repaired) == ["\(name): \(key): repaired"])
          #expect(repaired.allSatisfy { $0.exitStatus == .done })
          #expect(store.contents[key] == whole, "\(name): \(key)")
          store.contents[key] = whole
        }
      }
    }
  }

  @Test func aTargetWithoutTheNewestListIsBehind() throws {
    let shop = try makeShop(isSealed: false)
    let store = try shop.store("barn")
    let key = Keys.targetList(2)
    let whole = store.contents[key]
    store.contents[key] = nil
    let found = try scrub(shop)
    #expect(ScrubShop.texts(found) == [] && found.map(\.hasOldTargets) == [false, false, true])
    #expect(found.map(\.exitStatus) == [.done, .done, .incomplete])
    #expect(try scrub(shop, repairs: true).allSatisfy { $0.exitStatus == .done })
    #expect(store.contents[key] == whole)
  }

  @Test func twoListsOfOneNumberAreNamed() throws {
    let shop = try makeShop(isSealed: false)
    let store = try shop.store("barn")
    let key = Keys.targetList(2)
    store.contents[key] = nil
    var change = try TargetListChange(shop.open("barn"), home: ListedShop.member("home"))
    var moved = ListedShop.member("barn")
    moved.location = "/garden"
    try change.add(moved)
    try change.publish()
    let other = store.contents[key]
    let results = try scrub(shop, repairs: true)
    #expect(
      results[2].failure as? TargetError == .forkedTargets(revision: 2, target: "memory", home: "memory"),
      "\(ScrubShop.texts(results))")
    #expect(store.contents[key] == other)
  }

  @Test func aSyncTellsDamageFromAFork() throws {
    let shop = try makeShop(isSealed: true)
    let key = Keys.targetList(1)
    try shop.store("barn").contents[key]?[20] ^= 1
    let failure = try #require(try shop.sync("barn").failure)
    #expect(failure is DamageError && failure.message.hasPrefix("\(key) is damaged"), "\(failure)")
  }

  // MARK: Numbers of other targets

  @Test(arguments: [false, true]) func whatWasTakenWhileHomeWasAwayIsNoDamage(repairs: Bool) throws {
    let shop = try makeShop(isSealed: false)
    #expect(try shop.backup(at: "cloud") == 1001)
    let cloud = try shop.open("cloud")
    let snapshot = try shop.shop.snapshot(in: cloud)
    try cloud.notes.pin(snapshot, reason: "away")
    let results = try scrub(shop, repairs: repairs, notes: true)
    #expect(results.flatMap(\.allFindings).isEmpty, "\(ScrubShop.texts(results))")
    let home = try shop.open("home")
    #expect(try home.notes.standingDamage(of: snapshot.sourceName).isEmpty)
    guard !repairs else {
      #expect(results.allSatisfy { $0.exitStatus == .done }, "\(ScrubShop.texts(results))")
      for name in ListedShop.names { #expect(try shop.expectSound(name) == [1, 1001]) }
      #expect(try home.notes.read(snapshot.sourceName).notes[snapshot].pinned?.reason == "away")
      return
    }
    #expect(ScrubShop.texts(results) == ["home: behind"])
    #expect(results.map(\.exitStatus) == [.incomplete, .done, .done])
    #expect(results[0].sources[0].behind.snapshots == 1 && results[0].sources[0].behind.hasOldNotes)
    #expect(try shop.sync("cloud").isInStep)
    #expect(try shop.sync("barn").isInStep)
    #expect(try scrub(shop).allSatisfy { $0.exitStatus == .done })
  }
}
