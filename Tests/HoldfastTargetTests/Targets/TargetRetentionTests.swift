import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A target may keep more or less than home: what its own policy keeps stays there though home has removed it, and what
/// it does not keep goes there though home has it, and does not come back.
@Suite struct TargetRetentionTests {
  private let clock = TestClock("2026-03-01T12:00:00Z")

  private func makeShop(_ kinds: [SnapshotKind], isSynced: Bool = true) throws -> TargetShop {
    let shop = try TargetShop(clock: clock.clock)
    try shop.shop.fill(kinds, clock)
    if isSynced { #expect(try shop.sync().isInStep) }
    return shop
  }

  /// The numbers that a reader of the target sees.
  private func numbers(at shop: TargetShop, removed: Bool = false) throws -> [UInt64] {
    try shop.atTarget().catalog.allSnapshots(includingRemoved: removed) { Issue.record("\($0)") }.map(\.sequence)
  }

  @Test func whatOnlyTheTargetKeepsStaysThere() throws {
    let shop = try makeShop([.full, .full, .full, .full])
    try shop.prune(last: 1, atBarn: 3)
    #expect(try shop.shop.numbers(removed: true) == [4])
    for round in 0..<3 {
      let one = try #require(try shop.sync().sources.first)
      #expect(one.isInStep && one.onlyThere.isEmpty && one.brought.isEmpty, "round \(round)")
      #expect(one.plan?.keptThere.map(\.sequence) == [2, 3] && one.removed.map(\.sequence) == (round == 0 ? [1] : []))
      // The notes speak of it as long as the target has it, not only as long as a target may be away.
      clock.advance(days: 100)
      try shop.prune(last: 1, atBarn: 3)
    }
    #expect(try numbers(at: shop) == [2, 3, 4])
    #expect(try shop.expectSoundAtTarget() == [2, 3, 4])
    #expect(try shop.shop.numbers(removed: true) == [4])
  }

  @Test func whatTheTargetDoesNotKeepGoesThereAndIsNotCopiedAgain() throws {
    let shop = try makeShop([.full, .full, .full])
    try shop.prune(last: 3, atBarn: 1)
    #expect(try shop.sync().sources.first?.removed.map(\.sequence) == [1, 2])
    let one = try #require(try shop.sync().sources.first)
    #expect(one.isInStep && one.behind == 0 && one.copied.isEmpty && one.removed.isEmpty)
    #expect(try shop.expectSoundAtTarget() == [3])
    #expect(try shop.shop.numbers() == [1, 2, 3])
    let standing = try #require(
      try TargetStanding.read(shop.target, as: "barn", home: shop.shop.open(), host: shop.shop.host).first)
    #expect(standing.behind == 0 && standing.hasNewest == true)
    // A pass takes it along: it has everything that it shall have.
    #expect(try shop.backupInOnePass(.full).isEmpty)
    #expect(try numbers(at: shop) == [3, 4])
  }

  @Test func whatAKeptSnapshotNeedsThereStays() throws {
    let shop = try makeShop([.full, .incremental, .full, .incremental])
    try shop.prune(last: 4, atBarn: 1)
    #expect(try shop.sync().isInStep)
    #expect(try shop.expectSoundAtTarget() == [3, 4])
    let more = try makeShop([.full, .incremental, .full])
    try more.prune(last: 1, atBarn: 2)
    #expect(try more.sync().isInStep)
    #expect(try more.expectSoundAtTarget() == [1, 2, 3])
  }

  /// As at home: hidden first, and gone after the grace period.
  @Test func aRemovalAtATargetTakesTwoSteps() throws {
    let shop = try makeShop([.full, .full])
    let first = try shop.prune(last: 2, atBarn: 1, graceDays: 7)
    #expect(first.actionsElsewhere == ["1 removed", "2 keep"] && first.actions == ["1 keep", "2 keep"])
    #expect(try shop.sync().sources.first?.removed.isEmpty == true)
    #expect(try numbers(at: shop) == [2])
    #expect(try numbers(at: shop, removed: true) == [1, 2])
    clock.advance(days: 3)
    #expect(try shop.prune(last: 2, atBarn: 1, graceDays: 7).actionsElsewhere == ["1 waits 4 d", "2 keep"])
    clock.advance(days: 5)
    #expect(try shop.prune(last: 2, atBarn: 1, graceDays: 7).actionsElsewhere == ["1 collected", "2 keep"])
    #expect(try shop.sync().sources.first?.removed.map(\.sequence) == [1])
    #expect(try numbers(at: shop, removed: true) == [2])
  }

  @Test func aRemovalAtATargetIsUndoneThereAlone() throws {
    let shop = try makeShop([.full, .full, .full])
    try shop.prune(last: 1, atBarn: 2, graceDays: 7)
    let home = try shop.shop.open()
    let target = try shop.atTarget()
    let first = try #require(try target.catalog.snapshotIfCommitted(shop.shop.number(1).sourceName, 1))
    let called = try home.notes.undelete(target.catalog.chain(to: first), at: "barn")
    #expect(called.map(\.sequence) == [1])
    #expect(try shop.sync().isInStep)
    #expect(try numbers(at: shop) == [1, 2, 3])
    #expect(try shop.shop.numbers() == [3])
  }

  @Test func homeWaitsForTheTargetThatKeepsIt() throws {
    let shop = try makeShop([.full, .full], isSynced: false)
    #expect(try shop.prune(last: 1, atBarn: 2).actions == ["1 waits for barn", "2 keep"])
    #expect(try shop.shop.numbers(removed: true) == [1, 2])
    #expect(try shop.sync().isInStep)
    #expect(try shop.prune(last: 1, atBarn: 2).actions == ["1 collected", "2 keep"])
    #expect(try shop.sync().isInStep)
    #expect(try shop.expectSoundAtTarget() == [1, 2])
  }

  /// A sync may still remove there what an earlier policy did not keep.
  @Test func homeWaitsForATargetThatIsToldToKeepItTooLate() throws {
    let shop = try makeShop([.full, .full])
    try shop.prune(last: 2, atBarn: 1)
    #expect(try shop.prune(last: 1, atBarn: 9).actions == ["1 waits for barn", "2 keep"])
    #expect(try shop.sync().isInStep)
    #expect(try numbers(at: shop) == [1, 2])
    #expect(try shop.prune(last: 1, atBarn: 9).actions == ["1 collected", "2 keep"])
    #expect(try shop.sync().isInStep)
    #expect(try shop.expectSoundAtTarget() == [1, 2])
  }

  /// A sync that stopped has told the target, and removed nothing there yet.
  @Test func whatATargetKeepsAgainOutlastsWhatItsOwnNotesSay() throws {
    let shop = try makeShop([.full, .full])
    try shop.prune(last: 2, atBarn: 1)
    let notes = Keys.notes(try shop.shop.number(1).sourceName)
    for (key, bytes) in shop.home.contents where key.hasPrefix(notes) { shop.target.contents[key] = bytes }
    #expect(try shop.prune(last: 1, atBarn: 9).actions == ["1 waits for barn", "2 keep"])
    #expect(try shop.prune(last: 1, atBarn: 9).actions == ["1 collected", "2 keep"])
    #expect(try shop.sync().isInStep)
    #expect(try shop.expectSoundAtTarget() == [1, 2])
  }

  /// What an interrupted prune has left at home says nothing of what only the target has.
  @Test func leftoversAtHomeAreNoDamageAtTheTarget() throws {
    let shop = try makeShop([.full, .incremental, .full])
    let archive = try shop.archive(of: 1)
    let bytes = shop.home.contents[archive]
    try shop.prune(last: 1, atBarn: 3)
    #expect(try shop.sync().isInStep)
    shop.home.contents[archive] = bytes
    let report = try shop.prune(last: 1, atBarn: 3)
    #expect(report.targetRefusals == [] && report.exitStatus == .done)
    #expect(try shop.shop.numbers(removed: true) == [3] && shop.home.contents[archive] == nil)
    #expect(try shop.expectSoundAtTarget() == [1, 2, 3])
  }

  @Test func aTargetThatDoesNotAnswerLosesNothing() throws {
    let shop = try makeShop([.full, .full, .full])
    let away = TargetRetention("barn", policy: .last(2), .success(MemoryStore()))
    let report = try shop.shop.prune(last: 1, graceDays: 0) {
      ($0.tellsCollected, $0.targets) = (.days(30), [away])
    }
    #expect(report.actions == ["1 collected", "2 waits for barn", "3 keep"])
    let refusal = try #require(report.targetRefusals.first)
    #expect(refusal.message == "nothing of source is removed at barn: there is no repository in memory")
    #expect(report.exitStatus == .incomplete)
    #expect(try shop.sync().isInStep)
    #expect(try shop.expectSoundAtTarget() == [1, 2, 3])
  }

  @Test func aNewTargetGetsOnlyWhatItKeeps() throws {
    let shop = try makeShop([.full, .full, .full], isSynced: false)
    try shop.prune(last: 3, atBarn: 1, graceDays: 7)
    let one = try #require(try shop.sync().sources.first)
    #expect(one.copied.map(\.sequence) == [3] && one.isInStep)
    // If it shall keep more, the rest comes.
    try shop.prune(last: 3, atBarn: 2, graceDays: 7)
    #expect(try shop.sync().sources.first?.copied.map(\.sequence) == [2])
  }

  /// Another machine has noted that the target keeps nothing of the chain on which a run builds now.
  @Test func nothingIsCommittedThereWithoutWhatItBuildsOn() throws {
    let shop = try makeShop([.full, .incremental])
    let snapshots = try [1, 2].map { try shop.shop.number($0) }
    try shop.shop.open().notes.change(snapshots[0].sourceName) { notes, reading in
      for snapshot in snapshots {
        let removal = SourceNotes.Removal(revision: reading.next, time: notes.time, isCollected: true)
        notes[snapshot.id, snapshot.sequence].setRemoval(removal, at: "barn")
      }
      return true
    }
    for key in shop.target.contents.keys where Keys.isOfSnapshot(key) { shop.target.contents[key] = nil }
    let behind = try shop.backupInOnePass(.incremental)
    #expect(behind["barn"] as? BehindReason == .wasBehind)
    #expect(try shop.expectSoundAtTarget() == [])
    #expect(try shop.sync().isInStep)
    #expect(try shop.expectSoundAtTarget() == [3], "with what it builds on, which is hidden there")
  }

  @Test func aPolicyThatIsTakenBackLeavesWhatHomeKeeps() throws {
    let shop = try makeShop([.full, .full, .full])
    try shop.prune(last: 1, atBarn: 3)
    #expect(try shop.sync().isInStep)
    try shop.prune(last: 1, atBarn: nil, graceDays: 7)
    #expect(try numbers(at: shop, removed: true) == [1, 2, 3], "the grace period counts there")
    clock.advance(days: 8)
    try shop.prune(last: 1, atBarn: nil, graceDays: 7)
    #expect(try shop.sync().sources.first?.removed.map(\.sequence) == [1, 2])
    shop.expectSame()
  }

  /// Another machine prunes by its own rules, and knows no targets.
  @Test func aMachineThatDoesNotKnowTheTargetSparesIt() throws {
    let shop = try makeShop([.full, .full, .full])
    try shop.prune(last: 2, atBarn: 3)
    #expect(try shop.sync().isInStep)
    try shop.shop.prune(last: 1, graceDays: 0)
    #expect(try shop.sync().isInStep)
    #expect(try numbers(at: shop) == [1, 2, 3])
  }

  @Test func aScrubTakesItAsItIs() throws {
    for (home, barn) in [(1, 3), (3, 1)] {
      let shop = try makeShop([.full, .full, .full])
      try shop.prune(last: home, atBarn: barn)
      #expect(try shop.sync().isInStep)
      let before = [shop.home, shop.target].map(TargetShop.lasting)
      var options = Scrub.Options()
      options.repairs = true
      let places = [
        Scrub.Place("home", at: "home", isHome: true, .success(shop.home)),
        Scrub.Place("barn", at: "barn", isHome: false, .success(shop.target)),
      ]
      let results = try Scrub(places, reference: shop.shop.open(), openedAt: "home", options).run()
      #expect(results.flatMap { ScrubTextOfTest($0).lines } == [] && results.allSatisfy(\.isSound))
      #expect([shop.home, shop.target].map(TargetShop.lasting) == before)
    }
  }

  @Test func itSaysWhatItMeansForTheNumberOfCopies() throws {
    let shop = try makeShop([.full, .full, .full])
    let report = try shop.prune(last: 3, atBarn: 1) { $0.minCopies = 2 }
    #expect(report.sources.first?.belowMinCopies == 2)
    let plan = try #require(report.sources.first?.targets.first)
    #expect(plan.keptAtHomeOnly == 2 && plan.keptHereOnly == 0)
  }

  /// Whatever is done in which order: everything that a place lists restores from it alone, home has what its policy
  /// keeps, and the target what its own keeps.
  @Test(arguments: Trials.seeds(byDay: 6, atNight: 300)) func policiesHoldInAnyOrder(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let shop = try makeShop([.full])
    let (home, barn) = (Int.random(in: 1...4, using: &random), Int.random(in: 1...4, using: &random))
    for _ in 0..<12 {
      switch Int.random(in: 0..<5, using: &random) {
      case 0: try shop.prune(last: home, atBarn: barn, graceDays: Double(Int.random(in: 0...2, using: &random)))
      case 1: #expect(try shop.sync().isInStep, "seed \(seed)")
      case 2: try shop.backupInOnePass(.incremental)
      default: try shop.shop.fill([[.full, .incremental, .differential].randomElement(using: &random) ?? .full], clock)
      }
      clock.advance(days: 1)
      try shop.shop.expectSound("seed \(seed)")
      try shop.expectSoundAtTarget("seed \(seed)")
    }
    let all = try shop.shop.number(try #require(try shop.shop.numbers(removed: true).last)).sequence
    for _ in 0..<2 {
      try shop.prune(last: home, atBarn: barn)
      #expect(try shop.sync().isInStep, "seed \(seed)")
    }
    for (kept, there) in [(home, try shop.shop.numbers()), (barn, try numbers(at: shop))] {
      let newest = (all - UInt64(min(kept, Int(all))) + 1)...all
      #expect(Set(newest).isSubset(of: there) || kept == max(home, barn), "seed \(seed): \(newest) of \(there)")
    }
  }
}

extension RetentionPolicy {
  static func last(_ count: Int) -> RetentionPolicy {
    var policy = RetentionPolicy()
    policy.last = count
    return policy
  }
}

extension TargetShop {
  /// Prunes by one policy at home and another one at the target.
  /// - Parameter barn: how many of the last snapshots the target keeps; `nil` if it has no policy of its own.
  @discardableResult
  func prune(
    last: Int, atBarn barn: Int?, graceDays: Double = 0, configure: (inout Prune.Options) -> Void = { _ in }
  ) throws -> Prune.Report {
    let retention = TargetRetention("barn", policy: barn.map { .last($0) }, .success(target))
    return try shop.prune(last: last, graceDays: graceDays) {
      ($0.tellsCollected, $0.targets) = (.days(30), [retention])
      configure(&$0)
    }
  }
}
