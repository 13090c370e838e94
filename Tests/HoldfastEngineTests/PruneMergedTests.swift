import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A full that a merge has made counts in the place of the snapshot for which it stands, whatever its number is.
@Suite struct PruneMergedTests {
  private let clock = TestClock("2026-03-01T12:00:00Z")

  private func makeShop(_ kinds: [SnapshotKind], isSealed: Bool = false) throws -> TestShop {
    let shop = try TestShop(workers: 1, clock: clock.clock, isSealed: isSealed)
    try shop.fill(kinds, clock)
    return shop
  }

  /// That is what a merge is for: the old chain goes as a whole, and nothing is lost by it.
  @Test(arguments: [false, true])
  func theChainThatWasMergedGoes(isSealed: Bool) throws {
    let shop = try makeShop([.full, .incremental, .incremental], isSealed: isSealed)
    try shop.merge(in: shop.open())
    #expect(
      try shop.prune(last: 2).sources[0].lines.map { line in
        if case .kept(let reasons) = line.fate { reasons.map(\.description).joined(separator: "; ") } else { "-" }
      } == ["\(try shop.number(2).id.short) builds on it", "one of the last 2", "-", "the newest; one of the last 2"])
    #expect(try shop.prune(graceDays: 0).fates == ["1 collected", "2 collected", "3 collected", "4 keep"])
    try shop.expectSound()
    #expect(try shop.differencesAfterRestore() == [])
    try shop.fill([.incremental])
    #expect(try shop.number(5).envelope.parent?.sequence == 4)
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// The highest number stands for an old state here: the newest is another one, and stays.
  @Test(arguments: [false, true])
  func theMergeOfAnOlderOneDisplacesNothing(isSealed: Bool) throws {
    let shop = try makeShop([.full, .incremental, .incremental, .incremental], isSealed: isSealed)
    try shop.merge(shop.number(2).id.description, in: shop.open())
    // Without its number a machine would take the repository for one that was put back.
    #expect(
      try shop.prune(graceDays: 0).fates == ["1 keep", "2 keep", "3 keep", "4 keep", "5 keep"],
      "the fourth builds on all before it")
    try shop.fill([.full])
    #expect(
      try shop.prune(graceDays: 0).fates
        == ["1 collected", "2 collected", "3 collected", "4 collected", "5 collected", "6 keep"])
    try shop.expectSound()
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// An original that bears what a rule keeps is kept for itself.
  @Test func aPinnedOriginalStaysBesideItsMerge() throws {
    let shop = try makeShop([.full, .incremental])
    try shop.merge(in: shop.open())
    try shop.open().pin(shop.number(2), reason: "")
    #expect(try shop.prune(graceDays: 0).fates == ["1 keep", "2 keep", "3 keep"])
  }
}
