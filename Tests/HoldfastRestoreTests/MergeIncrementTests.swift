import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// The end of a chain, merged into one increment: it stands for the newest of them, stores what its state still needs,
/// and whatever was taken before and after comes back.
@Suite struct MergeIncrementTests {
  enum Place: CaseIterable, Sendable {
    case open, sealed
    /// In a sealed repository, on another machine than the one that takes the backups and can open nothing.
    case sealedElsewhere
  }

  private struct Day {
    let snapshot: Snapshot
    let tree: TreeDescription
  }

  /// Fourteen days by a seed; after one in three of them the end of the chain becomes one increment, on a parent that
  /// the seed chooses.
  private func takeDays(_ shop: TestShop, seed: UInt64, _ place: Place) throws -> (days: [Day], merged: Int) {
    var mutator = SourceMutator(seed: seed, root: shop.source)
    var random = SeededRandom(seed: ~seed)
    mutator.fill()
    var (days, merged): ([Day], Int) = ([], 0)
    for day in 0..<14 {
      if day > 0 { mutator.change() }
      let isDifferential = day > 0 && random.next() % 8 == 0
      let report = try shop.backup(isDifferential ? .differential : nil, in: shop.open(as: .backupHost))
      let name = "seed \(seed), day \(day)"
      #expect(report.problems == [], "\(name)")
      #expect(report.envelope.kind == (day == 0 ? .full : isDifferential ? .differential : .incremental), "\(name)")
      let tree = TreeDescription(of: shop.source)
      let taken = try shop.snapshot(report.envelope.snapshot.description)
      days.append(Day(snapshot: taken, tree: tree))
      guard day == 13 || day > 1 && random.next() % 3 == 0 else { continue }
      let chain = try shop.repository.catalog.chain(to: taken)
      let count = chain.snapshots.count
      let parent = chain.snapshots[Int(random.next() % UInt64(count))]
      let bases: [MergeBase] = [
        .increments, .beforeNewest(1 + Int(random.next() % UInt64(count))),
        .snapshot(SnapshotSelector(.id(parent.id.description))),
      ]
      let base = parent == taken ? .increments : bases[Int(random.next() % 3)]
      guard let made = try merge(chain, onto: base, in: shop, place, name) else { continue }
      merged += 1
      days.append(Day(snapshot: made, tree: tree))
    }
    return (days, merged)
  }

  /// - Returns: `nil` when there was nothing to merge.
  private func merge(
    _ chain: Chain, onto base: MergeBase, in shop: TestShop, _ place: Place, _ name: String
  ) throws -> Snapshot? {
    let cache = place == .sealedElsewhere ? shop.directory.appending("other cache") : nil
    let report = try shop.merge(in: shop.open(as: .everybody), cache: cache) {
      ($0.base, $0.listBytes) = (base, 64)
    }
    guard let envelope = report.envelope, let parent = report.parent else {
      #expect(report.envelope == nil && report.merged.count < 2 || report.parent == nil, "\(name): \(base)")
      return nil
    }
    let original = chain.tip
    #expect(envelope.kind == .incremental && envelope.parent == parent.asParent, "\(name)")
    #expect(envelope.features.contains(Feature.mergedIncrement), "\(name)")
    #expect(envelope.time == original.envelope.time, "\(name)")
    let stood = original.envelope.merged?.sequence ?? original.sequence
    #expect(envelope.merged?.sequence == stood && parent.sequence < stood, "\(name)")
    #expect(envelope.state.bytes == original.envelope.state.bytes, "\(name)")
    if place == .open { #expect(envelope.state == original.envelope.state, "\(name)") }
    let merged = try shop.snapshot(envelope.snapshot.description)
    #expect(try shop.snapshot() == merged, "\(name): it is the newest")
    return merged
  }

  private static let seeds = Trials.seeds(byDay: 3, atNight: 12)
  private static let places = (0..<12).map { Place.allCases[$0 % 3] }

  @Test(arguments: zip(seeds, places))
  func everySnapshotComesBack(seed: UInt64, place: Place) throws {
    let shop = try TestShop(isSealed: place != .open)
    let (days, merged) = try takeDays(shop, seed: seed, place)
    #expect(merged > 0, "seed \(seed)")
    let report = try shop.verify(data: true)
    #expect(report.exitStatus == .done, "seed \(seed): \(report.snapshots.flatMap(\.findings).map(\.message))")
    for (index, day) in days.enumerated() {
      try shop.restore(day.snapshot.id.description, to: "day \(index)")
      let restored = TreeDescription(of: shop.directory.appending("day \(index)"))
      #expect(restored.differences(from: day.tree) == [], "seed \(seed), snapshot \(day.snapshot.sequence)")
    }
    guard place == .open, let last = days.last else { return }
    let target = shop.directory.appending("rescued")
    let result = try RescueScript.run([
      shop.repositoryPath.description, "restore", last.snapshot.id.description, target.description,
    ])
    #expect(result.status == 0, "seed \(seed): \(result.output)")
    #expect(TreeDescription(of: target).differences(from: last.tree) == [], "seed \(seed), rescued")
    let verified = try RescueScript.run([shop.repositoryPath.description, "verify"])
    #expect(verified.status == 0, "seed \(seed): \(verified.output)")
  }

  /// A full, and days on which page 3 changes each time, page 5 changes and changes back, and a file comes and goes.
  private func makeShop(days: Int, clock: TestClock? = nil) throws -> TestShop {
    let shop = try clock.map { try TestShop(workers: 1, clock: $0.clock) } ?? TestShop(workers: 1)
    var random = SeededRandom(seed: 11)
    let database = shop.source.appending("orders.db")
    TestFiles.write(random.text(400_000), to: database)
    try shop.backup()
    for day in 1...days {
      TestFiles.overwrite(database, at: 3 * 4096, with: [UInt8(day), 1])
      let page = TestFiles.read(database).map { Array($0[20_480..<20_482]) } ?? []
      if day == 1 { TestFiles.overwrite(database, at: 20_480, with: [page[0] ^ 1, page[1]]) }
      if day == 2 { TestFiles.overwrite(database, at: 20_480, with: [page[0] ^ 1, page[1]]) }
      if day == 1 { TestFiles.write("a draft", to: shop.source.appending("draft")) }
      if day == 2 { TestFiles.remove(shop.source.appending("draft")) }
      clock?.advance(.days(1))
      try shop.backup()
    }
    return shop
  }

  @Test func onlyWhatTheStateStillNeedsIsStored() throws {
    let shop = try makeShop(days: 4)
    let made = try #require(try shop.merge { $0.base = .increments }.envelope)
    #expect(made.changes.pages == 1, "page 3 as it is now; page 5 is as the full has it")
    #expect(made.changes.added == 0 && made.changes.removed == 0, "the draft came and went")
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.repository.catalog.chain(to: shop.snapshot()).snapshots.map(\.sequence) == [1, 6])
    // The next one builds on it, and it is merged in turn.
    TestFiles.overwrite(shop.source.appending("orders.db"), at: 9 * 4096, with: [7, 7])
    #expect(try shop.backup().envelope.parent?.snapshot == made.snapshot)
    let again = try #require(try shop.merge { $0.base = .beforeNewest(2) }.envelope)
    #expect(again.parent?.sequence == 1 && again.merged?.sequence == 7 && again.changes.pages == 2)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.merge { $0.base = .increments }.envelope == nil, "there is only one")
  }

  /// What is merged goes when no rule keeps it, and the newest stays whole.
  @Test func theBranchThatWasMergedGoes() throws {
    let clock = TestClock("2026-03-01T12:00:00Z")
    let shop = try makeShop(days: 4, clock: clock)
    try shop.merge(in: shop.open()) { $0.base = .increments }
    #expect(
      try shop.prune(graceDays: 0).actions == [
        "1 keep", "2 collected", "3 collected", "4 collected", "5 collected", "6 keep",
      ])
    try shop.expectSound()
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// An older snapshot that is merged does not become the newest.
  @Test func theMergeOfAnOlderOneIsNotTheNewest() throws {
    let shop = try makeShop(days: 4)
    let original = try shop.number(4)
    let made = try #require(try shop.merge(original.id.description) { $0.base = .increments }.envelope)
    #expect(made.merged?.sequence == 4 && made.sequence == 6)
    #expect(try shop.snapshot().sequence == 5)
    TestFiles.overwrite(shop.source.appending("orders.db"), at: 9 * 4096, with: [7, 7])
    #expect(try shop.backup().envelope.parent?.sequence == 5)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify(data: true).exitStatus == .done)
  }

  @Test func whatIsNotInTheChainIsNoParent() throws {
    let shop = try makeShop(days: 2)
    try shop.backup(.full)
    let other = try shop.number(2)
    let error = #expect(throws: EngineError.self) {
      try shop.merge { $0.base = .snapshot(SnapshotSelector(.id(other.id.description))) }
    }
    #expect(error?.message == "snapshot \(try shop.snapshot().id.short) does not build on \(other.id.short)")
    #expect(error?.exitStatus == .usage)
  }

  /// A reader refuses what contradicts itself, and one that does not know the feature refuses it by its name.
  @Test func whatContradictsItselfIsRefused() throws {
    let shop = try makeShop(days: 3)
    var envelope = try #require(try shop.merge { $0.base = .increments }.envelope)
    func isRefused(_ envelope: Envelope) -> Bool {
      guard let bytes = try? envelope.serialized() else { return false }
      return (try? Snapshot(parsing: bytes, name: "manifest.json")) == nil
    }
    #expect(!isRefused(envelope))
    envelope.features = []
    #expect(isRefused(envelope), "an old reader would take it for another increment")
    envelope.features = [Feature.mergedIncrement]
    envelope.merged?.sequence = 1
    #expect(isRefused(envelope), "it would build on the snapshot that it stands for")
    envelope.merged = nil
    #expect(isRefused(envelope))
  }
}
