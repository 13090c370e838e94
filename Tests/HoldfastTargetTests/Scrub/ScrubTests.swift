import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What a scrub does where the damage is not at one target alone, and where it may not repair.
@Suite(.timeLimit(.minutes(30))) struct ScrubTests {
  private func flip(_ shop: ScrubShop, _ target: Int, _ key: String, at offset: Int) {
    shop.stores[target].contents[key]?[offset] ^= 1
  }

  @Test func damageInDifferentFramesOfAllThreeTargetsIsPutTogether() throws {
    let shop = try ScrubShop(isSealed: true)
    let key = try shop.archive(of: 1)
    let length = try #require(shop.whole[key]?.count)
    for target in 0..<3 { flip(shop, target, key, at: length * (2 * target + 1) / 6) }
    let found = try shop.scrub()
    #expect(ScrubShop.texts(found) == ScrubShop.names.map { "\($0): \(key): repairable" })
    #expect(found.allSatisfy { $0.exitStatus == .repairableDamage })
    let repaired = try shop.scrub(repairs: true)
    #expect(ScrubShop.texts(repaired) == ScrubShop.names.map { "\($0): \(key): repaired" })
    shop.expectHealed("put together")
  }

  @Test func whatNoTargetHasSoundIsNamedWithWhatItCosts() throws {
    let shop = try ScrubShop()
    let key = try shop.archive(of: 2)
    for target in 0..<3 { flip(shop, target, key, at: 70) }
    let before = shop.stores.map(\.contents[key])
    let results = try shop.scrub(repairs: true)
    #expect(ScrubShop.texts(results) == ScrubShop.names.map { "\($0): \(key): lost" })
    #expect(results.allSatisfy { $0.exitStatus == .dataLoss })
    let finding = try #require(results[0].allFindings.first)
    #expect(finding.snapshots.map(\.sequence) == [2], "the differential builds on the full")
    #expect(results[0].sources.first?.newestWhole?.sequence == 3)
    #expect(shop.stores.map(\.contents[key]) == before, "what is damaged stays: some of it may be needed")
  }

  @Test func whatATargetThatIsAwayMayHaveIsNotLost() throws {
    let shop = try ScrubShop()
    let key = try shop.archive(of: 1)
    for target in 0..<2 { flip(shop, target, key, at: 70) }
    let away = UnansweringStore(shop.stores[2])
    away.fail(at: 1, .fromThenOn)
    let results = try shop.scrub(repairs: true, ["barn": away])
    #expect(
      ScrubShop.texts(results) == [
        "here: \(key): doubtful", "cloud: \(key): doubtful", "barn: memory does not answer: it timed out",
      ])
    #expect(results.map(\.exitStatus) == [.dataLoss, .dataLoss, .incomplete])
    #expect(try shop.scrub(repairs: true).allSatisfy { $0.exitStatus == .done })
    shop.expectHealed("it is back")
  }

  // MARK: Listings that lie

  @Test func aListingThatHidesAnObjectMakesItNoDamage() throws {
    let shop = try ScrubShop { ($0.isNear, $0.connections) = (false, 2) }
    shop.stores[1].hideFromListings(try shop.archive(of: 1))
    #expect(ScrubShop.texts(try shop.scrub(repairs: true)) == [])
  }

  @Test func anObjectThatIsListedAndNotThereIsFound() throws {
    let shop = try ScrubShop()
    let key = try shop.archive(of: 1)
    shop.stores[1].contents[key] = nil
    let lying = StaleListing(shop.stores[1], as: shop.stores[0])
    #expect(ScrubShop.texts(try shop.scrub(["cloud": lying])) == ["cloud: \(key): repairable"])
    #expect(ScrubShop.texts(try shop.scrub(repairs: true, ["cloud": lying])) == ["cloud: \(key): repaired"])
    shop.expectHealed("listed and not there")
  }

  // MARK: Where nothing may be removed

  @Test func aTargetToWhichThisHostOnlyAddsIsSaid() throws {
    let shop = try ScrubShop()
    let (damaged, missing) = (try shop.archive(of: 1), try shop.archive(of: 2))
    flip(shop, 1, damaged, at: 70)
    shop.stores[1].contents[missing] = nil
    let results = try shop.scrub(repairs: true, ["cloud": KeepingStore(shop.stores[1])])
    #expect(
      Set(ScrubShop.texts(results)) == [
        "cloud: \(missing): repaired",
        "cloud: \(damaged): unrepaired(reason: \"\(damaged) may not be removed from memory\")",
      ])
    #expect(shop.stores[1].contents[damaged] != nil && results[1].exitStatus == .repairableDamage)
  }

  @Test func anotherRunAtTheTargetIsNotDisturbed() throws {
    let shop = try ScrubShop()
    let key = try shop.archive(of: 1)
    flip(shop, 2, key, at: 70)
    let name = try shop.shop.number(1).sourceName
    let lease = try Lease.take(name.text, in: shop.stores[2], host: shop.shop.host, waits: false)
    let results = try shop.scrub(repairs: true)
    #expect(
      ScrubShop.texts(results) == [
        "barn: \(key): repairable", "barn: another run works on source in memory",
      ])
    #expect(results[2].exitStatus == .locked)
    withExtendedLifetime(lease) {}
  }

  // MARK: Shares

  @Test func sharesThatFollowEachOtherFindEverything() throws {
    let shop = try ScrubShop(isSealed: true)
    let keys = shop.keys.filter { Keys.isArchive($0) || Keys.isBody($0) }
    for key in keys { flip(shop, 1, key, at: (shop.whole[key]?.count ?? 0) / 2) }
    var found: Set<String> = []
    var proved: UInt64 = 0
    for part in 0..<10 {
      let results = try shop.scrub {
        ($0.share, $0.begin, $0.chosen) = (0.1, Double(part) / 10, ["here", "cloud"])
      }
      #expect(results.map(\.target) == ["here", "cloud"])
      found.formUnion(results[1].allFindings.map(\.object))
      proved += results[0].sources.reduce(0) { $0 + $1.provenBytes }
    }
    #expect(found == Set(keys))
    let all = try shop.scrub { $0.chosen = ["here"] }
    #expect(proved == all[0].sources.reduce(0) { $0 + $1.provenBytes }, "each byte has its turn once")
  }

  // MARK: Notes

  /// A scrub cannot judge damage in what stored bytes contain, so only a verify clears the note.
  @Test func theNoteOfDamageStaysUntilAVerify() throws {
    let shop = try ScrubShop()
    let key = try shop.archive(of: 2)
    flip(shop, 0, key, at: 70)
    let report = try shop.shop.verify()
    try shop.shop.repository.notes.notePassed(report, share: 1)
    let name = try shop.shop.number(2).sourceName
    #expect(try shop.shop.repository.notes.standingDamage(of: name).map(\.sequence) == [2])
    #expect(
      ScrubShop.texts(try shop.scrub(repairs: true, notes: true)).filter { !$0.hasSuffix("behind") } == [
        "here: \(key): repaired"
      ])
    #expect(try shop.shop.repository.notes.standingDamage(of: name).map(\.sequence) == [2])
    let second = try shop.shop.verify()
    #expect(second.exitStatus == .done)
    try shop.shop.repository.notes.notePassed(second, share: 1)
    #expect(try shop.shop.repository.notes.standingDamage(of: name).isEmpty)
  }

  @Test func damageThatStandsAtHomeIsNoted() throws {
    let shop = try ScrubShop()
    flip(shop, 0, try shop.archive(of: 2), at: 70)
    try shop.scrub(notes: true)
    let name = try shop.shop.number(2).sourceName
    #expect(try shop.shop.repository.notes.standingDamage(of: name).map(\.sequence) == [2])
  }

  @Test func aTargetThatLagsIsBehindAndBroughtUp() throws {
    let shop = try ScrubShop()
    try shop.shop.backup(.incremental, in: shop.shop.open())
    let results = try shop.scrub()
    #expect(ScrubShop.texts(results) == ["cloud: behind", "barn: behind"])
    #expect(results.map(\.exitStatus) == [.done, .incomplete, .incomplete])
    #expect(try shop.scrub(repairs: true).allSatisfy { $0.exitStatus == .done })
    #expect(TargetShop.lasting(shop.stores[0]) == TargetShop.lasting(shop.stores[2]))
  }

  /// A sync takes an object of the right length for the one that it would copy.
  @Test func whatIsThereBeforeItsManifestIsProvedToo() throws {
    let shop = try ScrubShop(isSealed: true)
    let key = try shop.archive(of: 3)
    shop.stores[2].contents[Keys.manifest(try shop.shop.number(3).sourceName, 3)] = nil
    flip(shop, 2, key, at: 70)
    #expect(ScrubShop.texts(try shop.scrub()) == ["barn: \(key): repairable", "barn: behind"])
    #expect(ScrubShop.texts(try shop.scrub(repairs: true)) == ["barn: \(key): repaired"])
    shop.expectHealed("begun")
  }

  @Test func whatWasCollectedDoesNotComeBack() throws {
    let shop = try ScrubShop()
    try shop.shop.backup(.full, in: shop.shop.open())
    try shop.shop.prune(graceDays: 0) { $0.tellsCollected = .days(30) }
    let results = try shop.scrub(repairs: true)
    #expect(results.allSatisfy { $0.exitStatus == .done }, "\(ScrubShop.texts(results))")
    #expect(try shop.shop.open().catalog.sequences(of: shop.shop.snapshot().sourceName) == [4])
  }

  @Test func objectsThatNoManifestKnowsAreCounted() throws {
    let shop = try ScrubShop()
    let stray = "sources/source/0000000002/archive-" + String(repeating: "ab", count: 16)
    shop.stores[2].contents[stray] = [1, 2, 3]
    let results = try shop.scrub(repairs: true)
    #expect(results[2].sources.first?.unknown == [stray] && results[2].exitStatus == .done)
    #expect(shop.stores[2].contents[stray] == [1, 2, 3], "nobody knows what it is")
  }
}

/// A store that lists what another one has.
private final class StaleListing: StoreLayer {
  let base: any Store
  private let listed: any Store

  init(_ base: any Store, as listed: any Store) { (self.base, self.listed) = (base, listed) }

  func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    let isLease = prefix.hasPrefix(LeaseNumbers.prefix)
    return try (isLease ? base : listed).list(prefix, depth, after: name, max: max)
  }

  func find(_ keys: [String]) throws -> [ListingEntry.Kind?] { try listed.find(keys) }
}

/// A store from which this host may not remove.
private final class KeepingStore: StoreLayer {
  let base: any Store
  init(_ base: any Store) { self.base = base }

  func replacement(of key: String) throws -> (any ObjectUpload)? {
    throw StoreError.removalRefused(key: key, location: location)
  }

  func remove(_ key: String) throws {
    // Leases are taken as anywhere.
    if key.hasPrefix(LeaseNumbers.prefix) { return try base.remove(key) }
    throw StoreError.removalRefused(key: key, location: location)
  }
}
