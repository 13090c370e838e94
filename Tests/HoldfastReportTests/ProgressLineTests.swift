import HoldfastModel
import HoldfastReport
import Testing

/// What a person at a terminal sees of long work.
@Suite struct ProgressLineTests {
  private static let mebibyte: UInt64 = 1 << 20

  @Test func theTotalAndTheRestAreTold() {
    let line = ProgressLine(
      phase: "restoring", bytes: 30 * Self.mebibyte, totalBytes: 120 * Self.mebibyte, files: 2, elapsed: .seconds(10))
    #expect(line.text == "restoring  30.0 MiB of 120.0 MiB  2 files  3.0 MiB/s  30 s left")
  }

  /// What needs no work brings the end nearer, and is no speed.
  @Test func whatIsSkippedCountsAsDoneAndNotAsRead() {
    let line = ProgressLine(
      phase: "reading", bytes: 10 * Self.mebibyte, skippedBytes: 50 * Self.mebibyte, totalBytes: 120 * Self.mebibyte,
      elapsed: .seconds(10))
    #expect(line.text == "reading  60.0 MiB of 120.0 MiB  1.0 MiB/s  10 s left")
  }

  @Test func whatIsNotKnownIsNotTold() {
    #expect(ProgressLine(phase: "making durable", elapsed: .seconds(3)).text == "making durable")
    let more = ProgressLine(phase: "reading", bytes: 3 * Self.mebibyte, totalBytes: Self.mebibyte, elapsed: .seconds(1))
    #expect(more.text == "reading  3.0 MiB  3.0 MiB/s", "an estimate that was too low says nothing")
    #expect(
      ProgressLine(phase: "reading", totalBytes: Self.mebibyte, elapsed: .seconds(1)).text
        == "reading  0 B of 1.0 MiB  0 B/s")
  }
}
