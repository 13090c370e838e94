import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A prune takes away no copy of a kept state that is better proved than those that stay.
@Suite struct LastProvedCopyTests {
  private let clock = TestClock("2026-03-01T12:00:00Z")

  /// The evidence by target and number; what is not named is not proved.
  private struct Proofs: CopyProofs {
    let known: [String: CopyEvidence]

    func evidence(for chain: [Snapshot], at target: String?) -> CopyEvidence {
      chain.map { known["\(target ?? "home") \($0.sequence)"] ?? .unproved }.min() ?? .unproved
    }
  }

  private func makeShop(_ kinds: [SnapshotKind]) throws -> TargetShop {
    let shop = try TargetShop(clock: clock.clock)
    try shop.shop.fill(kinds, clock)
    #expect(try shop.sync().isInStep)
    return shop
  }

  private func prune(
    _ shop: TargetShop, last: Int, atBarn: Int?, _ known: [String: CopyEvidence]
  ) throws -> Prune.Report {
    try shop.prune(last: last, atBarn: atBarn) { $0.proofs = { _, _ in Proofs(known: known) } }
  }

  @Test func homeKeepsTheOnlyProvedCopyOfWhatATargetKeeps() throws {
    let shop = try makeShop([.full, .full])
    let report = try prune(shop, last: 1, atBarn: 2, ["home 1": .proved])
    #expect(report.actions == ["1 last proved", "2 keep"])
    #expect(report.exitStatus == .incomplete)
    let held = try #require(report.sources.first?.lastProved.first)
    #expect(held.snapshot.sequence == 1 && held.target == nil)
    #expect(held.copy == "\(held.snapshot.id.short) at barn is not proved")
    #expect(try shop.shop.numbers(removed: true) == [1, 2])
    let proved: [String: CopyEvidence] = ["home 1": .proved, "barn 1": .proved]
    #expect(try prune(shop, last: 1, atBarn: 2, proved).actions == ["1 collected", "2 keep"])
    #expect(try shop.sync().isInStep)
    #expect(try shop.expectSoundAtTarget() == [1, 2])
  }

  @Test func aDamagedCopyIsWorseThanOneThatNobodyRead() throws {
    let shop = try makeShop([.full, .full])
    #expect(try prune(shop, last: 1, atBarn: 2, ["barn 1": .damaged]).actions.first == "1 last proved")
    let there = try prune(shop, last: 2, atBarn: 1, ["home 1": .damaged])
    #expect(there.actionsElsewhere == ["1 last proved", "2 keep"])
    #expect(try prune(shop, last: 1, atBarn: 2, [:]).actions.first == "1 collected")
  }

  @Test func aTargetKeepsTheOnlyProvedCopyOfWhatHomeKeeps() throws {
    let shop = try makeShop([.full, .full])
    let report = try prune(shop, last: 2, atBarn: 1, ["barn 1": .proved])
    #expect(report.actionsElsewhere == ["1 last proved", "2 keep"] && report.actions == ["1 keep", "2 keep"])
    #expect(report.sources.first?.lastProved.first?.target == "barn")
    #expect(try shop.sync().isInStep)
    #expect(try shop.expectSoundAtTarget() == [2], "it is hidden there")
    #expect(try shop.atTarget().catalog.allSnapshots(includingRemoved: true) { _ in }.map(\.sequence) == [1, 2])
  }

  /// What a child needs must be proved too.
  @Test func aProofOfTheTipAloneIsNone() throws {
    let shop = try makeShop([.full, .incremental, .full])
    let all: [String: CopyEvidence] = ["home 1": .proved, "home 2": .proved, "barn 2": .proved]
    #expect(try prune(shop, last: 1, atBarn: 2, all).actions == ["1 last proved", "2 last proved", "3 keep"])
  }

  /// The data of the chain has moved into the full, and nobody has read it there.
  @Test func aChainStaysUntilTheFullThatStandsForItIsProved() throws {
    let shop = try makeShop([.full, .incremental])
    try shop.shop.merge(in: shop.shop.open())
    #expect(try shop.sync().isInStep)
    let chain: [String: CopyEvidence] = ["home 1": .proved, "home 2": .proved]
    #expect(try prune(shop, last: 1, atBarn: nil, chain).actions == ["1 last proved", "2 last proved", "3 keep"])
    #expect(try shop.shop.numbers(removed: true) == [1, 2, 3])
    let proved = chain.merging(["home 3": .proved]) { $1 }
    #expect(try prune(shop, last: 1, atBarn: nil, proved).actions == ["1 collected", "2 collected", "3 keep"])
    try shop.shop.expectSound()
  }

  /// A target that keeps what home keeps has one copy more of it.
  @Test func aTargetThatFollowsHomeMayHaveTheLastProvedCopy() throws {
    let shop = try makeShop([.full, .incremental])
    try shop.shop.merge(in: shop.shop.open())
    #expect(try shop.sync().isInStep)
    let chain: [String: CopyEvidence] = ["barn 1": .proved, "barn 2": .proved]
    #expect(try prune(shop, last: 1, atBarn: nil, chain).actions == ["1 last proved", "2 last proved", "3 keep"])
    let proved = chain.merging(["barn 3": .proved]) { $1 }
    #expect(try prune(shop, last: 1, atBarn: nil, proved).actions == ["1 collected", "2 collected", "3 keep"])
  }

  // MARK: What is remembered

  @Test func scrubsOfThisMachineProveACopyThatWasThere() throws {
    let shop = try makeShop([.full])
    let home = try shop.shop.open()
    let name = try shop.shop.number(1).sourceName
    func evidence(_ sequence: UInt64, at target: String?) throws -> CopyEvidence {
      try RememberedProofs(
        of: name, in: home, targets: ["barn": PlaceIdentity("memory", PlaceMark.read(in: shop.target))]
      ).evidence(
        for: [shop.shop.number(sequence)], at: target)
    }
    #expect(try evidence(1, at: "barn") == .unproved)
    let places = [
      Scrub.Place("home", at: "memory", isHome: true, .success(shop.home)),
      Scrub.Place("barn", at: "memory", isHome: false, .success(shop.target)),
    ]
    func scrub() throws {
      let results = try Scrub(places, reference: home, openedAt: "home", Scrub.Options()).run()
      try home.machine.remember(results, first: 0, count: VerifyRound.parts, at: clock.clock.now())
    }
    try scrub()
    #expect(try evidence(1, at: "barn") == .proved && evidence(1, at: nil) == .unproved)
    clock.advance(days: 1)
    try shop.shop.fill([.full], clock)
    #expect(try shop.sync().isInStep)
    #expect(try evidence(2, at: "barn") == .unproved, "it came after the proof")
    let archive = try shop.archive(of: 2)
    shop.target.contents[archive]?[70] ^= 1
    try scrub()
    #expect(try evidence(1, at: "barn") == .damaged)
    try home.notes.noteScrubbed(name, damaged: [shop.shop.number(2)])
    #expect(try evidence(2, at: nil) == .damaged && evidence(1, at: nil) == .unproved)
  }

  @Test func aVerifyOfOneSnapshotProvesWhatItBuildsOn() throws {
    let shop = try makeShop([.full, .incremental])
    let home = try shop.shop.open()
    let chain = try [2, 1].map { try shop.shop.number($0) }
    clock.advance(days: 1)
    let now = clock.clock.now()
    var entry = JournalEntry(
      command: .verify, host: "here", began: now, ended: now, took: .milliseconds(1), status: 0)
    (entry.snapshot, entry.share) = (chain[0].id, 1)
    #expect(try home.journal.append(entry, to: chain[0].sourceName).isEmpty)
    let proofs = try RememberedProofs(of: chain[0].sourceName, in: home, targets: [:])
    #expect(proofs.evidence(for: chain, at: nil) == .proved)
  }
}
