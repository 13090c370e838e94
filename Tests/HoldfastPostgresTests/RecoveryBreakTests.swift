import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// One segment that cannot be followed ends a recovery where it is, and not what is said of the others.
@Suite struct RecoveryBreakTests {
  private static let noon = WALSample.noon
  private let pushes = WALSample()

  private func snapshot(_ shop: TestShop, ended: Int64 = noon - 1) throws {
    try pushes.snapshot(shop, from: LogSequenceNumber(0x100028), to: LogSequenceNumber(0x100030), ended: ended)
  }

  private func plan(_ target: RecoveryTarget, _ shop: TestShop) throws -> RecoveryPlan {
    try RecoveryPlanner(shop.repository, target: target, timeline: nil).plan(from: nil, of: nil) { _ in }
  }

  private func reach(_ shop: TestShop) throws -> WALStatus.Reach {
    try #require(WALStatus(shop.repository) { _ in }.run(nil).first?.snapshots.first)
  }

  @Test func aSegmentThatCannotBeFollowedEndsTheRecoveryThere() throws {
    var log = TestLog()
    log.commit(at: Self.noon)
    log.switchSegment()
    log.commit(at: Self.noon + 2)
    let last = log.filler(8)
    let broken = log.filler(2000)
    log.fill(leaving: 100)
    log.filler(500)
    log.commit(at: Self.noon + 5)
    log.switchSegment()
    log.commit(at: Self.noon + 9)
    log.switchSegment()
    let shop = try TestShop()
    for (index, segment) in log.segments.enumerated() {
      var bytes = segment.bytes
      if index == 1 { bytes[Int(broken.value % UInt64(TestLog.segmentBytes)) + 100] ^= 1 }
      _ = try pushes.push(segment.name.text, bytes, shop)
    }
    try snapshot(shop)
    let found = try reach(shop)
    #expect(
      found.end == broken && found.brokenAt == broken && found.lastTransaction == Timestamp(microseconds: Self.noon + 2)
    )
    #expect(found.minimalFrom == nil && found.missing == nil)
    for target in [
      RecoveryTarget.end, .lsn(log.place), .restorePoint("none"), .time(Timestamp(microseconds: Self.noon + 5)),
    ] {
      let error = try #require(throws: EngineError.self) { try plan(target, shop) }
      #expect(
        error.message.replacing(/snapshot [0-9a-f]{8}/, with: "snapshot ID")
          == "recovery from snapshot ID cannot reach \(target.text): beyond \(broken), in \(log.segments[1].name), the archived log cannot be followed; it can reach \(broken) on timeline 1 (the last record begins at \(last)), where the last transaction ended at 2026-09-21T14:13:20.000002Z"
      )
      #expect(
        error.hint
          == "Run `holdfast verify --data`; say --to-lsn \(last) for all that lies before; only a snapshot that was taken behind it leads further."
      )
      #expect(error.exitStatus == .dataLoss)
    }
    #expect(try plan(.lsn(last), shop).count == 2)
    #expect(try plan(.time(Timestamp(microseconds: Self.noon + 1)), shop).count == 2)
  }

  /// A fetch hands out what is unfinished for a segment that is missing, on whatever timeline the server asks for it.
  @Test func theEndIsNotWhatIsUnfinishedOfATimelineThatWasLeft() throws {
    var log = TestLog()
    log.commit(at: Self.noon)
    log.switchSegment()
    log.commit(at: Self.noon + 1)
    let count = Int(log.place.value % UInt64(TestLog.segmentBytes))
    log.switchSegment()
    let shop = try TestShop()
    _ = try pushes.push(log.segments[0].name.text, log.segments[0].bytes, shop)
    let beginning = log.segments[1].bytes[..<count] + [UInt8](repeating: 0, count: TestLog.segmentBytes - count)
    #expect(
      try pushes.push(log.segments[1].name.text, Array(beginning), shop).file.kind == .unfinishedSegment)
    _ = try pushes.push("00000002.history", Array("1\t0/200000\tno recovery target specified\n".utf8), shop)
    try snapshot(shop)
    let error = try #require(throws: EngineError.self) { try plan(.end, shop) }
    #expect(
      error.message
        == "recovery to the end of timeline 2 would go on along timeline 1, which it has left: 000000020000000000000002 is not archived, and a server takes 000000010000000000000002.unfinished in its place"
    )
  }

  /// Counts reads of one file.
  private final class Reads: OperationProbe {
    private let part: String
    private let reads = Mutex(0)
    init(_ part: String) { self.part = part }
    var count: Int { reads.withLock { $0 } }

    func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
      if operation == .read, path.description.contains(part) { reads.withLock { $0 += 1 } }
    }

    func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
  }

  /// As of what an earlier version has archived: what was not noted is in the log itself.
  @Test func whatWasNotNotedIsReadOnceForAllSnapshots() throws {
    var log = TestLog()
    for index in 0..<1100 { log.restorePoint("point \(index)", at: Self.noon) }
    log.switchSegment()
    log.commit(at: Self.noon + 5)
    log.switchSegment()
    let shop = try TestShop()
    for segment in log.segments { _ = try pushes.push(segment.name.text, segment.bytes, shop) }
    func reads() throws -> Int {
      let probe = Reads(log.segments[0].name.text + "-")
      let logs = try WALStatus(shop.repository(probe: probe)) { _ in }.run(nil)
      #expect(logs.first?.snapshots.allSatisfy { $0.lastTransaction == Timestamp(microseconds: Self.noon + 5) } == true)
      return probe.count
    }
    try snapshot(shop)
    let once = try reads()
    for index in 1..<6 { try snapshot(shop, ended: Self.noon - 10 * Int64(index)) }
    #expect(try once > 0 && reads() == once)
  }
}
