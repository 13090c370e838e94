import FoundationEssentials
import HoldfastModel
import HoldfastRepository
import Testing

/// What a machine remembers of removals outlives an update of the program: its bytes stay.
@Suite struct WaitingRecordTests {
  @Test func theClockIsStoredInWholeSeconds() throws {
    let snapshot = try #require(Identifier(bytes: 1...16 as ClosedRange<UInt8>))
    var record = WaitingRecord()
    let item = WaitingRecord.Item(source: "orders", snapshot: snapshot, revision: 3)
    for (uptime, now) in [(TimeSpan.seconds(5), Int64(1_790_000_000)), (.seconds(7), 1_790_000_002)] {
      record.update(
        [item], of: "orders", grace: .hours(1), boot: "b", uptime: uptime,
        now: Timestamp(seconds: now, nanoseconds: 999_999_999))
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let bytes = try encoder.encode(record)
    #expect(
      String(decoding: bytes, as: UTF8.self)
        == #"{"boot":"b","clock":1790000002,"uptime":7,"waiting":[{"item":{"revision":3,"snapshot":"\#(snapshot)","source":"orders"},"seconds":2}]}"#
    )
    // After a restart, the clock counts from what was stored.
    var read = try JSONDecoder().decode(WaitingRecord.self, from: bytes)
    read.update(
      [item], of: "orders", grace: .hours(1), boot: "c", uptime: .zero,
      now: Timestamp(seconds: 1_790_000_012, nanoseconds: 0))
    #expect(read.all == [item: .seconds(12)])
  }
}
