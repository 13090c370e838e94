import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Everything that a snapshot needs is locked to the end of its term, and nothing is asked for twice a day.
@Suite struct SnapshotTermTests {
  private let clock = TestClock("2026-11-29T10:00:00Z")
  private let directory = TemporaryDirectory()

  private func makeShop(
    _ lock: ObjectLock? = ObjectLock(.compliance, days: 10), isSealed: Bool = false
  ) throws -> (TestShop, LockingStore) {
    let host = TestHost.make(clock: clock.clock)
    let store = LockingStore(LocalStore(directory: directory.appending("store"), host: host), lock)
    return (try TestShop(workers: 1, store: store, clock: clock.clock, isSealed: isSealed), store)
  }

  /// The keys of the objects that a chain of these has, and of those of the repository itself.
  private func keys(of numbers: [UInt64], in shop: TestShop, and more: [String] = [Keys.descriptor]) throws -> [String]
  {
    try numbers.reduce(more) { keys, number in
      let snapshot = try shop.number(number)
      return keys + [Keys.manifest(snapshot.sourceName, number)] + snapshot.objects.map(\.key)
    }.sorted()
  }

  private func ends(_ shop: TestShop) throws -> [String?] {
    try shop.numbers().map { try shop.number($0).envelope.lockedUntil.map { String($0.description.prefix(10)) } }
  }

  @Test func aChainIsExtendedWithItsFirstSnapshotOfADay() throws {
    let (shop, store) = try makeShop()
    try shop.fill([.full])
    #expect(store.takeExtensions() == [.init(keys: [Keys.descriptor], end: "2026-12-10")])
    try shop.fill([.incremental, .incremental])
    #expect(store.takeExtensions() == [])
    clock.advance(days: 1)
    let first = try keys(of: [1, 2, 3], in: shop)
    try shop.fill([.incremental, .incremental])
    #expect(store.takeExtensions() == [.init(keys: first, end: "2026-12-11")])
    #expect(try ends(shop) == ["2026-12-10", "2026-12-10", "2026-12-10", "2026-12-11", "2026-12-11"])
  }

  /// Each builds on the full alone, which none of them has made.
  @Test func differentialsExtendTheirFullOnceADay() throws {
    let (shop, store) = try makeShop()
    try shop.fill([.full])
    _ = store.takeExtensions()
    for end in ["2026-12-11", "2026-12-12"] {
      clock.advance(days: 1)
      let full = try keys(of: [1], in: shop)
      try shop.fill([.differential])
      #expect(store.takeExtensions() == [.init(keys: full, end: end)])
      // One builds on the differential, and the others on the full again.
      try shop.fill([.differential, .incremental, .differential])
      #expect(store.takeExtensions() == [])
    }
  }

  /// What the repository itself contributes.
  @Test func fullsExtendTheRepositoryOnceADay() throws {
    let (shop, store) = try makeShop()
    for end in ["2026-12-10", "2026-12-11"] {
      try shop.fill([.full, .full])
      #expect(store.takeExtensions() == [.init(keys: [Keys.descriptor], end: end)])
      clock.advance(days: 1)
    }
  }

  /// A recovery from a snapshot needs the log from its beginning on, as long as the snapshot is locked.
  @Test func theArchivedLogOfAChainIsExtendedWithIt() throws {
    let (pushes, log) = (WALSample(), WALSample.log())
    let store = LockingStore(
      LocalStore(directory: directory.appending("repository"), host: TestHost.make(clock: clock.clock)),
      ObjectLock(.compliance, days: 10))
    let shop = try TestShop(workers: 1, store: store, clock: clock.clock, directory: directory)
    for segment in log.segments { _ = try pushes.push(segment.name.text, segment.bytes, shop) }
    // It begins in the second of three segments.
    let start: UInt64 = 2 << 20
    try pushes.snapshot(
      shop, from: LogSequenceNumber(start + 0x20), to: LogSequenceNumber(start + 0x28), ended: WALSample.noon)
    _ = store.takeExtensions()
    let needed = log.segments.dropFirst().map(\.name.text)
    let root = shop.repositoryPath.text + "/"
    let archived = TestFiles.allFiles(in: shop.repositoryPath.appending("wal"))
    let expected = archived.map { String($0.text.dropFirst(root.count)) }
      .filter { key in needed.contains { key.contains("/\($0)") } }.sorted()
    #expect(expected.count == 4, "manifests and what they name")
    for end in ["2026-12-11", "2026-12-12"] {
      clock.advance(days: 1)
      for isFirst in [true, false] {
        TestFiles.write("\(end) \(isFirst)", to: shop.source.appending("order"))
        try shop.backup(.incremental) { $0.name = pushes.source }
        let told = store.takeExtensions()
        #expect(told.map(\.end) == (isFirst ? [end] : []))
        #expect(told.flatMap(\.keys).filter { $0.hasPrefix(Keys.wal) } == (isFirst ? expected : []))
      }
    }
  }

  @Test func theKeyringAndTheNewestNotesAreNeededToo() throws {
    let (shop, store) = try makeShop(isSealed: true)
    try shop.fill([.full])
    #expect(store.takeExtensions().map(\.keys) == [[Keys.descriptor, Keys.keyring(1)].sorted()])
    let name = try shop.number(1).sourceName
    let repository = try shop.open()
    try repository.notes.change(name) { notes, _ in
      notes[try shop.number(1).id, 1].tags = [try #require(Tag("kept"))]
      return true
    }
    clock.advance(days: 1)
    let more = [Keys.descriptor, Keys.keyring(1), Keys.notes(name, 1)]
    let expected = try keys(of: [1], in: shop, and: more)
    try shop.fill([.incremental])
    #expect(store.takeExtensions().map(\.keys) == [expected])
  }

  /// The first objects of a run that goes over midnight have the shorter term.
  @Test func aRunOverMidnightExtendsWhatItHasStoredBefore() throws {
    let (shop, store) = try makeShop()
    store.afterUpload(of: "archive-") { clock.advance(days: 1) }
    try shop.fill([.full])
    let snapshot = try shop.number(1)
    let expected = ([Keys.descriptor] + snapshot.objects.map(\.key)).sorted()
    #expect(store.takeExtensions() == [.init(keys: expected, end: "2026-12-11")])
    #expect(try ends(shop) == ["2026-12-11"])
  }

  /// A chain that was begun without a lock, or with a shorter one.
  @Test func whatWasNotLockedIsLockedWithTheNextSnapshot() throws {
    let (shop, store) = try makeShop(nil)
    try shop.fill([.full])
    #expect(store.takeExtensions() == [])
    #expect(try ends(shop) == [nil])
    for (days, end) in [(3, "2026-12-03"), (10, "2026-12-10")] {
      store.lock(ObjectLock(.governance, days: days))
      let expected = try keys(of: shop.numbers(), in: shop)
      try shop.fill([.incremental])
      #expect(store.takeExtensions() == [.init(keys: expected, end: end)])
    }
    // A shorter term shortens nothing.
    store.lock(ObjectLock(.governance, days: 1))
    try shop.fill([.incremental])
    #expect(store.takeExtensions() == [])
  }

  /// What a manifest says of a term has been done.
  @Test func withoutItsTermNoSnapshotIsCommitted() throws {
    let (shop, store) = try makeShop()
    let failure = S3Error.notPermitted(location: "PLACE", action: "s3:PutObjectRetention")
    store.answer(failure: failure)
    #expect(throws: failure) { try shop.fill([.full]) }
    #expect(try shop.open().catalog.sequences(of: SourceName("source") ?? shop.number(1).sourceName) == [1])
    #expect(try shop.numbers() == [])
  }

  @Test func whatWasWrittenOverIsToldOf() throws {
    let (shop, store) = try makeShop()
    for (replaced, text) in [
      (["a"], "1 object of the repository, a first, was"), (["a", "b"], "2 objects of the repository, a first, were"),
    ] {
      store.answer(replaced: replaced)
      let progress = QuietProgress()
      TestFiles.write(text, to: shop.source.appending("order"))
      try shop.backup(.full, progress: progress)
      #expect(
        progress.warnings == [
          "\(text) written over or removed by somebody; the first version of each is kept locked: read docs/operations.md, \"Everything was deleted\""
        ])
      clock.advance(days: 1)
    }
  }

  // MARK: Pruning

  @Test func aSnapshotIsCollectedWhenItsLockHasEnded() throws {
    let (shop, _) = try makeShop()
    try shop.fill([.full, .full])
    #expect(try shop.prune(graceDays: 1).actions == ["1 removed", "2 keep"])
    #expect(try shop.prune(graceDays: 1).actions == ["1 waits 1 d", "2 keep"])
    clock.advance(days: 2)
    for _ in 1...2 {
      #expect(try shop.prune(graceDays: 1, isDryRun: true).actions == ["1 locked until 2026-12-10", "2 keep"])
      #expect(try shop.prune(graceDays: 1).actions == ["1 locked until 2026-12-10", "2 keep"])
    }
    try shop.expectSound()
    #expect(try shop.numbers(removed: true) == [1, 2])
    clock.advance(days: 9)
    #expect(try shop.prune(graceDays: 1).actions == ["1 collected", "2 keep"])
    #expect(try shop.numbers(removed: true) == [2])
  }

  /// What builds on a snapshot has extended its lock.
  @Test func aSnapshotIsLockedAsLongAsWhatBuildsOnIt() throws {
    let (shop, _) = try makeShop()
    try shop.fill([.full])
    clock.advance(days: 5)
    try shop.fill([.incremental, .full])
    #expect(try shop.prune(graceDays: 1).actions == ["1 removed", "2 removed", "3 keep"])
    clock.advance(days: 8)
    #expect(
      try shop.prune(graceDays: 1).actions
        == ["1 locked until 2026-12-15", "2 locked until 2026-12-15", "3 keep"])
    clock.advance(days: 3)
    #expect(try shop.prune(graceDays: 1).actions == ["1 collected", "2 collected", "3 keep"])
  }

  /// Another host may have locked it, or the bucket.
  @Test func aRefusalInTheMiddleIsNoFailure() throws {
    let (shop, store) = try makeShop(nil)
    try shop.fill([.full, .full, .full])
    store.refuseRemovals(until: TimeText.parse("2026-12-24T00:00:00Z"))
    let report = try shop.prune(graceDays: 0)
    #expect(report.actions == ["1 locked until 2026-12-24", "2 collected", "3 keep"])
    #expect(report.exitStatus == .done)
    try shop.expectSound()
    store.refuseRemovals(until: nil)
    #expect(try shop.prune(graceDays: 0).actions == ["1 collected", "3 keep"])
    #expect(try shop.numbers(removed: true) == [3])
  }
}
