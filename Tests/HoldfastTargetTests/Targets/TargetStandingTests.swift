import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A target has the newest snapshot only if it has all that this builds on.
@Suite struct TargetStandingTests {
  private let clock = TestClock("2026-03-01T12:00:00Z")

  private func makeShop(_ kinds: [SnapshotKind]) throws -> TargetShop {
    let shop = try TargetShop(clock: clock.clock)
    try shop.shop.fill(kinds, clock)
    try shop.sync()
    return shop
  }

  private func standing(_ shop: TargetShop) throws -> TargetStanding {
    try #require(
      try TargetStanding.read(shop.target, home: shop.shop.open(), host: shop.shop.host).first)
  }

  @Test func aHoleInTheChainIsNoCopy() throws {
    let shop = try makeShop([.full, .incremental, .incremental])
    #expect(try standing(shop).hasNewest == true)
    let source = try shop.shop.number(2).sourceName
    let manifest = Keys.manifest(source, 2)
    let kept = shop.target.contents[manifest]
    shop.target.contents[manifest] = nil
    #expect(try standing(shop).hasNewest == false)
    shop.target.contents[manifest] = kept
    shop.target.contents[try shop.archive(of: 1)] = nil
    let standing = try standing(shop)
    #expect(standing.hasNewest == false && standing.behind == 1)
  }

  @Test func aHoleInAnotherChainTakesNothingFromTheNewest() throws {
    let shop = try makeShop([.full, .incremental, .full])
    shop.target.contents[try shop.archive(of: 1)] = nil
    let standing = try standing(shop)
    #expect(standing.hasNewest == true && standing.behind == 1)
  }

  /// A collected snapshot stays at home while a snapshot that is kept builds on it.
  @Test(arguments: [true, false]) func aCollectedAncestorThatIsNeededIsMissed(_ isManifest: Bool) throws {
    let shop = try makeShop([.full, .incremental, .incremental])
    let first = try shop.shop.number(1)
    let key = isManifest ? Keys.manifest(first.sourceName, 1) : try shop.archive(of: 1)
    try collect(first, in: shop)
    #expect(try shop.sync().isInStep)
    #expect(try standing(shop).hasNewest == true)
    let before = shop.target.contents[key]
    shop.target.contents[key] = nil
    let standing = try standing(shop)
    #expect(standing.hasNewest == false && standing.behind == 1)
    #expect(try shop.sync().isInStep)
    #expect(before != nil && shop.target.contents[key] == before)
    #expect(try shop.expectSoundAtTarget() == [2, 3])
  }

  /// Notes at home that a snapshot is collected, as a prune does that is killed before it removes anything.
  private func collect(_ snapshot: Snapshot, in shop: TargetShop) throws {
    let time = RecordedTime(clock.clock.now())
    try shop.shop.open().notes.change(snapshot.sourceName) { notes, reading in
      notes[snapshot.id, snapshot.sequence].removed = SourceNotes.Removal(
        revision: reading.next, time: time, isCollected: true)
      return true
    }
  }
}
