import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A manifest may be on its way for so long that another run takes the lease meanwhile. What was acknowledged is whole,
/// and stays.
@Suite struct LateCommitTests {
  private static let late = TimeSpan.seconds(150)
  private let clock = TestClock("2026-03-01T12:00:00Z")
  private let memory = MemoryStore()

  private func shop(_ store: HookedStore) throws -> TestShop {
    let shop = try TestShop(workers: 1, store: store, clock: clock.clock)
    try shop.fill([.full, .incremental], clock)
    return shop
  }

  /// Takes an incremental whose manifest arrives late.
  private func backUp(
    _ shop: TestShop, _ store: HookedStore, progress: QuietProgress = QuietProgress(),
    meanwhile: @escaping @Sendable () throws -> Void
  ) throws -> Backup.Report {
    TestFiles.write("one more", to: shop.source.appending("one more"))
    store.beforeNext("sources/source/0000000003/manifest.json") { [clock] in
      clock.advance(Self.late)
      try meanwhile()
    }
    return try shop.backup(in: shop.open(), progress: progress)
  }

  /// What another run does that takes the objects for leftovers.
  private func removeLeftovers(_ part: String = "") {
    for key in memory.contents.keys where key.hasPrefix("sources/source/0000000003/" + part) {
      memory.contents[key] = nil
    }
  }

  private func expectNothingCommitted(_ shop: TestShop) throws {
    #expect(memory.contents["sources/source/0000000003/manifest.json"] == nil)
    #expect(try shop.numbers() == [1, 2])
    try shop.expectSound()
    // The same command again succeeds.
    let report = try shop.backup(in: shop.open())
    #expect(report.envelope.sequence == 3)
    try shop.expectSound()
  }

  @Test func aSnapshotThatCameLateAndIsWholeCounts() throws {
    let store = HookedStore(memory)
    let shop = try shop(store)
    _ = try backUp(shop, store) {}
    #expect(try shop.numbers() == [1, 2, 3])
    try shop.expectSound()
  }

  @Test(arguments: ["", "body-", "archive-"]) func aSnapshotWhoseObjectsAreGoneIsWithdrawn(part: String) throws {
    let store = HookedStore(memory)
    let shop = try shop(store)
    let error = #expect(throws: EngineError.self) { try backUp(shop, store) { removeLeftovers(part) } }
    #expect(
      error?.message.hasPrefix(
        "the manifest of this snapshot took too long to store, and another run has removed what belongs to it: sources/source/000000000"
      ) == true)
    #expect(error?.message.hasSuffix("; nothing was committed") == true && error?.scope == .transient)
    try expectNothingCommitted(shop)
  }

  /// A prune notes what it collects before it removes it.
  @Test func aSnapshotWhoseParentIsCollectedIsWithdrawn() throws {
    let store = HookedStore(memory)
    let shop = try shop(store)
    let error = #expect(throws: EngineError.self) {
      try backUp(shop, store) {
        let repository = try shop.open()
        let parent = try shop.number(2)
        try repository.notes.change(parent.sourceName) { notes, reading in
          notes[parent.id, parent.sequence].removed = SourceNotes.Removal(
            revision: reading.notes.revision + 1, time: RecordedTime(repository.host.clock.now()), isCollected: true)
          return true
        }
      }
    }
    #expect(error?.message.contains("sources/source/0000000002/manifest.json is damaged: it was pruned") == true)
    #expect(memory.contents["sources/source/0000000003/manifest.json"] == nil)
    #expect(try shop.numbers() == [1])
  }

  /// Only the manifest that this run has made is its own to remove.
  @Test func theManifestOfAnotherRunIsNotRemoved() throws {
    let shop = try shop(HookedStore(memory))
    let catalog = try shop.open().catalog
    let snapshot = try shop.number(2)
    try catalog.withdraw([1, 2, 3], of: snapshot.sourceName, 2)
    try catalog.withdraw([1, 2, 3], of: snapshot.sourceName, 9)
    #expect(try shop.numbers() == [1, 2])
  }

  // MARK: With leases

  /// Takes the lease, as another run does that saw no new number for two minutes.
  private func takeOver(_ shop: TestShop) throws {
    let numbers = LeaseNumbers(store: memory, name: "source")
    let record = LeaseRecord(
      holder: Randomness.system.identifier(), term: .minutes(2), locked: false, host: "other", process: 7,
      time: RecordedTime(text: "2026-03-01T12:00:00.000Z"))
    let next = try (numbers.all().max() ?? 0) + 1
    try #require(try LeaseHolder(numbers, record, clock: clock.clock, terms: LeaseTerms()).ask(for: next))
  }

  @Test func whoWasNotOvertakenSucceeds() throws {
    let store = HookedStore(memory, hasLeases: true)
    let shop = try shop(store)
    _ = try backUp(shop, store) {}
    #expect(try shop.numbers() == [1, 2, 3])
  }

  /// Another run has the lease, and may have looked before the manifest was there: it may still remove everything.
  @Test func whatAnotherRunMayStillRemoveIsNotAcknowledged() throws {
    let store = HookedStore(memory, hasLeases: true)
    let shop = try shop(store)
    let error = #expect(throws: LeaseError.self) { try backUp(shop, store) { try takeOver(shop) } }
    #expect(error == .committedLate(name: "source", location: "memory"))
    #expect(error?.scope == .transient)
    #expect(
      error?.message
        == "the manifest of this snapshot took too long to store, and another run has taken over source in memory, or may have: the snapshot is there, but the other run may still remove it"
    )
    // It is whole, so others may build on it.
    #expect(try shop.numbers() == [1, 2, 3])
    try shop.expectSound()
    // If it is removed, this machine does not miss it.
    removeLeftovers()
    try shop.expectSound()
  }

  @Test func whoWasOvertakenAndLostItsObjectsSaysThatNothingWasCommitted() throws {
    let store = HookedStore(memory, hasLeases: true)
    let shop = try shop(store)
    #expect(throws: LeaseError.taken(name: "source", location: "memory")) {
      try backUp(shop, store) {
        try takeOver(shop)
        removeLeftovers()
      }
    }
    #expect(memory.contents["sources/source/0000000003/manifest.json"] == nil)
    #expect(try shop.numbers() == [1, 2])
  }

  // MARK: Merges

  @Test func aMergeIsWithdrawnToo() throws {
    let store = HookedStore(memory)
    let shop = try shop(store)
    store.beforeNext("sources/source/0000000003/manifest.json") { [clock] in
      clock.advance(Self.late)
      removeLeftovers()
    }
    #expect(throws: EngineError.self) { try shop.merge() }
    #expect(memory.contents["sources/source/0000000003/manifest.json"] == nil)
    #expect(try shop.numbers() == [1, 2])
  }
}
