import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// Data before manifest, a chain from its beginning, only what has the digests of the signed envelope: wherever a sync
/// stops, and whatever is damaged at home, the target has nothing that does not restore.
@Suite struct SyncRuleTests {
  private func makeShop(isSealed: Bool = false) throws -> TargetShop {
    let shop = try TargetShop(isSealed: isSealed)
    try shop.shop.fill([.full, .incremental, .incremental, .full])
    try shop.shop.open().notes.pin(shop.shop.number(2), reason: "")
    return shop
  }

  // MARK: Stops

  @Test(arguments: UnansweringStore.Failure.allCases)
  func itMayStopAtAnyRequestToTheTarget(failure: UnansweringStore.Failure) throws {
    let whole = try makeShop()
    let counting = UnansweringStore(whole.target)
    #expect(try whole.sync(counting).isInStep)
    for number in Trials.places(counting.count) {
      let shop = try makeShop()
      let failing = UnansweringStore(shop.target)
      failing.fail(at: number + 1, failure)
      let result = try shop.sync(failing)
      try expectSoundAndEnd(shop, result, "\(failure) at \(number + 1)")
    }
  }

  @Test func itMayStopAtAnyRequestToHome() throws {
    let whole = try makeShop()
    let counting = UnansweringStore(whole.home)
    #expect(try whole.sync(from: counting).isInStep)
    for number in Trials.places(counting.count) {
      let shop = try makeShop()
      let failing = UnansweringStore(shop.home)
      failing.fail(at: number + 1, .fromThenOn)
      // Opening home is a part of the run.
      guard let result = try? shop.sync(from: failing) else { continue }
      try expectSoundAndEnd(shop, result, "home stops at \(number + 1)")
    }
  }

  private func expectSoundAndEnd(_ shop: TargetShop, _ result: TargetResult, _ place: String) throws {
    if !result.isInStep { #expect(result.exitStatus == .incomplete && result.cause != nil, "\(place)") }
    let there = try shop.expectSoundAtTarget(place)
    #expect(there == Array(1..<UInt64(there.count) + 1), "\(place): \(there)")
    #expect(try shop.sync().isInStep, "\(place)")
    shop.expectSame(place)
  }

  // MARK: Two at once

  @Test(arguments: ["archive-", "body-", Keys.manifestName, "notes.json"])
  func twoAtOnceMeetEachOther(part: String) throws {
    let shop = try makeShop()
    // Leases that keep nobody out, as after a holder was stopped for long.
    let hooked = HookedStore(shop.target)
    hooked.beforeNext(part) {
      let other = try shop.sync(HookedStore(shop.target))
      #expect(other.isInStep)
    }
    #expect(try shop.sync(hooked).isInStep)
    shop.expectSame()
    try shop.expectSoundAtTarget()
  }

  /// Somebody notes something at home after this sync has listed it, and another sync brings that first.
  @Test func notesThatCameMeanwhileAreNoFork() throws {
    let shop = try makeShop()
    #expect(try shop.sync().isInStep)
    let listed = ListedHook(shop.target) {
      try shop.shop.open().notes.pin(shop.shop.number(1), reason: "meanwhile")
      #expect(try shop.sync().isInStep)
    }
    let result = try shop.sync(listed)
    #expect(result.isInStep, "\(result.cause ?? "")")
    shop.expectSame()
  }

  @Test func whileAnotherRunWorksThereItIsBehind() throws {
    let shop = try makeShop()
    let name = try shop.shop.number(1).sourceName
    let lock = try shop.target.lock(name.text, wait: false, cancellation: shop.shop.host.cancellation)
    let result = try shop.sync()
    #expect(result.cause == "another run works on source in memory" && result.exitStatus == .incomplete)
    withExtendedLifetime(lock) {}
  }

  // MARK: Damage at home

  enum Damage: CaseIterable, Sendable {
    case flipped, cut, removed, exchanged
  }

  @Test(arguments: Damage.allCases, ["archive-", "body-"])
  func whatIsDamagedAtHomeIsNotCopied(damage: Damage, part: String) throws {
    let shop = try makeShop()
    let folder = Keys.snapshot(try shop.shop.number(2).sourceName, 2)
    let key = try #require(shop.home.contents.keys.first { $0.hasPrefix(folder + part) })
    let other = try #require(shop.home.contents.keys.first { !$0.hasPrefix(folder) && $0.contains(part) })
    switch damage {
    case .flipped: shop.home.contents[key]?[70] ^= 1
    case .cut: shop.home.contents[key]?.removeLast()
    case .removed: shop.home.contents[key] = nil
    case .exchanged: shop.home.contents[key] = shop.home.contents[other]
    }
    let result = try shop.sync()
    let one = try #require(result.sources.first)
    #expect(one.copied.map(\.sequence) == [1, 4], "the other chain is copied")
    #expect(one.findings.map(\.object) == [key] && one.findings.map(\.location) == [shop.home.location])
    #expect(one.behind == 2, "with what builds on it")
    #expect(result.exitStatus == .incomplete)
    #expect(!shop.target.contents.keys.contains(key))
    #expect(try shop.expectSoundAtTarget() == [1, 4])
  }

  @Test(arguments: [false, true]) func aManifestThatIsDamagedAtHomeIsNotCopied(isSealed: Bool) throws {
    let shop = try makeShop(isSealed: isSealed)
    let key = Keys.manifest(try shop.shop.number(2).sourceName, 2)
    shop.home.contents[key]?[30] ^= 1
    let one = try #require(try shop.sync().sources.first)
    #expect(one.findings.first?.object == key && one.behind == 2)
    #expect(try shop.expectSoundAtTarget() == [1, 4])
  }

  /// Whatever home has of a snapshot, without the one that it builds on nobody can restore it.
  @Test func whatBuildsOnWhatHomeHasLostIsNotCopied() throws {
    let shop = try makeShop()
    let key = Keys.manifest(try shop.shop.number(2).sourceName, 2)
    shop.home.contents[key] = nil
    let one = try #require(try shop.sync().sources.first)
    #expect(one.findings.first?.object == key && one.behind > 0)
    #expect(!one.has([1, 2, 3]) && one.has([1]) && one.has([4]) && !one.has([1, 2]))
    #expect(try shop.expectSoundAtTarget() == [1, 4])
  }

  /// A target does not have a snapshot of which it has everything, if what it builds on is damaged there.
  @Test func whatBuildsOnWhatIsDamagedAtTheTargetDoesNotCount() throws {
    let shop = try makeShop()
    #expect(try shop.sync().isInStep)
    let archive = try shop.archive(of: 1)
    shop.target.contents[archive]?.removeLast()
    let one = try #require(try shop.sync().sources.first)
    #expect(!one.has([1]) && !one.has([1, 2]) && one.has([4]))
  }

  /// A manifest that nobody has signed who may write is worth nothing, at home or elsewhere.
  @Test func whatAStrangerHasSignedIsNotCopied() throws {
    let sealed = try SealedShop()
    try sealed.backup(.full)
    let snapshot = try sealed.backup(.full)
    try sealed.replace(snapshot, by: WriterKey().signing) { $0.incomplete = 1 }
    let target = MemoryStore()
    let home = try sealed.shop.open(as: .nobody, memory: ClientMemory.none)
    #expect(try TargetSync.make(target, of: home) { _ in })
    let result = try TargetSync(from: home, to: "barn", in: target, observer: CountedCopies()).run()
    #expect(result.sources.first?.copied.map(\.sequence) == [1])
    #expect(result.sources.first?.findings.map(\.object) == [SealedShop.key(snapshot)])
    #expect(!target.contents.keys.contains(SealedShop.key(snapshot)))
  }

  // MARK: Damage at the target

  @Test func whatIsDamagedAtTheTargetIsNamedAndStays() throws {
    let shop = try makeShop()
    try shop.sync()
    let key = try shop.archive(of: 2)
    shop.target.contents[key]?.removeLast()
    let cut = shop.target.contents[key]
    let one = try #require(try shop.sync().sources.first)
    #expect(one.findings.map(\.object) == [key] && one.findings.map(\.location) == [shop.target.location])
    #expect(one.findings.first?.message.contains("bytes instead of") == true)
    #expect(one.behind == 1 && shop.target.contents[key] == cut)
  }
}

/// Does something before the source is listed for the first time.
private final class ListedHook: StoreLayer {
  let base: any Store
  private let action: Mutex<(@Sendable () throws -> Void)?>

  init(_ base: any Store, _ action: @escaping @Sendable () throws -> Void) {
    self.base = base
    self.action = Mutex(action)
  }

  func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    if prefix == "sources/source/" {
      try action.withLock { action in
        defer { action = nil }
        return action
      }?()
    }
    return try base.list(prefix, depth, after: name, max: max)
  }
}
