import HoldfastModel
import HoldfastSource
import Testing

/// Names of files of a log, and how timelines follow each other.
@Suite struct WALFileTests {
  @Test(arguments: [
    ("000000010000000A000000FF", WALFileName.Kind.segment, "000000010000000A"),
    ("000000010000000A000000FF.partial", .partialSegment, "000000010000000A"),
    ("000000010000000A000000FF.00000028.backup", .backupNote, "000000010000000A"),
    ("0000000B.history", .timelineHistory, "history"),
  ])
  func namesAreThoseOfPostgreSQL(_ text: String, _ kind: WALFileName.Kind, _ directory: String) throws {
    let name = try #require(WALFileName(text))
    #expect(name.kind == kind && name.directory == directory && name.text == text)
  }

  @Test(arguments: [
    "", "x", "000000010000000A000000ff", "000000010000000A000000FF.gz", "000000010000000A000000F", "0000000B",
    "000000000000000A000000FF", "00000000.history", "0000000B.history.partial", "000000010000000A000000FF.partial.",
    "000000010000000A000000FF.28.backup", "../0000000B.history", "0000000B.history/",
  ])
  func nothingElseIsOne(_ text: String) {
    #expect(WALFileName(text) == nil)
  }

  @Test func segmentsAreCountedThroughTheLog() throws {
    let size = try #require(WALSegmentSize(16 << 20))
    let name = try #require(WALFileName("000000010000000A000000FF"))
    #expect(name.number(size) == 0xaff)
    #expect(WALFileName(timeline: 1, number: 0xaff, size: size) == name)
    #expect(WALFileName("000000010000000A00000100")?.number(size) == nil)
    #expect(size.number(of: LogSequenceNumber(0xa_ff00_0000)) == 0xaff)
    #expect(WALFileName(timeline: 1, number: .max, size: size) == nil)
    for bytes in [0, 1, 1 << 19, (1 << 20) + 1, 1 << 31] as [UInt64] { #expect(WALSegmentSize(bytes) == nil) }
  }

  @Test func aHistoryTellsWhichTimelineHasASegment() throws {
    let size = try #require(WALSegmentSize(16 << 20))
    let text = "1\t0/5000000\tbefore 2026\n\n# a remark\n2\t0/7800000\tno recovery target\n"
    let history = try #require(TimelineHistory(Array(text.utf8), of: 3))
    #expect(history.steps.map(\.timeline) == [1, 2])
    #expect(history.timelines(holding: 4, size) == [1])
    #expect(history.timelines(holding: 5, size) == [2, 1], "at a switch the newer one has what the older one had")
    #expect(history.timelines(holding: 6, size) == [2])
    #expect(history.timelines(holding: 7, size) == [3, 2])
    #expect(history.timelines(holding: 9, size) == [3])
    #expect(history.contains(1, upTo: LogSequenceNumber(0x500_0000)))
    #expect(!history.contains(1, upTo: LogSequenceNumber(0x500_0001)))
    #expect(history.contains(3, upTo: LogSequenceNumber(.max)) && !history.contains(4, upTo: LogSequenceNumber(0)))
  }

  @Test(arguments: ["", "1\n", "x\t0/1\ty\n", "3\t0/1\ty\n", "2\t0/1\ta\n1\t0/2\tb\n", "1\tzero\ty\n", "0\t0/1\ty\n"])
  func whatIsNoHistoryIsRefused(_ text: String) {
    #expect(TimelineHistory(Array(text.utf8), of: 3) == nil)
  }
}
