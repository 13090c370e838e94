import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What happens at the same time, on machines whose locks keep nobody out.
@Suite struct PruneRaceTests {
  private let clock = TestClock("2026-03-01T12:00:00Z")
  private let store = HookedStore(MemoryStore())
  private let shop: TestShop

  init() throws {
    shop = try TestShop(workers: 1, store: store, clock: clock.clock)
    try shop.fill([.full, .incremental, .incremental], clock)
  }

  /// Says of all snapshots that they are removed, as another writer may.
  private func removeAll(isCollected: Bool) throws {
    let repository = try shop.open()
    let name = try #require(SourceName("source"))
    try repository.notes.change(name) { notes, reading in
      for snapshot in try repository.catalog.allSnapshots(onDamage: { _ in }) {
        notes[snapshot.id, snapshot.sequence].removed = SourceNotes.Removal(
          revision: reading.notes.revision + 1, time: RecordedTime(clock.clock.now()), isCollected: isCollected)
      }
      return true
    }
  }

  /// Takes an incremental, and does something just before its manifest, or its body, is committed.
  private func backup(
    meddling part: String, progress: QuietProgress = QuietProgress(), _ meddle: @escaping @Sendable () throws -> Void
  ) throws -> Backup.Report {
    TestFiles.write("one more", to: shop.source.appending("one more"))
    store.beforeNext(part, meddle)
    return try shop.backup(in: shop.open(), progress: progress)
  }

  // MARK: Backup and prune

  @Test func aBackupCallsBackWhatItBuildsOn() throws {
    let progress = QuietProgress()
    let report = try backup(meddling: "/body-", progress: progress) { try removeAll(isCollected: false) }
    #expect(report.envelope.kind == .incremental)
    let ids = try (1...3).map { try shop.number(UInt64($0)).id.short }
    #expect(
      progress.warnings
        == ids.map { "snapshot \($0) was removed meanwhile; it is called back, because this one builds on it" })
    #expect(try shop.numbers() == [1, 2, 3, 4])
    try shop.expectSound()
  }

  @Test func aBackupDoesNotCommitOnWhatIsBeyondRecall() throws {
    let full = try shop.number(1).id.short
    let error = #expect(throws: EngineError.self) {
      try backup(meddling: "/body-") { try removeAll(isCollected: true) }
    }
    #expect(
      error?.message
        == "what the snapshot builds on was pruned while it was taken, so nothing was committed: snapshot \(full) is being collected: it does not come back"
    )
    #expect(error?.hint == "Run the same command again.")
    #expect(try shop.numbers(removed: true) == [1, 2, 3])
    // The same command again takes a full, and says why.
    let progress = QuietProgress()
    let again = try shop.backup(in: shop.open(), progress: progress)
    #expect(again.envelope.kind == .full)
    #expect(progress.warnings == ["snapshot \(full) was pruned, so nothing builds on it: taking a full"])
    #expect(try shop.numbers() == [4])
  }

  /// The newest is never pruned, so what a running backup builds on stays; and what it has stored so far is not taken
  /// for leftovers.
  @Test(arguments: [SnapshotKind.incremental, .differential], ["/archive-", "/body-", "/manifest.json"])
  func aPruneDuringABackupTakesNothingFromIt(kind: SnapshotKind, part: String) throws {
    try shop.fill([.full, .incremental], clock)
    TestFiles.write("one more", to: shop.source.appending("one more"))
    store.beforeNext(part) { try shop.prune(graceDays: 0) }
    let report = try shop.backup(kind, in: shop.open())
    #expect(report.envelope.sequence == 6)
    #expect(try shop.numbers() == [4, 5, 6])
    try shop.expectSound()
  }

  /// A tag is noted before the snapshot is committed, so that no prune comes between.
  @Test func aSnapshotIsTaggedFromTheBeginning() throws {
    let tag = try #require(Tag("release"))
    TestFiles.write("one more", to: shop.source.appending("one more"))
    store.beforeNext("/manifest.json") { try shop.prune(graceDays: 0) }
    try shop.backup(in: shop.open()) { $0.tags = [tag] }
    try shop.fill([.full], clock)
    #expect(
      try shop.prune { $0.rules.policy.tags = [tag] }.actions == ["1 keep", "2 keep", "3 keep", "4 keep", "5 keep"])
    #expect(try shop.open().notes.read(shop.number(4).sourceName).notes[shop.number(4)].tags == [tag])
  }

  // MARK: Notes

  /// Of two at once one begins again from what the other wrote.
  @Test func aPinThatComesWhileAPrunePlansIsHeeded() throws {
    try shop.fill([.full], clock)
    store.beforeNext("/notes/") { try shop.open().notes.pin(shop.number(2), reason: "mine") }
    #expect(try shop.prune(graceDays: 0).actions == ["1 keep", "2 keep", "3 collected", "4 keep"])
    try shop.expectSound()
  }

  /// The note that something is beyond recall comes before anything is removed, so calling back is in time or refused.
  @Test func whatIsCalledBackJustBeforeItsCollectionStays() throws {
    try shop.fill([.full], clock)
    try shop.prune()
    clock.advance(days: 8)
    store.beforeNext("/notes/") { try _ = shop.undelete(shop.number(3)) }
    let report = try shop.prune()
    #expect(report.actions == ["1 keep", "2 keep", "3 keep", "4 keep"])
    #expect(report.sources[0].lines[2].action == .kept([.calledBack]))
    #expect(try shop.numbers() == [1, 2, 3, 4])
    try shop.expectSound()
  }

  @Test func whatIsBeyondRecallIsNotCalledBack() throws {
    try shop.fill([.full], clock)
    try removeAll(isCollected: true)
    let second = try shop.number(2)
    let full = try shop.number(1).id.short
    #expect(
      throws: EngineError(
        .usage, "snapshot \(full) is being collected: it does not come back",
        hint: "While `holdfast restore \(full)` still finds it, restore it elsewhere.")
    ) { try shop.undelete(second) }
  }

  @Test func whatIsRemovedIsNotMarked() throws {
    try shop.fill([.full], clock)
    try shop.prune()
    let first = try shop.number(1)
    let refusal = EngineError(
      .usage, "snapshot \(first.id.short) is removed", hint: "Run `holdfast undelete \(first.id.short)` first.")
    #expect(throws: refusal) { try shop.open().notes.pin(first, reason: "") }
    #expect(throws: refusal) { try shop.open().notes.tag(first, add: [], remove: []) }
  }

  /// Somebody who lists while revisions are replaced sees one of them, never none.
  @Test func aReaderNeverMissesTheNotes() throws {
    let name = try #require(SourceName("source"))
    try shop.open().notes.pin(shop.number(1), reason: "")
    let repository = try shop.open()
    for turn in 0..<30 {
      let tag = try #require(Tag("turn-\(turn)"))
      _ = try repository.notes.tag(
        shop.number(2), add: [tag], remove: turn > 0 ? Set([Tag("turn-\(turn - 1)")].compactMap { $0 }) : [])
      let notes = try repository.notes.read(name).notes
      #expect(try notes[shop.number(1)].pinned != nil)
      #expect(try notes[shop.number(2)].tags == [tag])
    }
    #expect(try store.names(below: Keys.notes(name)).count == 8)
  }
}
