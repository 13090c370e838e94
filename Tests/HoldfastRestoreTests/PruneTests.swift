import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Removal in two steps, with what can be called back between them.
@Suite struct PruneTests {
  private let clock = TestClock("2026-03-01T12:00:00Z")

  private func makeShop(_ kinds: [SnapshotKind] = [.full, .full, .full], isSealed: Bool = false) throws -> TestShop {
    let shop = try TestShop(workers: 1, clock: clock.clock, isSealed: isSealed)
    try shop.fill(kinds, clock)
    return shop
  }

  // MARK: Two steps

  @Test(arguments: [false, true])
  func whatNoRuleKeepsIsHiddenAtOnceAndGoneAfterTheGracePeriod(isSealed: Bool) throws {
    let shop = try makeShop(isSealed: isSealed)
    let contents = TestFiles.allFiles(in: shop.repositoryPath.appending("sources"))
    #expect(try shop.prune().actions == ["1 removed", "2 removed", "3 keep"])
    #expect(try shop.numbers() == [3])
    #expect(try shop.numbers(removed: true) == [1, 2, 3])
    // Everything is still there, and can be restored by its ID.
    #expect(Set(TestFiles.allFiles(in: shop.repositoryPath)).isSuperset(of: contents))
    try shop.restore(shop.number(1).id.description, to: "again", in: shop.open())
    clock.advance(days: 6.9)
    #expect(try shop.prune().actions == ["1 waits 0 d", "2 waits 0 d", "3 keep"])
    clock.advance(days: 0.2)
    #expect(try shop.prune().actions == ["1 collected", "2 collected", "3 keep"])
    #expect(try shop.numbers(removed: true) == [3])
    #expect(TestFiles.names(in: shop.repositoryPath.appending("sources/source")).sorted() == ["0000000003", "notes"])
    try shop.expectSound()
    #expect(try shop.prune().actions == ["3 keep"])
    #expect(try shop.open().notes.read(shop.number(3).sourceName).notes.notes == [])
  }

  @Test func withoutAGracePeriodItGoesAtOnce() throws {
    let shop = try makeShop()
    #expect(try shop.prune(graceDays: 0).actions == ["1 collected", "2 collected", "3 keep"])
    #expect(try shop.numbers(removed: true) == [3])
  }

  @Test func whatIsCalledBackStaysAndWaitsAnew() throws {
    let shop = try makeShop([.full, .incremental, .full])
    try shop.prune()
    clock.advance(days: 6)
    try shop.prune()
    let second = try shop.number(2)
    #expect(try shop.undelete(second).map(\.sequence) == [1, 2])
    #expect(try shop.undelete(second) == [])
    #expect(try shop.numbers() == [1, 2, 3])
    try shop.open().notes.pin(second, reason: "")
    #expect(try shop.prune().actions == ["1 keep", "2 keep", "3 keep"])
    #expect(try shop.open().notes.unpin(second))
    #expect(try shop.open().notes.unpin(second) == false)
    #expect(try shop.prune().actions == ["1 removed", "2 removed", "3 keep"])
    clock.advance(days: 6)
    #expect(try shop.prune().actions == ["1 waits 1 d", "2 waits 1 d", "3 keep"])
    clock.advance(days: 2)
    #expect(try shop.prune().actions == ["1 collected", "2 collected", "3 keep"])
  }

  /// A chain goes from its tip down, as far as nothing kept builds on it.
  @Test func whatAKeptOneBuildsOnStays() throws {
    let shop = try makeShop([.full, .incremental, .incremental, .incremental, .full])
    try shop.open().notes.pin(shop.number(3), reason: "")
    #expect(
      try shop.prune(graceDays: 0).actions == ["1 keep", "2 keep", "3 keep", "4 collected", "5 keep"])
    try shop.expectSound()
  }

  @Test func aDryRunSaysTheSameAndDoesNothing() throws {
    let shop = try makeShop([.full, .incremental, .full, .full])
    let before = TestFiles.allFiles(in: shop.directory.path)
    for grace in [7.0, 0.0] {
      let dry = try shop.prune(graceDays: grace, isDryRun: true)
      #expect(TestFiles.allFiles(in: shop.directory.path) == before)
      let copy = try makeShop([.full, .incremental, .full, .full])
      #expect(try dry.actions == copy.prune(graceDays: grace).actions)
    }
  }

  @Test func anEmptyPolicyIsRefused() throws {
    let shop = try makeShop([.full])
    #expect(
      throws: EngineError(
        .usage, "no rule says what to keep",
        hint:
          "Say at least one of --keep-last, --keep-daily and the like, or set `keep` for the source in the configuration; --dry-run shows what would go.",
        exitStatus: .usage)
    ) { try shop.prune(last: 0) }
  }

  /// What goes now and what went before are told apart.
  @Test func oneRunRemovesAndCollects() throws {
    let shop = try makeShop()
    try shop.prune(last: 2)
    clock.advance(days: 8)
    #expect(try shop.prune(isDryRun: true).actions == ["1 collected", "2 removed", "3 keep"])
    #expect(try shop.prune().actions == ["1 collected", "2 removed", "3 keep"])
    #expect(try shop.prune().actions == ["2 waits 7 d", "3 keep"])
  }

  // MARK: Numbers

  /// The next snapshot never gets the number of one that is gone, even where the newest is lost besides.
  @Test func aNumberIsNeverUsedAgain() throws {
    let shop = try makeShop([.full, .full, .full])
    try shop.prune(graceDays: 0)
    TestFiles.removeTree(shop.repositoryPath.appending("sources/source/0000000003"))
    #expect(try shop.backup(in: shop.open()).envelope.sequence == 4)
  }

  /// What was pruned is no sign that a repository was put back.
  @Test func noMachineTakesAPruneForARollback() throws {
    let shop = try makeShop([.full, .full, .full], isSealed: true)
    let other = ClientMemory(directory: shop.directory.appending("another machine"))
    #expect(try shop.open(memory: other).catalog.allSnapshots { _ in }.count == 3)
    try shop.fill([.full], clock)
    try shop.prune(graceDays: 0)
    #expect(try shop.numbers() == [4])
    _ = try shop.open(memory: other).catalog.allSnapshots { Issue.record("\($0)") }
    #expect(try shop.backup(.full, in: shop.open()).envelope.sequence == 5)
  }

  // MARK: What stops it

  @Test func nothingIsRemovedOfADamagedSource() throws {
    let shop = try makeShop()
    TestFiles.overwrite(
      shop.repositoryPath.appending("sources/source/0000000002/manifest.json"), at: 10, with: [1, 2])
    let report = try shop.prune(graceDays: 0)
    #expect(report.exitStatus == .dataLoss)
    #expect(
      report.sources.map(\.refusal?.message) == [
        "nothing of source is removed while something of it is damaged or missing: sources/source/0000000002/manifest.json is damaged: its first line does not have the digest on its second"
      ])
    #expect(TestFiles.names(in: shop.repositoryPath.appending("sources/source")).count == 3)
  }

  /// Nothing builds on it, but it was said to stay: its manifest may come back, and its archives are all that is left
  /// of it.
  @Test(arguments: [false, true]) func nothingIsRemovedWhereSomethingThatWasMarkedIsMissing(isRemoved: Bool) throws {
    let shop = try makeShop([.full, .full, .full])
    let first = try shop.number(1)
    if isRemoved { try shop.prune(last: 2) } else { try shop.open().notes.pin(first, reason: "auditors") }
    let manifest = shop.repositoryPath.appending("sources/source/0000000001/manifest.json")
    let aside = shop.directory.appending("aside")
    TestFiles.rename(manifest, to: aside)
    let report = try shop.prune(last: 2, graceDays: 0)
    #expect(report.exitStatus == .dataLoss)
    #expect(
      report.sources.map(\.refusal?.message) == [
        "nothing of source is removed while something of it is damaged or missing: sources/source/0000000001/manifest.json is damaged: it is missing, and nobody has removed it"
      ])
    TestFiles.rename(aside, to: manifest)
    try shop.expectSound()
  }

  /// An object that cannot be read for a moment is no leftover.
  @Test func whatBecomesUnreadableDuringThePruneStays() throws {
    let memory = MemoryStore()
    let store = HookedStore(memory)
    let shop = try TestShop(workers: 1, store: store, clock: clock.clock)
    try shop.fill([.full, .full, .full], clock)
    let pinned = try shop.number(2)
    try shop.open().notes.pin(pinned, reason: "auditors")
    let key = Keys.manifest(pinned.sourceName, 2)
    let sound = try #require(memory.contents[key])
    // The first revision of the notes says what is removed, the second what is collected: damaged in between.
    store.beforeNext("/notes/") { memory.contents[key] = sound.map { ~$0 } }
    let report = try shop.prune(last: 1, graceDays: 0)
    #expect(report.exitStatus == .dataLoss)
    #expect(memory.contents[key] == sound.map { ~$0 })
    memory.contents[key] = sound
    try shop.expectSound()
    #expect(try shop.numbers(removed: true) == [1, 2, 3])
  }

  /// Older notes, written anew under a higher number, would hide that newer ones were lost.
  @Test func damagedNotesAreNotWrittenOver() throws {
    let shop = try makeShop([.full, .full, .full])
    _ = try shop.open().notes.tag(shop.number(1), add: [#require(Tag("q4"))], remove: [])
    try shop.open().notes.pin(shop.number(1), reason: "auditors")
    let notes = shop.repositoryPath.appending("sources/source/notes")
    let name = try #require(TestFiles.names(in: notes).max())
    let place = try #require(TestFiles.allFiles(in: notes.appending(name)).first)
    let sound = try #require(TestFiles.read(place))
    TestFiles.overwrite(place, at: 3, with: [0, 0])
    #expect(try shop.prune(graceDays: 0).exitStatus == .dataLoss)
    let repository = try shop.open()
    try repository.notes.notePassed(shop.verify(in: repository), share: 1)
    #expect(try shop.prune(graceDays: 0).exitStatus == .dataLoss, "a verify does not cover it up")
    TestFiles.write("order", to: shop.source.appending("another order"))
    let report = try shop.backup(in: shop.open()) { $0.tags = (try? [#require(Tag("nightly"))]) ?? [] }
    #expect(report.exitStatus == .incomplete && report.envelope.sequence == 4)
    #expect(report.problems.count == 1)
    #expect(
      report.problems.first?.reason.hasPrefix("the snapshot does not bear its tags: sources/source/notes/") == true)
    #expect(try shop.prune(graceDays: 0).exitStatus == .dataLoss, "nor does a backup")
    TestFiles.write(sound, to: place)
    #expect(try shop.prune(graceDays: 0).actions.first == "1 keep")
  }

  /// What is to go may be all that can be restored.
  @Test(arguments: ["archive-", "body-"], [true, false]) func nothingIsRemovedWhereWhatWouldBeLeftIsNotWhole(
    kind: String, isMissing: Bool
  ) throws {
    let shop = try makeShop([.full, .full, .full])
    let folder = shop.repositoryPath.appending("sources/source/0000000003")
    let name = try #require(TestFiles.names(in: folder).first { $0.hasPrefix(kind) })
    let length = try #require(TestFiles.read(folder.appending(name))).count
    if isMissing { TestFiles.remove(folder.appending(name)) } else { TestFiles.write("", to: folder.appending(name)) }
    let id = try shop.number(3).id.short
    let finding = isMissing ? "is missing" : "has 0 bytes instead of \(length)"
    for isDryRun in [true, false] {
      let report = try shop.prune(graceDays: 0, isDryRun: isDryRun)
      #expect(report.exitStatus == .dataLoss)
      #expect(
        report.sources.map(\.refusal?.message) == [
          "nothing of source is removed while \(id), which is to stay, is not whole: sources/source/0000000003/\(name) \(finding)"
        ])
      #expect(
        report.sources.map(\.refusal?.hint) == [
          "Take a new full and prove it: `holdfast backup --full`, `holdfast verify --data`. Then prune by rules that do not keep \(id) nor what builds on it."
        ])
      #expect(try shop.numbers(removed: true) == [1, 2, 3])
    }
    // What is whole and kept is enough: the damaged one may go.
    try shop.backup(.full, in: shop.open())
    #expect(try shop.prune(graceDays: 0).exitStatus == .done)
    #expect(try shop.numbers(removed: true) == [4])
    try shop.expectSound()
  }

  @Test func aSourceThatSomebodyWorksOnIsLeftOut() throws {
    let shop = try makeShop()
    let lock = try shop.open().store.lock("source", wait: false, cancellation: Cancellation())
    let report = try shop.prune()
    #expect(report.exitStatus == .locked)
    #expect(report.sources.map(\.refusal?.message) == ["another run works on source: nothing of it was removed"])
    withExtendedLifetime(lock) {}
  }

  @Test func ofEachSourceItsOwnAreKept() throws {
    let shop = try makeShop([.full, .full])
    for _ in 0..<2 { try shop.backup(.full, in: shop.open()) { $0.name = SourceName("other") } }
    let report = try shop.prune()
    #expect(report.sources.map(\.name.text) == ["other", "source"])
    #expect(report.actions == ["1 removed", "2 keep", "1 removed", "2 keep"])
    let place = try shop.open().location
    #expect(
      throws: EngineError(
        .usage, "there is no source nobody in \(place)", hint: "Run `holdfast list` to see all sources.")
    ) { try shop.prune { $0.source = SourceName("nobody") } }
  }

  // MARK: Proofs

  @Test func theNewestFullThatAVerifyProvedStays() throws {
    let shop = try makeShop([.full, .full, .full])
    let repository = try shop.open()
    var report = try shop.verify(in: repository)
    try repository.notes.notePassed(report, share: 1)
    try shop.fill([.full], clock)
    #expect(try shop.prune().actions == ["1 removed", "2 removed", "3 keep", "4 keep"])
    // Damage takes it back.
    let key = try #require(try shop.number(3).envelope.archives.first)
    let archive = shop.repositoryPath.appending("sources/source/0000000003/archive-\(key.id)")
    TestFiles.overwrite(archive, at: 70, with: [0, 0, 0])
    report = try shop.verify(in: shop.open())
    #expect(report.exitStatus == .dataLoss)
    try shop.open().notes.notePassed(report, share: 1)
    #expect(try shop.open().notes.read(shop.number(4).sourceName).notes[shop.number(3)].proved == nil)
    #expect(try shop.open().notes.read(shop.number(4).sourceName).notes[shop.number(4)].proved?.share == 100)
  }

  /// To have read another part of a full mends nothing of it.
  @Test func afterDamageOnlyAWholeProofCounts() throws {
    let shop = try makeShop([.full, .full])
    let repository = try shop.open()
    try repository.notes.notePassed(shop.verify(in: repository), share: 1)
    let archive = try #require(try shop.number(2).envelope.archives.first)
    let place = shop.repositoryPath.appending("sources/source/0000000002/archive-\(archive.id)")
    let byte = try #require(TestFiles.read(place, at: 70, count: 1))
    TestFiles.overwrite(place, at: 70, with: byte.map { ~$0 })
    try repository.notes.notePassed(shop.verify(in: shop.open()), share: 1)
    let source = try shop.number(2).sourceName
    for share in [0, 0.3, 0.99] {
      // What a look at a part finds, where the damage lies in another.
      try repository.notes.notePassed(shop.verify(data: false, in: shop.open()), share: share)
      #expect(try repository.notes.read(source).notes[shop.number(2)].proved == nil, "\(share)")
    }
    try shop.fill([.full], clock)
    #expect(try shop.prune(isDryRun: true).actions == ["1 keep", "2 removed", "3 keep"])
    TestFiles.overwrite(place, at: 70, with: byte)
    try repository.notes.notePassed(shop.verify(in: shop.open()), share: 1)
    #expect(try repository.notes.read(source).notes[shop.number(2)].proved?.share == 100)
  }

  @Test func proofsAreKeptOfSoManyOnly() throws {
    let shop = try makeShop(Array(repeating: .full, count: 20))
    let repository = try shop.open()
    try repository.notes.notePassed(shop.verify(in: repository), share: 1)
    let notes = try repository.notes.read(shop.number(1).sourceName).notes
    #expect(notes.notes.map(\.sequence) == Array(5...20))
    for _ in 0..<20 {
      clock.advance(days: 1)
      try repository.notes.notePassed(shop.verify(data: false, in: repository), share: 0)
    }
    #expect(TestFiles.names(in: shop.repositoryPath.appending("sources/source/notes")).count == 1)
    // What was read stays read when it is only looked at.
    #expect(try repository.notes.read(shop.number(1).sourceName).notes == notes)
  }
}
