import HoldfastModel
import HoldfastSystem
import Testing

/// A time means the whole of what was written: what `list` shows of a snapshot includes that snapshot.
@Suite struct WrittenTimeTests {
  @Test(
    arguments: [
      ("2026-11-22T14:05:03Z", 3, 0, 3, 999_999_999), ("2026-11-22 15:05:03 +0100", 3, 0, 3, 999_999_999),
      ("2026-11-22T14:05Z", 0, 0, 59, 999_999_999), ("2026-11-22T14Z", -300, 0, 3299, 999_999_999),
      ("2026-11-22T14:05:03.123Z", 3, 123_000_000, 3, 123_999_999),
      ("2026-11-22 14:05:03.5+00", 3, 500_000_000, 3, 599_999_999),
      ("2026-11-22T14:05:03.123456789Z", 3, 123_456_789, 3, 123_456_789),
      ("2026-11-22 14:05:03 UTC", 3, 0, 3, 999_999_999), ("Sun Nov 22 14:05:03 UTC 2026", 3, 0, 3, 999_999_999),
      ("Sun Nov 22 02:05:03 PM UTC 2026", 3, 0, 3, 999_999_999), ("Sun 22 Nov 14:05:03 GMT 2026", 3, 0, 3, 999_999_999),
      ("Sun, 22 Nov 2026 15:05:03 +0100", 3, 0, 3, 999_999_999),
    ] as [(String, Int64, UInt32, Int64, UInt32)])
  func aTimeIsTheWholeOfWhatWasWritten(
    _ text: String, _ first: Int64, _ firstNanoseconds: UInt32, _ last: Int64, _ lastNanoseconds: UInt32
  ) throws {
    let minute: Int64 = 1_795_356_300
    let written = try #require(WrittenTime(text))
    #expect(written.first == Timestamp(seconds: minute + first, nanoseconds: firstNanoseconds))
    #expect(written.last == Timestamp(seconds: minute + last, nanoseconds: lastNanoseconds))
  }

  @Test func aDateIsTheWholeDayOfThisMachine() throws {
    let day = try #require(WrittenTime("2026-11-22"))
    let next = try #require(WrittenTime("2026-11-23 00:00:00"))
    #expect(day.first == WrittenTime("2026-11-22 00:00:00")?.first)
    #expect(day.last.seconds + 1 == next.first.seconds)
    #expect(day.last.nanoseconds == 999_999_999)
  }

  @Test(arguments: [
    "", "now", "yesterday", "2026", "2026-11", "2026-11-22T", "2026-11-22T1", "2026-11-22T14:", "2026-11-22T24",
    "2026-11-22T14:05:03 XYZ", "2026-11-22T14:05:03+1", "Nov 22", "Nov 22 2026 25:00", "Nov 22 2026 13:00 PM",
    "Nov 31 2026", "Nov Nov 22 2026", "Sun Nov 22 14:05:03 XYZ 2026", "14:05", "2026-11-22 14:05:03 +0100 +0100",
  ])
  func whatIsNoTimeIsRefused(_ text: String) { #expect(WrittenTime(text) == nil) }
}
