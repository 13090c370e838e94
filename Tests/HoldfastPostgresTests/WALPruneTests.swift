import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// An archived log does not grow for ever: what lies before every snapshot that is left goes, and nothing else.
@Suite struct WALPruneTests {
  private let pushes = WALSample()
  private let log = WALSample.log()

  /// Three segments, a snapshot that begins in the first and one that begins in the third; and what a killed push has
  /// left.
  private func makeShop() throws -> TestShop {
    let shop = try TestShop()
    for segment in log.segments { _ = try pushes.push(segment.name.text, segment.bytes, shop) }
    for (number, ended) in [(UInt64(1), WALSample.noon - 2), (3, WALSample.noon + 2)] {
      let start = number << 20
      try pushes.snapshot(
        shop, from: LogSequenceNumber(start + 0x20), to: LogSequenceNumber(start + 0x28), ended: ended)
    }
    return shop
  }

  private func names(_ shop: TestShop) throws -> [String] {
    try WALArchive(shop.open(), of: pushes.source).files(of: log.system).map(\.text)
  }

  @Test func whatLiesBeforeEverySnapshotThatIsLeftGoes() throws {
    let shop = try makeShop()
    let all = log.segments.map(\.name.text)
    let dry = try shop.prune(graceDays: 0, isDryRun: true)
    #expect(dry.sources[0].logs.map(\.files) == [2])
    #expect(try names(shop) == all)
    // As long as the older snapshot can be called back, its log stays.
    #expect(try shop.prune().sources[0].logs == [])
    #expect(try names(shop) == all)
    let report = try shop.prune(graceDays: 0)
    #expect(report.sources[0].logs.map(\.files) == [2])
    #expect(report.sources[0].logs.map(\.bytes) == dry.sources[0].logs.map(\.bytes))
    #expect(report.sources[0].logs.allSatisfy { $0.bytes > 0 })
    #expect(try names(shop) == [all[2]])
    let files = TestFiles.allFiles(in: shop.repositoryPath.appending("wal"))
    #expect(files.count == 2, "a manifest and what it names")
    try shop.expectSound()
    #expect(try shop.prune(graceDays: 0).sources[0].logs == [])
  }

  /// With the source goes all its log, when no snapshot is left that could be called back.
  @Test func theLogOfASourceThatIsRemovedGoesWithItsLastSnapshot() throws {
    let shop = try makeShop()
    func remove(graceDays: Double) throws -> Prune.Report {
      try shop.prune(graceDays: graceDays) { $0.rules.policy = .removingSource }
    }
    #expect(try remove(graceDays: 7).sources[0].logs == [])
    #expect(try names(shop).count == 3)
    #expect(try remove(graceDays: 0).sources[0].logs.map(\.files) == [3])
    #expect(try names(shop) == [])
    // A server that was not told goes on archiving: that goes with the next one.
    _ = try pushes.push(log.segments[0].name.text, log.segments[0].bytes, shop)
    #expect(try shop.prune(graceDays: 7).sources[0].logs.map(\.files) == [1])
    #expect(try names(shop) == [])
  }

  /// What is archived before the first snapshot belongs to no source that was removed.
  @Test func logAloneIsNoSourceThatWasRemoved() throws {
    let shop = try TestShop()
    for segment in log.segments { _ = try pushes.push(segment.name.text, segment.bytes, shop) }
    _ = try shop.prune(graceDays: 0) {
      $0.rules.policy = .removingSource
      $0.source = pushes.source
    }
    #expect(try names(shop).count == 3)
  }

  /// Nobody can say yet what will begin where.
  @Test func withoutASnapshotOfTheClusterEverythingStays() throws {
    let shop = try TestShop()
    for segment in log.segments { _ = try pushes.push(segment.name.text, segment.bytes, shop) }
    TestFiles.write("no cluster", to: shop.source.appending("file"))
    for _ in 0..<2 { try shop.backup(.full) { $0.name = pushes.source } }
    #expect(try shop.prune(graceDays: 0).sources[0].logs == [])
    #expect(try names(shop).count == 3)
  }

  /// It was made anew, by initdb or pg_upgrade, under the same name.
  @Test func theLogOfAFormerClusterGoesWithItsLastSnapshot() throws {
    let shop = try makeShop()
    let now = Clock.system.now().microseconds
    let successor = SystemIdentifier(log.system.value + 1)
    // One that began before the log ended may belong to a cluster beside it.
    for (ended, left) in [(now - 60_000_000, 3), (now + 60_000_000, 0)] {
      try pushes.snapshot(
        shop, from: LogSequenceNumber(1 << 20), to: LogSequenceNumber(2 << 20), ended: ended, system: successor)
      if left > 0 { #expect(try shop.prune().sources[0].logs == [], "its snapshots can be called back") }
      let report = try shop.prune(graceDays: 0)
      #expect(report.sources[0].logs.map(\.files) == (left == 0 ? [3] : []))
      #expect(try names(shop).count == left)
    }
    #expect(TestFiles.allFiles(in: shop.repositoryPath.appending("wal")) == [])
    try shop.expectSound()
  }

  // MARK: Copies

  /// A damaged copy beside a sound one, as where nothing could be removed when it was archived anew.
  @Test func aDamagedCopyGoesWhereAnotherOneIsSound() throws {
    let shop = try makeShop()
    let (name, bytes) = (log.segments[2].name.text, log.segments[2].bytes)
    func files(_ part: String) -> [Path] {
      TestFiles.allFiles(in: shop.repositoryPath.appending("wal")).filter { $0.text.contains(part) }
    }
    let (manifest, object) = try (#require(files(name + ".json").first), #require(files(name + "-").first))
    let (first, stored) = try (#require(TestFiles.read(manifest)), #require(TestFiles.read(object)))
    TestFiles.remove(object)
    _ = try pushes.push(name, bytes, shop)
    TestFiles.write(first, to: manifest)
    TestFiles.write(stored, to: object)
    #expect(try shop.prune().sources[0].logs == [], "both are sound")
    TestFiles.overwrite(object, at: 200, with: [0xff, 0xfe, 0xfd])
    let dry = try shop.prune(isDryRun: true)
    #expect(dry.sources[0].logs.map(\.damagedCopies) == [1])
    #expect(files(name).count == 4)
    let report = try shop.prune()
    #expect(report.sources[0].logs.map(\.damagedCopies) == [1] && report.sources[0].logs.map(\.files) == [0])
    #expect(files(name).count == 2 && !files(name).contains(object))
    #expect(try pushes.fetch(name, shop) == bytes)
    try shop.expectSound()
    // The only one stays, damaged as it may be.
    TestFiles.overwrite(try #require(files(name + "-").first), at: 200, with: [0xff, 0xfe, 0xfd])
    #expect(try shop.prune().sources[0].logs == [])
    #expect(files(name).count == 2)
  }

  // MARK: Timelines

  private func floor(_ timeline: UInt32, _ starts: (UInt32, UInt64)...) -> UInt64? {
    WALRetention(
      starts.map { WALRetention.Start(timeline: $0.0, lsn: LogSequenceNumber($0.1)) }
    ).floor(of: timeline)?.value
  }

  @Test func theOldestSnapshotOfATimelineSaysWhatOfItIsNeeded() {
    #expect(floor(1, (1, 500), (1, 300)) == 300)
    #expect(floor(1) == nil)
  }

  /// A recovery may go over from any older timeline, wherever it branched off.
  @Test func aTimelineIsKeptWholeWhileThereIsASnapshotOnAnOlderOne() {
    #expect(floor(2, (1, 500), (2, 300)) == nil)
    #expect(floor(3, (1, 500)) == nil)
  }

  /// Nothing that is left begins on it.
  @Test func aTimelineThatWasLeftGoesUpToTheOldestSnapshotOfThoseAfterIt() {
    #expect(floor(1, (2, 700), (3, 900)) == 700)
  }
}
