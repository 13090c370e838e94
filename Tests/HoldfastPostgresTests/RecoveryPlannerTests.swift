import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Which snapshot a recovery begins with, and whether it can reach its target: on logs made by hand, where every record
/// is known.
@Suite struct RecoveryPlannerTests {
  private static let noon = WALSample.noon
  private let pushes = WALSample()

  private func push(_ log: TestLog, _ shop: TestShop, but missing: Set<Int> = []) throws {
    for (index, segment) in log.segments.enumerated() where !missing.contains(index) {
      _ = try pushes.push(segment.name.text, segment.bytes, shop)
    }
  }

  private func plan(
    _ target: RecoveryTarget, _ shop: TestShop, from named: Snapshot? = nil, timeline: UInt32? = nil
  ) throws -> RecoveryPlan {
    try RecoveryPlanner(shop.repository, target: target, timeline: timeline.map { .number($0) }).plan(
      from: named, of: nil
    ) { _ in }
  }

  private func refusal(_ target: RecoveryTarget, _ shop: TestShop) throws -> String {
    do {
      return "\(try plan(target, shop).count)"
    } catch let error as EngineError {
      return error.message.replacing(/snapshot [0-9a-f]{8}/, with: "snapshot ID")
    }
  }

  private func time(_ microseconds: Int64) -> RecoveryTarget { .time(Timestamp(microseconds: microseconds)) }

  @Test func aTargetIsProvedByTheRecordBehindIt() throws {
    let shop = try TestShop()
    let log = WALSample.log()
    try push(log, shop)
    try pushes.snapshot(
      shop, from: LogSequenceNumber(0x100020), to: LogSequenceNumber(0x100028), ended: Self.noon - 3_600_000_000)
    #expect(try plan(time(Self.noon - 1), shop).count == 1)
    #expect(try plan(time(Self.noon), shop).count == 2)
    #expect(try plan(time(Self.noon + 4), shop).count == 2)
    // The only later record begins in the second segment and ends in the third: neither of them alone tells.
    #expect(try plan(time(Self.noon + 5), shop).count == 3)
    #expect(try plan(time(Self.noon + 8), shop).count == 3)
    let reach =
      "the archive ends with 000000010000000000000003; it can reach 0/300050 on timeline 1 (the last record begins at 0/300038), where the last transaction ended at 2026-09-21T14:13:20.000005Z"
    #expect(
      try refusal(time(Self.noon + 9), shop).replacing(/0\/[0-9A-F]+/, with: "LSN")
        == "recovery from snapshot ID cannot reach 2026-09-21T14:13:20.000009Z: \(reach)".replacing(
          /0\/[0-9A-F]+/, with: "LSN"))
    #expect(try plan(.restorePoint("release 7"), shop).count == 1)
    #expect(try refusal(.restorePoint("release"), shop).hasPrefix("recovery from snapshot ID cannot reach the restore"))
    #expect(try plan(.lsn(LogSequenceNumber(0x200028)), shop).count == 2)
    #expect(try plan(.end, shop).count == 3)
    #expect(try plan(.end, shop).last.text == "000000010000000000000003")
  }

  /// PostgreSQL refuses the number of a timeline whose history it does not find.
  @Test func aTimelineWithoutItsHistoryIsTheOneOfTheSnapshot() throws {
    let shop = try TestShop()
    var first = TestLog()
    var second = first.branch(timeline: 2)
    first.commit(at: Self.noon)
    second.commit(at: Self.noon)
    second.switchSegment()
    let segment = second.segments[0]
    _ = try pushes.push(segment.name.text, segment.bytes, shop)
    try pushes.snapshot(
      shop, from: LogSequenceNumber(0x100028), to: LogSequenceNumber(0x100030), ended: Self.noon - 1, timeline: 2)
    let plan = try plan(.end, shop)
    #expect(plan.timeline == 2)
    #expect(RecoverySettings(plan, restoreCommand: "x").lines.last == "recovery_target_timeline = 'current'")
  }

  /// After a failover the old server may go on archiving, and a server that recovers takes a segment from any timeline
  /// of its history.
  @Test func theEndIsNotThatOfATimelineThatWasLeft() throws {
    let shop = try TestShop()
    try push(WALSample.log(), shop)
    try pushes.snapshot(
      shop, from: LogSequenceNumber(0x100020), to: LogSequenceNumber(0x100028), ended: Self.noon - 3_600_000_000)
    _ = try pushes.push("00000002.history", Array("1\t0/300000\tno recovery target specified\n".utf8), shop)
    let error = try #require(throws: EngineError.self) { try plan(.end, shop) }
    #expect(
      error.message
        == "recovery to the end of timeline 2 would go on along timeline 1, which it has left: 000000020000000000000003 is not archived, and a server takes 000000010000000000000003 in its place"
    )
    let place = try #require(error.hint?.firstMatch(of: /Say --to-lsn (0\/[0-9A-F]+), where/)?.output.1)
    let target = try #require(LogSequenceNumber(String(place)))
    #expect(try plan(.lsn(target), shop).last.text == "000000010000000000000002")
    #expect(try plan(.end, shop, timeline: 1).last.text == "000000010000000000000003")
  }

  @Test func recoveryNeverStopsBeforeTheSnapshotIsWholeWhateverClocksSay() throws {
    let shop = try TestShop()
    try push(WALSample.log(), shop)
    // By its clock it ended an hour before; by its log the first commit lies in it.
    try pushes.snapshot(
      shop, from: LogSequenceNumber(0x100020), to: LogSequenceNumber(0x100030), ended: Self.noon - 3_600_000_000)
    #expect(
      try refusal(time(Self.noon - 1), shop)
        == "no snapshot of orders on the way to timeline 1 ended before 2026-09-21T14:13:19.999999Z")
    #expect(try plan(time(Self.noon), shop).count == 2)
  }

  @Test func theNewestSnapshotThatEndedBeforeTheTargetIsTaken() throws {
    let shop = try TestShop()
    var log = TestLog()
    var stops: [LogSequenceNumber] = []
    for index in 0..<4 {
      log.filler(100)
      stops.append(log.place)
      log.restorePoint("again", at: Self.noon + Int64(index) * 1_000_000)
      log.commit(at: Self.noon + Int64(index) * 1_000_000)
      log.switchSegment()
    }
    try push(log, shop)
    let first = try pushes.snapshot(shop, from: LogSequenceNumber(0x100028), to: stops[0], ended: Self.noon - 500_000)
    let second = try pushes.snapshot(
      shop, from: LogSequenceNumber(0x300028), to: stops[2], ended: Self.noon + 1_500_000)
    #expect(try plan(time(Self.noon + 1_000_000), shop).snapshot.id == first.id)
    #expect(try plan(time(Self.noon + 1_600_000), shop).snapshot.id == second.id)
    #expect(try plan(time(Self.noon + 1_600_000), shop, from: first).snapshot.id == first.id)
    #expect(try plan(.lsn(stops[1]), shop).snapshot.id == first.id)
    #expect(try plan(.lsn(stops[2]), shop).snapshot.id == second.id)
    #expect(try plan(.end, shop).snapshot.id == second.id)
    // Of several restore points of one name the server stops at the first that it meets.
    #expect(try plan(.restorePoint("again"), shop).last.text == "000000010000000000000003")
    #expect(
      try refusal(time(Self.noon - 600_000), shop)
        == "no snapshot of orders on the way to timeline 1 ended before 2026-09-21T14:13:19.400000Z")
  }

  @Test func aGapBeforeTheTargetIsNamedAndOneBehindItIsNot() throws {
    let shop = try TestShop()
    var log = TestLog()
    for index in 0..<5 {
      log.commit(at: Self.noon + Int64(index) * 1_000_000)
      log.switchSegment()
    }
    try push(log, shop, but: [2])
    try pushes.snapshot(shop, from: LogSequenceNumber(0x100028), to: LogSequenceNumber(0x100030), ended: Self.noon - 1)
    #expect(try plan(time(Self.noon), shop).count == 2)
    #expect(
      try refusal(time(Self.noon + 1_000_000), shop).contains(
        ": 000000010000000000000003 is missing in the archive, though 000000010000000000000004 is there; it can reach 0/"
      ))
    #expect(try refusal(.end, shop).contains("000000010000000000000003 is missing in the archive"))
    // What the snapshot itself begins with has to be there too.
    let late = try TestShop()
    try push(log, late, but: [0])
    try pushes.snapshot(late, from: LogSequenceNumber(0x100028), to: LogSequenceNumber(0x100030), ended: Self.noon - 1)
    #expect(
      try refusal(.end, late)
        == "recovery from snapshot ID cannot reach the end of the archive: 000000010000000000000001, with which it begins, is not archived"
    )
  }

  @Test func theWayFollowsTheHistoryOfTimelines() throws {
    let shop = try TestShop()
    var first = TestLog()
    first.commit(at: Self.noon)
    first.switchSegment()
    first.commit(at: Self.noon + 1_000_000)
    let fork = first.place
    var second = first.branch(timeline: 2)
    first.commit(at: Self.noon + 2_000_000)
    first.switchSegment()
    second.commit(at: Self.noon + 9_000_000)
    second.switchSegment()
    try push(first, shop)
    let branch = second.segments[1]
    _ = try pushes.push(branch.name.text, branch.bytes, shop)
    _ = try pushes.push("00000002.history", Array("1\t\(fork)\tno recovery target\n".utf8), shop)
    let early = try pushes.snapshot(
      shop, from: LogSequenceNumber(0x100028), to: LogSequenceNumber(0x100030), ended: Self.noon - 1)
    let plan = try plan(.end, shop)
    #expect(plan.timeline == 2 && plan.last.text == "000000020000000000000002" && plan.snapshot.id == early.id)
    #expect(try self.plan(.end, shop, timeline: 1).last.text == "000000010000000000000002")
    #expect(try refusal(time(Self.noon + 9_000_000), shop).hasPrefix("recovery from snapshot ID cannot reach"))
    #expect(RecoverySettings(plan, restoreCommand: "x").lines.last == "recovery_target_timeline = '2'")
    // A snapshot of what the second timeline has left behind is no beginning for it.
    let left = try pushes.snapshot(
      shop, from: LogSequenceNumber(0x200028), to: LogSequenceNumber(fork.value + 8), ended: Self.noon + 1_500_000)
    #expect(try self.plan(.end, shop).snapshot.id == early.id)
    #expect(try self.plan(.end, shop, timeline: 1).snapshot.id == left.id)
    #expect(try self.plan(.end, shop, from: left).timeline == 1)
  }

  @Test func withoutAClusterOrALogThereIsNoRecovery() throws {
    let shop = try TestShop()
    TestFiles.write("x", to: shop.source.appending("x"))
    try shop.backup { $0.name = pushes.source }
    #expect(
      try refusal(.end, shop) == "no snapshot holds a PostgreSQL cluster that was captured while its server ran")
    try pushes.snapshot(shop, from: LogSequenceNumber(0x100028), to: LogSequenceNumber(0x100030), ended: Self.noon)
    #expect(
      try refusal(.end, shop)
        == "no write-ahead log of cluster 7123456789012345678 is archived for orders")
  }

  @Test func settingsAreQuotedAndOlderOnesSilenced() throws {
    let shop = try TestShop()
    try push(WALSample.log(), shop)
    try pushes.snapshot(shop, from: LogSequenceNumber(0x100028), to: LogSequenceNumber(0x100030), ended: Self.noon - 1)
    let settings = RecoverySettings(
      try plan(.restorePoint("release 7"), shop),
      restoreCommand: ShellText.quotedForServer("/o'hara/100%\\x") + " wal fetch %f %p")
    #expect(
      settings.lines == [
        #"restore_command = '''/o''\\''''hara/100%%\\x'' wal fetch %f %p'"#, "recovery_target_name = 'release 7'",
        "recovery_target_inclusive = 'on'", "recovery_target_action = 'promote'", "recovery_target_timeline = '1'",
      ])
    // A server and a shell read bytes: a quote with a combining mark is one character, and so is \r\n.
    let odd = RecoverySettings(
      .unchanged, from: try shop.snapshot().id, restoreCommand: nil,
      others: [RecoverySettings.Setting("a.b", "'\u{301}\\\u{301}\r\n")])
    #expect(odd.lines.map { Array($0.utf8) } == [Array("a.b = '''\u{301}\\\\\u{301}\\r\\n'".utf8)])
    #expect(Array(ShellText.word("'\u{301}").utf8) == Array("''\\''\u{301}'".utf8))
    #expect(Array(ShellText.quotedForServer("%\u{301}").utf8) == Array("'%%\u{301}'".utf8))
    #expect(
      RecoverySettings(try plan(time(Self.noon), shop), restoreCommand: "x").lines[1]
        == "recovery_target_time = '2026-09-21 14:13:20.000000+00'")
  }
}
