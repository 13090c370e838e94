import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What scrubs have found is remembered, and makes a copy proved or damaged.
@Suite struct ScrubEvidenceTests {
  private let window = TimeSpan.days(30)
  private let now = Timestamp(seconds: 1_790_000_000, nanoseconds: 0)

  private func time(daysAgo: Double) -> Timestamp {
    var time = now
    time.seconds -= Int64(daysAgo * 86400)
    return time
  }

  /// - Parameter mark: the mark of the place; that which it has, if nothing is said.
  private func memory(
    _ shop: ScrubShop, at target: String = "cloud", in location: String = "cloud", mark: Identifier?? = nil
  ) throws -> SourceMemory {
    let index = try #require(ScrubShop.names.firstIndex(of: target))
    let place = PlaceIdentity(location, try mark ?? PlaceMark.read(in: shop.stores[index]))
    return try shop.shop.open().machine.scrubs(of: shop.shop.number(1).sourceName, at: target, in: place)
  }

  private func remember(
    _ shop: ScrubShop, _ results: [ScrubResult], first: Int = 0, count: Int = VerifyRound.parts, daysAgo: Double = 0
  ) throws {
    try shop.shop.open().machine.remember(results, first: first, count: count, at: time(daysAgo: daysAgo))
  }

  /// - Parameter chain: the ages of the snapshots in days, the newest first.
  private func evidence(_ memory: SourceMemory, chain: [Double]) -> HeldCopy.Evidence {
    HeldCopy.Evidence(
      memory, chain: chain.map { SourceStatus.ChainLink(madeAt: time(daysAgo: $0), provedShare: 0) },
      since: time(daysAgo: 30), within: window)
  }

  // MARK: Damage

  @Test func damageTakesTheProofsUntilAScrubOfEverythingIsSound() throws {
    let shop = try ScrubShop()
    try remember(shop, shop.scrub())
    #expect(evidence(try memory(shop), chain: [1]) == .proved(within: window, unread: 0))
    let key = try shop.archive(of: 1)
    shop.stores[1].contents[key]?[70] ^= 1
    try remember(shop, shop.scrub())
    #expect(evidence(try memory(shop), chain: [1]) == .damaged)
    #expect(try memory(shop).proofs == [])
    #expect(evidence(try memory(shop, at: "barn", in: "barn"), chain: [1]) == .proved(within: window))
    // A share that is sound shows nothing of the others.
    let repaired = try shop.scrub(repairs: true)
    try remember(shop, repaired, count: VerifyRound.parts / 2)
    #expect(evidence(try memory(shop), chain: [1]) == .damaged)
    try remember(shop, repaired)
    #expect(evidence(try memory(shop), chain: [1]) == .proved(within: window))
  }

  @Test func damageAtHomeIsRememberedToo() throws {
    let shop = try ScrubShop()
    let key = try shop.archive(of: 1)
    shop.stores[0].contents[key]?[70] ^= 1
    try remember(shop, shop.scrub())
    #expect(try memory(shop, at: "here", in: "here").isDamaged)
    #expect(try !memory(shop).isDamaged)
  }

  @Test func aDamagedKeyringIsDamageToEverySource() throws {
    let shop = try ScrubShop(isSealed: true)
    #expect(shop.whole[Keys.keyring(1)] != nil)
    shop.stores[1].contents[Keys.keyring(1)] = [1]
    try remember(shop, shop.scrub())
    #expect(try memory(shop).isDamaged)
  }

  // MARK: Proofs

  @Test func aSyncAfterTheProofIsNoProof() throws {
    let shop = try ScrubShop()
    try shop.shop.backup(.incremental, in: shop.shop.open())
    let results = try shop.scrub(repairs: true)
    let areSound = results.allSatisfy(\.isSound)
    #expect(areSound)
    try remember(shop, results)
    #expect(try memory(shop).proofs == [])
    #expect(try memory(shop, at: "here", in: "here").proofs.count == 1)
  }

  @Test func anotherPlaceHasNoProofs() throws {
    let shop = try ScrubShop()
    let results = try shop.scrub()
    try remember(shop, results)
    #expect(try memory(shop).proofs.count == 1)
    #expect(try memory(shop, in: "new disk").proofs == [])
    try shop.shop.open().machine.forgetScrubs(at: "cloud")
    #expect(try memory(shop).proofs == [], "it was made anew")
  }

  /// A disk was replaced, and made anew on another machine, at the same location.
  @Test func whatWasProvedAtAPlaceThatWasMadeAnewDoesNotCount() throws {
    let shop = try ScrubShop()
    let cloud = shop.stores[1]
    cloud.contents[Keys.place] = nil
    try remember(shop, shop.scrub())
    #expect(try memory(shop).proofs.count == 1, "it has no mark")
    // A scrub that repairs marks it, and what was proved before still counts.
    try remember(shop, shop.scrub(repairs: true), count: 1)
    let mark = try #require(try PlaceMark.read(in: cloud))
    #expect(try memory(shop, mark: mark).proofs.count == 2)
    cloud.contents[Keys.place] = nil
    try PlaceMark.make(in: cloud, shop.shop.host.random)
    let other = try #require(try PlaceMark.read(in: cloud))
    #expect(other != mark)
    #expect(try memory(shop, mark: other).proofs == [])
    try remember(shop, shop.scrub(), count: 1)
    #expect(try memory(shop, mark: other).proofs.count == 1)
  }

  @Test func aMarkThatIsNoneIsAsIfThereWereNone() throws {
    let store = MemoryStore()
    for bytes in ["", "x\n", String(repeating: "0", count: 40)] {
      store.contents[Keys.place] = Array(bytes.utf8)
      #expect(try PlaceMark.read(in: store) == nil, "\(bytes)")
      #expect(try PlaceMark.make(in: store, TestHost.make().random) == nil)
    }
  }

  /// Snapshots that nobody has read are counted, and a chain that nobody has read is not proved.
  @Test func aSnapshotIsReadOnlyByALaterScrub() throws {
    let shop = try ScrubShop()
    try remember(shop, shop.scrub(), daysAgo: 20)
    let memory = try memory(shop)
    #expect(evidence(memory, chain: [21]) == .proved(within: window, unread: 0))
    #expect(evidence(memory, chain: [18, 19, 21]) == .proved(within: window, unread: 2))
    #expect(evidence(memory, chain: [18, 19]) == .listed(provedShare: 0))
    #expect(evidence(memory, chain: []) == .listed(provedShare: 0), "a snapshot of the chain is missing")
  }

  @Test func sharesEveryDayProveAllButTheNewest() throws {
    let shop = try ScrubShop()
    let results = try shop.scrub()
    let count = VerifyRound.parts / 16
    for part in 0..<16 { try remember(shop, results, first: part * count, count: count, daysAgo: Double(16 - part)) }
    let memory = try memory(shop)
    #expect(evidence(memory, chain: [2, 9, 17]) == .proved(within: window, unread: 2))
    #expect(evidence(memory, chain: [0.5]) == .listed(provedShare: 0))
  }

  // MARK: Rounds

  @Test func eachRoundGoesOnByItself() throws {
    let shop = try ScrubShop()
    let machine = try shop.shop.open().machine
    #expect(machine.nextPart(of: []) == 0)
    try machine.remember(nextPart: VerifyRound.parts + 5, of: [])
    try machine.remember(nextPart: 7, of: ["barn", "cloud"])
    #expect(machine.nextPart(of: []) == 5)
    #expect(machine.nextPart(of: ["cloud", "barn"]) == 7)
    #expect(machine.nextPart(of: ["barn"]) == 0)
  }
}
