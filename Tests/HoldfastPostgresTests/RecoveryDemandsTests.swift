import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A recovery is not accepted that the server would break off, or that would write into what is not its own.
@Suite struct RecoveryDemandsTests {
  private static let noon = WALSample.noon
  private let pushes = WALSample()

  /// One shop with a log and a snapshot at its beginning.
  private func shop(_ log: TestLog) throws -> TestShop {
    let shop = try TestShop()
    for segment in log.segments { _ = try pushes.push(segment.name.text, segment.bytes, shop) }
    try pushes.snapshot(shop, from: LogSequenceNumber(0x100028), to: LogSequenceNumber(0x100030), ended: Self.noon - 1)
    return shop
  }

  private func plan(_ target: RecoveryTarget, _ shop: TestShop) throws -> RecoveryPlan {
    try RecoveryPlanner(shop.repository, target: target, timeline: nil).plan(from: nil, of: nil) { _ in }
  }

  private func restore(_ plan: RecoveryPlan, _ shop: TestShop) throws -> Restore.Report {
    var options = Restore.Options(target: shop.directory.appending("restored"))
    options.recovery = RecoverySettings(plan, restoreCommand: "x")
    return try Restore(
      repository: shop.repository, snapshot: plan.snapshot, options: options, progress: QuietProgress()
    ).run()
  }

  // MARK: wal_level

  @Test func noTargetIsAcceptedBehindALogThatNoServerReplays() throws {
    var log = TestLog()
    log.commit(at: Self.noon)
    log.restorePoint("before", at: Self.noon + 1)
    let last = log.filler(8)
    let barrier = log.parameters(level: 0, connections: 100)
    log.commit(at: Self.noon + 5)
    log.restorePoint("behind", at: Self.noon + 6)
    log.parameters(level: 1, connections: 100)
    log.switchSegment()
    log.commit(at: Self.noon + 9)
    log.switchSegment()
    let shop = try shop(log)
    for target in [
      RecoveryTarget.end, .restorePoint("behind"), .lsn(barrier), .time(Timestamp(microseconds: Self.noon + 5)),
    ] {
      let error = try #require(throws: EngineError.self) { try plan(target, shop) }
      #expect(
        error.message.replacing(/snapshot [0-9a-f]{8}/, with: "snapshot ID")
          == "recovery from snapshot ID cannot reach \(target.text): from \(barrier) on the log was written with wal_level = minimal, and no server replays that; it can reach \(barrier) on timeline 1 (the last record begins at \(last)), where the last transaction ended at 2026-09-21T14:13:20.000000Z"
      )
      #expect(
        error.hint
          == "Say --to-lsn \(last) for all that lies before; only a snapshot that was taken behind it leads further.")
    }
    #expect(try plan(.lsn(last), shop).count == 1)
    #expect(try plan(.restorePoint("before"), shop).count == 1)
    // The commit that ends the recovery is behind the barrier, so no server gets to see it.
    #expect(throws: EngineError.self) { try plan(.time(Timestamp(microseconds: Self.noon)), shop) }
    // What is shown of the archive is the same.
    let reach = try #require(WALStatus(shop.repository) { _ in }.run(nil).first?.snapshots.first)
    #expect(
      reach.end == barrier && reach.minimalFrom == barrier
        && reach.lastTransaction == Timestamp(microseconds: Self.noon))
  }

  /// A record that begins in one segment and ends in the next is in neither of them alone.
  @Test func aChangeThatCrossesTwoSegmentsIsSeen() throws {
    var log = TestLog()
    log.commit(at: Self.noon)
    log.fill(leaving: 32)
    while TestLog.segmentBytes - Int(log.place.value % UInt64(TestLog.segmentBytes)) > 40 { log.filler(1) }
    let barrier = log.parameters(level: 0, connections: 100)
    log.commit(at: Self.noon + 1)
    log.switchSegment()
    let shop = try shop(log)
    let error = try #require(throws: EngineError.self) { try plan(.end, shop) }
    #expect(error.message.contains("from \(barrier) on the log was written with wal_level = minimal"))
  }

  @Test func settingsThatTheLogAsksForAreKnown() throws {
    var log = TestLog()
    log.parameters(level: 1, connections: 200)
    log.commit(at: Self.noon)
    log.parameters(level: 1, connections: 150)
    log.commit(at: Self.noon + 1)
    log.parameters(level: 1, connections: 900)
    log.switchSegment()
    let shop = try shop(log)
    #expect(try plan(.end, shop).minima["max_connections"] == 900)
    #expect(try plan(.time(Timestamp(microseconds: Self.noon)), shop).minima["max_connections"] == 200)
  }

  // MARK: Tablespaces

  @Test func noTablespaceIsMadeOverWhatIsThere() throws {
    let directory = TemporaryDirectory()
    let place = directory.appending("late")
    var log = TestLog()
    log.commit(at: Self.noon)
    let before = log.filler(8)
    let made = log.tablespace(16_390, in: place.text)
    log.commit(at: Self.noon + 5)
    log.switchSegment()
    log.commit(at: Self.noon + 9)
    log.switchSegment()
    let shop = try shop(log)
    let plan = try plan(.end, shop)
    #expect(plan.tablespaces.map(\.oid) == [16_390] && plan.tablespaces.map(\.lsn) == [made])
    func refusal() -> EngineError? { #expect(throws: EngineError.self) { try restore(plan, shop) } }
    let what = "the recovery makes tablespace 16390 in \(place), as the log says"
    let instead = "; or say --to-lsn \(before), which ends before it is made."
    let missing = refusal()
    #expect(missing?.message == "\(what), and there is no such directory")
    #expect(missing?.hint == "Make it, empty, and let the user of the server own it\(instead)")
    TestFiles.write("x", to: place)
    let file = refusal()
    #expect(file?.message == "\(what), which is no directory")
    #expect(file?.hint == "Move it away, and make an empty directory\(instead)")
    TestFiles.remove(place)
    TestFiles.makeDirectory(place)
    TestFiles.makeDirectory(place.appending("PG_15_202209061"))
    let full = refusal()
    #expect(
      full?.message
        == "\(what), which is not empty (1 entry): the restored server would write over what is there")
    #expect(
      full?.hint
        == "Recover on a host where it is empty; where no server uses it any more, move it away and make it anew\(instead)"
    )
    #expect(!TestFiles.exists(shop.directory.appending("restored")))
    #expect(try self.plan(.lsn(before), shop).tablespaces.isEmpty)
    #expect(try self.plan(.lsn(made), shop).tablespaces.count == 1)
    #expect(try self.plan(.time(Timestamp(microseconds: Self.noon)), shop).tablespaces.count == 1)
    TestFiles.removeTree(place.appending("PG_15_202209061"))
    #expect(try restore(plan, shop).exitStatus == .done)
  }

  // MARK: Which snapshot

  @Test func aRestorePointIsLookedForFromOlderSnapshotsToo() throws {
    var log = TestLog()
    log.filler(100)
    log.restorePoint("release", at: Self.noon)
    log.switchSegment()
    let begin = log.place
    log.commit(at: Self.noon + 5)
    log.switchSegment()
    let shop = try shop(log)
    let newest = try pushes.snapshot(
      shop, from: begin, to: LogSequenceNumber(begin.value + 8), ended: Self.noon + 3)
    #expect(try plan(.restorePoint("release"), shop).snapshot.id != newest.id)
    let error = try #require(throws: EngineError.self) { try plan(.restorePoint("none"), shop) }
    #expect(error.message.contains("recovery from snapshot \(newest.id.short) cannot reach"))
  }

  /// After an upgrade the log begins anew, under another number, and the time before is that of the cluster before.
  @Test func aTimeBeforeAClusterWasMadeIsThatOfTheOneBefore() throws {
    var log = TestLog()
    log.commit(at: Self.noon)
    log.commit(at: Self.noon + 2)
    log.switchSegment()
    let shop = try shop(log)
    var later = TestLog(system: 42)
    later.commit(at: Self.noon + 100)
    later.commit(at: Self.noon + 102)
    later.switchSegment()
    for segment in later.segments { _ = try pushes.push(segment.name.text, segment.bytes, shop) }
    try pushes.snapshot(
      shop, from: LogSequenceNumber(0x100028), to: LogSequenceNumber(0x100030), ended: Self.noon + 50,
      system: SystemIdentifier(UInt64(42)))
    #expect(try plan(.time(Timestamp(microseconds: Self.noon)), shop).system == log.system)
    #expect(try plan(.time(Timestamp(microseconds: Self.noon + 101)), shop).system == later.system)
    #expect(try plan(.end, shop).system == later.system)
    // Behind the end of the newest log nobody looks at what another cluster did meanwhile.
    #expect(throws: EngineError.self) { try plan(.time(Timestamp(microseconds: Self.noon + 200)), shop) }
  }
}
