import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What a log asks for is bounded for all of its files together, not for each alone.
@Suite struct RecoveryBoundTests {
  @Test func aLogThatChangesSettingsWithoutEndIsRefused() throws {
    let pushes = WALSample()
    var log = TestLog()
    for _ in 0..<17_000 { log.parameters(level: 1, connections: 100) }
    log.switchSegment()
    let shop = try TestShop()
    for segment in log.segments { _ = try pushes.push(segment.name.text, segment.bytes, shop) }
    try pushes.snapshot(
      shop, from: LogSequenceNumber(0x100028), to: LogSequenceNumber(0x100030), ended: WALSample.noon)
    let error = try #require(throws: EngineError.self) {
      try RecoveryPlanner(shop.repository, target: .end, timeline: nil).plan(from: nil, of: nil) { _ in }
    }
    let last = try #require(log.segments.last).name
    #expect(
      error.message
        == "the log of orders up to \(last) makes tablespaces and changes settings more than 16384 times")
    #expect(
      error.hint == "Take a snapshot that was taken later, or restore one as it was captured, without --to-….")
  }
}
