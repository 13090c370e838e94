import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What the notes say is collected goes at the target and is not copied again; what home has lost without that stays.
@Suite struct SyncRemovalTests {
  private let clock = TestClock("2026-03-01T12:00:00Z")

  private func makeShop(_ kinds: [SnapshotKind]) throws -> TargetShop {
    let shop = try TargetShop(clock: clock.clock)
    try shop.shop.fill(kinds, clock)
    try shop.sync()
    return shop
  }

  private func prune(_ shop: TargetShop, last: Int = 1) throws {
    try shop.shop.prune(last: last, graceDays: 0) { $0.tellsCollected = .days(30) }
  }

  @Test func whatWasCollectedGoes() throws {
    let shop = try makeShop([.full, .incremental, .full, .incremental])
    try prune(shop)
    let result = try shop.sync()
    #expect(result.isInStep && result.sources.first?.removed.map(\.sequence) == [1, 2])
    shop.expectSame()
    #expect(try shop.expectSoundAtTarget() == [3, 4])
  }

  @Test func aMergedFullKeepsTheArchivesThatItUses() throws {
    let shop = try makeShop([.full, .incremental, .incremental])
    try shop.shop.merge(in: shop.shop.open())
    try prune(shop)
    #expect(try shop.sync().isInStep)
    shop.expectSame()
    #expect(try shop.expectSoundAtTarget() == [4])
    try shop.shop.fill([.incremental])
    #expect(try shop.sync().isInStep)
    shop.expectSame()
  }

  /// The notes that the target got last speak of a removal that was undone since.
  @Test func whatWasCalledBackStaysThoughHomeHasLostIt() throws {
    let shop = try makeShop([.full, .full])
    try shop.shop.prune(last: 1, graceDays: 7) { $0.tellsCollected = .days(30) }
    #expect(try shop.sync().isInStep)
    let first = try shop.shop.number(1)
    try shop.shop.undelete(first)
    shop.home.contents[Keys.manifest(first.sourceName, 1)] = nil
    let one = try #require(try shop.sync().sources.first)
    #expect(one.removed.isEmpty && one.onlyThere.map(\.sequence) == [1])
    #expect(try shop.expectSoundAtTarget() == [1, 2])
  }

  @Test func whatWasCollectedIsNotCopiedAgain() throws {
    let shop = try makeShop([.full, .full])
    let before = TargetShop.lasting(shop.home)
    try prune(shop)
    // As where a prune was killed after it had noted what it collects.
    shop.home.contents.merge(before) { now, _ in now }
    let fresh = MemoryStore()
    #expect(try TargetSync.make(fresh, of: shop.shop.open()) { _ in })
    #expect(try shop.sync(fresh).sources.first?.copied.map(\.sequence) == [2])
    #expect(try shop.sync().sources.first?.removed.map(\.sequence) == [1], "and goes where it is")
  }

  /// A snapshot that was built on it elsewhere needs it still.
  @Test func whatASnapshotAtTheTargetNeedsStays() throws {
    let shop = try makeShop([.full, .full])
    // Somebody took a snapshot at the target, when home was away.
    TestFiles.write("elsewhere", to: shop.shop.source.appending("elsewhere"))
    try shop.shop.backup(.differential, in: shop.atTarget())
    let taken = try #require(try shop.atTarget().catalog.allSnapshots { _ in }.last)
    #expect(taken.sequence == 3 && taken.envelope.parent?.sequence == 2)
    // The next one at home has another number, as the numbers of targets are not the same.
    let there = Keys.snapshot(taken.sourceName, 3)
    let kept = shop.target.contents.filter { $0.key.hasPrefix(there) }
    for key in kept.keys { shop.target.contents[key] = nil }
    try shop.shop.fill([.full, .full], clock)
    let third = Keys.snapshot(taken.sourceName, 3)
    for key in shop.home.contents.keys where key.hasPrefix(third) { shop.home.contents[key] = nil }
    try shop.shop.prune(last: 1, graceDays: 0) { $0.tellsCollected = .days(30) }
    shop.target.contents.merge(kept) { $1 }
    let one = try #require(try shop.sync().sources.first)
    #expect(one.removed.map(\.sequence) == [1])
    #expect(one.onlyThere.map(\.sequence) == [3])
    // It is hidden there as at home, and what builds on it restores.
    #expect(shop.target.contents.keys.contains(Keys.manifest(taken.sourceName, 2)))
    #expect(try shop.expectSoundAtTarget() == [3, 4])
  }

  /// A target that was away while two prunes ran learns of the first one from the second.
  @Test func aTargetThatWasAwayRemovesWhatWasCollectedMeanwhile() throws {
    let shop = try makeShop([.full, .full])
    try prune(shop)
    try shop.shop.fill([.full], clock)
    try prune(shop)
    #expect(try shop.sync().sources.first?.removed.map(\.sequence) == [1, 2])
    shop.expectSame()
    // The notes forget it after a time.
    clock.advance(days: 31)
    try shop.shop.fill([.full], clock)
    try prune(shop)
    let name = try shop.shop.number(4).sourceName
    #expect(try shop.shop.open().notes.read(name).notes.notes.map(\.sequence) == [3])
  }

  @Test func whatOnlyTheTargetHasStaysWithoutANote() throws {
    let shop = try makeShop([.full, .full])
    // A disk at home has lost the first.
    let folder = Keys.snapshot(try shop.shop.number(1).sourceName, 1)
    for key in shop.home.contents.keys where key.hasPrefix(folder) { shop.home.contents[key] = nil }
    let result = try shop.sync()
    #expect(result.isInStep && result.sources.first?.onlyThere.map(\.sequence) == [1])
    #expect(try shop.expectSoundAtTarget() == [1, 2])
  }

  @Test func nothingGoesWhileSomethingIsDamaged() throws {
    let shop = try makeShop([.full, .full])
    try shop.shop.fill([.full], clock)
    try prune(shop)
    let key = try shop.archive(of: 3)
    shop.home.contents[key]?[70] ^= 1
    let one = try #require(try shop.sync().sources.first)
    #expect(one.findings.map(\.object) == [key] && one.removed.isEmpty && one.behind == 1)
    #expect(try shop.expectSoundAtTarget() == [1, 2], "it may be all that is left")
  }
}
