import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
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
        if case .kept(let reasons) = line.action { reasons.map(\.description).joined(separator: "; ") } else { "-" }
      } == ["\(try shop.number(2).id.short) builds on it", "one of the last 2", "-", "the newest; one of the last 2"])
    #expect(try shop.prune(graceDays: 0).actions == ["1 collected", "2 collected", "3 collected", "4 keep"])
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
      try shop.prune(graceDays: 0).actions == ["1 keep", "2 keep", "3 keep", "4 keep", "5 keep"],
      "the fourth builds on all before it")
    try shop.fill([.full])
    #expect(
      try shop.prune(graceDays: 0).actions
        == ["1 collected", "2 collected", "3 collected", "4 collected", "5 collected", "6 keep"])
    try shop.expectSound()
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// An original that bears what a rule keeps is kept for itself.
  @Test func aPinnedOriginalStaysBesideItsMerge() throws {
    let shop = try makeShop([.full, .incremental])
    try shop.merge(in: shop.open())
    try shop.open().notes.pin(shop.number(2), reason: "")
    #expect(try shop.prune(graceDays: 0).actions == ["1 keep", "2 keep", "3 keep"])
  }
}

/// What cannot be restored any more says that something is wrong: then nothing that can is removed.
@Suite struct PruneOrphanTests {
  @Test(arguments: [false, true]) func nothingIsRemovedWhileAParentIsMissing(isSealed: Bool) throws {
    let shop = try TestShop(workers: 1, isSealed: isSealed)
    try shop.fill([.full, .incremental, .incremental, .incremental])
    let lost = try shop.number(2)
    let key = Keys.manifest(lost.sourceName, 2)
    let manifest = try #require(TestFiles.read(shop.repositoryPath.appending(key)))
    TestFiles.remove(shop.repositoryPath.appending(key))
    let files = TestFiles.allFiles(in: shop.repositoryPath.appending("sources"))
    let report = try shop.prune(last: 2, graceDays: 0)
    #expect(report.exitStatus == .dataLoss)
    let child = try shop.number(3).id.short
    #expect(
      report.sources[0].refusal?.message
        == "nothing of source is removed while something of it is damaged or missing: \(key) is damaged: it is missing, and snapshot \(child) builds on it"
    )
    #expect(TestFiles.allFiles(in: shop.repositoryPath.appending("sources")) == files)
    TestFiles.write(manifest, to: shop.repositoryPath.appending(key))
    try shop.expectSound()
  }

  /// Something that is no snapshot bears the highest number: what came after it nobody would find.
  @Test func aNumberThatNobodyWouldFindIsRefused() throws {
    let shop = try TestShop(workers: 1)
    try shop.fill([.full])
    for kind in ["sources/source", "sources/source/notes"] {
      TestFiles.makeDirectory(shop.repositoryPath.appending("sources/source/notes"))
      let junk = shop.repositoryPath.appending("\(kind)/9999999999")
      TestFiles.makeDirectory(junk)
      TestFiles.write("x", to: junk.appending(kind.hasSuffix("notes") ? "notes.json" : "manifest.json"))
    }
    let place = try shop.open().location
    #expect(
      throws: EngineError(
        .repository,
        "no number is left for a snapshot of source: something in the repository bears the highest there is",
        hint: "Look at sources/source/ in \(place), and remove what is no snapshot.", exitStatus: .dataLoss)
    ) { try shop.backup(in: shop.open()) }
    #expect(
      throws: EngineError(
        .repository,
        "no number is left for the notes on source: something in the repository bears the highest there is",
        hint: "Look at sources/source/notes/ in \(place), and remove what is no revision.", exitStatus: .dataLoss)
    ) { try shop.open().notes.pin(shop.number(1), reason: "") }
  }
}
