import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A source is removed in two steps, as snapshots are. Nobody begins it anew unnoticed, and that it is gone is no loss.
@Suite struct SourceRemovalTests {
  private static let name = SourceName(from: Path("source"))
  private let clock = TestClock("2026-03-01T12:00:00Z")

  private func makeShop(
    _ kinds: [SnapshotKind] = [.full, .incremental, .full], isSealed: Bool = false
  ) throws -> TestShop {
    let shop = try TestShop(workers: 1, clock: clock.clock, isSealed: isSealed)
    try shop.fill(kinds, clock)
    return shop
  }

  @discardableResult
  private func remove(
    _ shop: TestShop, graceDays: Double = 7, in other: Repository? = nil
  ) throws -> Prune.Report {
    try shop.prune(graceDays: graceDays, in: other) {
      $0.rules.policy = .removingSource
      $0.source = Self.name
    }
  }

  private func statuses(_ shop: TestShop) throws -> [SourceStatus] {
    try SourceStatus.read(from: shop.open(), of: nil) { _ in Objectives() }
  }

  @Test(arguments: [false, true]) func aSourceIsHiddenAtOnceAndGoneAfterTheGracePeriod(isSealed: Bool) throws {
    let shop = try makeShop(isSealed: isSealed)
    #expect(try remove(shop).actions == ["1 removed", "2 removed", "3 removed"])
    #expect(try shop.numbers() == [])
    #expect(try shop.numbers(removed: true) == [1, 2, 3])
    #expect(try statuses(shop).isEmpty)
    try shop.restore(shop.number(2).id.description, to: "again", in: shop.open())
    clock.advance(days: 6)
    #expect(try remove(shop).actions == ["1 waits 1 d", "2 waits 1 d", "3 waits 1 d"])
    clock.advance(days: 2)
    #expect(try remove(shop).actions == ["1 collected", "2 collected", "3 collected"])
    #expect(try shop.numbers(removed: true) == [])
    #expect(TestFiles.names(in: shop.repositoryPath.appending("sources/source")) == ["notes"])
    // This machine has seen the snapshots, and journal and notes tell of them: that they are gone is no loss.
    try shop.expectSound()
    #expect(try shop.open().catalog.newerThanPresent() == [])
    #expect(try statuses(shop).isEmpty)
    #expect(try shop.open().catalog.removal(of: Self.name)?.isCollected == true)
    #expect(try remove(shop).actions == [])
    #expect(try shop.open().catalog.removal(of: Self.name)?.isCollected == true)
  }

  @Test func aSnapshotIsLostWhereNobodyHasRemovedIt() throws {
    let shop = try makeShop(isSealed: true)
    try shop.prune()
    TestFiles.removeTree(shop.repositoryPath.appending("sources/source/0000000003"))
    #expect(try shop.open().catalog.removal(of: Self.name) == nil)
    var damage: [DamageError] = []
    _ = try shop.open().catalog.allSnapshots { damage.append($0) }
    #expect(damage.map(\.object) == [Keys.manifest(Self.name, 3)])
    #expect(try !shop.open().catalog.newerThanPresent().isEmpty)
  }

  @Test func anOldHostThatGoesOnIsTold() throws {
    let shop = try makeShop()
    try remove(shop)
    let error = #expect(throws: EngineError.self) { try shop.backup(in: shop.open()) }
    let time = try #require(try shop.open().catalog.removal(of: Self.name)).time
    #expect(error?.message == "the source source was removed from the repository on \(time)")
    #expect(
      error?.hint
        == "Take it out of the configuration, back it up under another name, or bring it back with `holdfast source undelete source`."
    )
    #expect(error?.exitStatus == .failed)
    try remove(shop, graceDays: 0)
    let gone = #expect(throws: EngineError.self) { try shop.backup(in: shop.open()) }
    let collected = try #require(try shop.open().catalog.removal(of: Self.name)).time
    #expect(gone?.message == "the source source was removed from the repository, and collected on \(collected)")
    #expect(gone?.hint == "Take it out of the configuration, or back it up under another name.")
    #expect(TestFiles.names(in: shop.repositoryPath.appending("sources/source")) == ["notes"])
  }

  @Test func whatIsCalledBackIsAsBefore() throws {
    let shop = try makeShop([.full, .full, .incremental])
    // What a prune has removed before does not come back with it.
    try shop.prune()
    #expect(try shop.numbers() == [2, 3])
    try remove(shop)
    #expect(try shop.open().notes.undelete(Self.name) == 2)
    #expect(try shop.numbers() == [2, 3])
    #expect(try shop.open().catalog.removal(of: Self.name) == nil)
    #expect(try shop.backup(.incremental, in: shop.open()).envelope.sequence == 4)
    try shop.expectSound()
    #expect(try shop.prune(last: 9).actions == ["1 keep", "2 keep", "3 keep", "4 keep"])
  }

  @Test func itComesBackOnlyAsLongAsItIsNotCollected() throws {
    let shop = try makeShop()
    let untouched = #expect(throws: EngineError.self) { try shop.open().notes.undelete(Self.name) }
    #expect(untouched?.message == "the source source is not removed")
    #expect(untouched?.hint == "Run `holdfast source list` to see which are.")
    try remove(shop, graceDays: 0)
    let late = #expect(throws: EngineError.self) { try shop.open().notes.undelete(Self.name) }
    #expect(late?.message == "the source source is being collected: it does not come back")
    #expect(
      late?.hint == "`holdfast list --deleted --name source` shows what is still there; restore it elsewhere.")
  }

  /// Another machine prunes by its own rules, which would keep the newest.
  @Test func aPruneOfAnotherMachineCallsNothingBack() throws {
    let shop = try makeShop()
    try remove(shop)
    let other = ClientMemory(directory: shop.directory.appending("another machine"))
    #expect(
      try shop.prune(last: 9, in: shop.open(memory: other)).actions == ["1 waits 7 d", "2 waits 7 d", "3 waits 7 d"])
    clock.advance(days: 8)
    #expect(try shop.prune(last: 9).actions == ["1 collected", "2 collected", "3 collected"])
    #expect(try shop.numbers(removed: true) == [])
  }

  /// A single snapshot that comes back brings back the source, and with it the newest, which no rule removes.
  @Test func aSourceOfWhichASnapshotComesBackIsThereAgain() throws {
    let shop = try makeShop()
    try remove(shop)
    _ = try shop.undelete(shop.number(2))
    #expect(try shop.open().catalog.removal(of: Self.name) == nil)
    try shop.open().notes.pin(shop.number(2), reason: "")
    #expect(try shop.prune().actions == ["1 keep", "2 keep", "3 keep"])
    #expect(try shop.numbers() == [1, 2, 3])
  }

  @Test func aSourceWithAPinnedSnapshotStays() throws {
    let shop = try makeShop()
    try shop.open().notes.pin(shop.number(1), reason: "the tax office")
    let report = try remove(shop)
    let id = try shop.number(1).id.short
    #expect(
      report.sources.compactMap(\.refusal?.message)
        == ["the source source is not removed, because \(id) is kept: pinned: the tax office"])
    #expect(
      report.sources.compactMap(\.refusal?.hint)
        == ["Run `holdfast list --name source` to see what is pinned, and `holdfast unpin` for each."])
    #expect(report.exitStatus == .failed)
    #expect(try shop.numbers() == [1, 2, 3])
  }

  @Test func aDryRunRemovesNothing() throws {
    let shop = try makeShop()
    let report = try shop.prune(isDryRun: true) { $0.rules.policy = .removingSource }
    #expect(report.actions == ["1 removed", "2 removed", "3 removed"])
    #expect(try shop.numbers() == [1, 2, 3])
  }

  /// A kill or a full disk at any operation: what can be seen is whole, the source is removed or it is not, and the
  /// same command ends what was begun.
  @Test(arguments: [false, true]) func aRemovalThatIsDisturbedAnywhereIsEndedByTheNext(isSealed: Bool) throws {
    let whole = FaultProbe()
    let undisturbed = try makeShop(isSealed: isSealed)
    try remove(undisturbed, graceDays: 0, in: undisturbed.repository(probe: whole))
    #expect(whole.count > 20)
    for index in Trials.places(whole.count) {
      let shop = try makeShop(isSealed: isSealed)
      let probe = FaultProbe(.cut, at: index)
      _ = try? remove(shop, graceDays: 0, in: shop.repository(probe: probe))
      probe.dropUnsynced()
      try shop.expectSound("operation \(index)")
      #expect([[], [1, 2, 3]].contains(try shop.numbers()), "operation \(index)")
      try remove(shop, graceDays: 0)
      #expect(try shop.numbers(removed: true) == [], "operation \(index)")
      #expect(
        TestFiles.names(in: shop.repositoryPath.appending("sources/source")) == ["notes"], "operation \(index)")
      try shop.expectSound("operation \(index), ended")
    }
  }
  // MARK: The grace period that was promised

  /// Whoever prunes with a shorter grace period, on whatever machine, does not collect earlier than was promised.
  @Test(arguments: [false, true]) func thePromisedGracePeriodIsKept(isSealed: Bool) throws {
    let shop = try makeShop([.full, .incremental], isSealed: isSealed)
    try remove(shop, graceDays: 30)
    let ordinary = { try shop.prune(graceDays: 0) }
    #expect(try ordinary().actions == ["1 waits 30 d", "2 waits 30 d"])
    clock.advance(days: 8)
    #expect(try ordinary().actions == ["1 waits 22 d", "2 waits 22 d"])
    clock.advance(days: 23)
    #expect(try ordinary().actions == ["1 collected", "2 collected"])
    try shop.expectSound()
  }

  /// Who removes the source again says a grace period of his own, and is asked.
  @Test func anotherRemovalMayCollectEarlier() throws {
    let shop = try makeShop([.full])
    try remove(shop, graceDays: 30)
    #expect(try remove(shop, graceDays: 0).actions == ["1 collected"])
  }

  /// A snapshot that comes between the question and the lease was not agreed to.
  @Test func aSnapshotThatCameAfterTheQuestionStays() throws {
    let shop = try makeShop([.full])
    let agreed = Set([try shop.number(1).id])
    try shop.fill([.incremental], clock)
    let late = try shop.number(2)
    let report = try shop.prune(graceDays: 7) {
      ($0.rules.policy, $0.source, $0.agreed) = (.removingSource, Self.name, agreed)
    }
    #expect(
      report.sources.first?.refusal?.message
        == "snapshot \(late.id.short) of source came after the question: nothing was removed")
    #expect(try shop.numbers() == [1, 2])
  }
}
