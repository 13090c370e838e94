import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Times as people and manifests write them.
@Suite struct TimeTextTests {
  @Test(
    arguments: [
      (0, 0, "1970-01-01T00:00:00.000Z"), (951_782_400, 999_999_999, "2000-02-29T00:00:00.999Z"),
      (1_795_356_303, 123_456_789, "2026-11-22T14:05:03.123Z"), (-1, 0, "1969-12-31T23:59:59.000Z"),
    ] as [(Int64, UInt32, String)])
  func utcIsWrittenWithMilliseconds(_ seconds: Int64, _ nanoseconds: UInt32, _ text: String) {
    #expect(TimeText.utc(Timestamp(seconds: seconds, nanoseconds: nanoseconds)) == text)
  }

  @Test func whatWasWrittenIsReadBack() {
    var random = SeededRandom(seed: 31)
    for _ in 0..<2000 {
      let seconds = Int64.random(in: -2_000_000_000...7_000_000_000, using: &random)
      let milliseconds = UInt32.random(in: 0..<1000, using: &random)
      let time = Timestamp(seconds: seconds, nanoseconds: milliseconds * 1_000_000)
      #expect(TimeText.parse(TimeText.utc(time)) == time, "seed 31: \(TimeText.utc(time))")
      let whole = Timestamp(seconds: seconds, nanoseconds: 0)
      #expect(TimeText.parse(TimeText.local(whole)) == whole, "seed 31: \(TimeText.local(whole))")
    }
  }

  @Test(
    arguments: [
      ("2026-11-22T14:05:03Z", 0), ("2026-11-22 14:05:03Z", 0), ("2026-11-22T15:05:03+01:00", 0),
      ("2026-11-22T15:05:03+0100", 0), ("2026-11-22 09:35:03 -0430", 0), ("2026-11-22T14:05:03.5Z", 500_000_000),
      ("2026-11-22T14:05:03.123456789Z", 123_456_789),
    ] as [(String, UInt32)])
  func everyDocumentedSpellingIsUnderstood(_ text: String, _ nanoseconds: UInt32) {
    #expect(TimeText.parse(text) == Timestamp(seconds: 1_795_356_303, nanoseconds: nanoseconds))
  }

  @Test func aTimeWithoutSecondsIsTheirBeginningAndADateItsLastInstant() throws {
    #expect(TimeText.parse("2026-11-22T14:05Z") == Timestamp(seconds: 1_795_356_300, nanoseconds: 0))
    let last = try #require(TimeText.parse("2026-11-22"))
    let next = try #require(TimeText.parse("2026-11-23 00:00:00"))
    #expect(last.nanoseconds == 999_999_999)
    #expect(last.seconds + 1 == next.seconds)
  }

  @Test(arguments: [
    "", "now", "2026", "2026-11", "2026-1-1", "2026-13-01", "2026-00-01", "2026-11-00", "2026-11-32", "2026-02-30",
    "2026-02-29", "2026-04-31", "1900-02-29", "2026-11-22T", "2026-11-22T14", "2026-11-22T24:00", "2026-11-22T14:60",
    "2026-11-22T14:05:61", "2026-11-22T14:05:03.", "2026-11-22T14:05:03.1234567890Z", "2026-11-22T14:05:03Zx",
    "2026-11-22T14:05:03+", "2026-11-22T14:05:03+25:00", "2026-11-22T14:05:03+01:60", "2026-11-22T14:05:03 01:00",
    "2026-11-22x14:05:03", " 2026-11-22", "２０２６-11-22", "-026-11-22", "2026/11/22",
  ])
  func whatIsNoTimeIsRefused(_ text: String) {
    #expect(TimeText.parse(text) == nil)
  }

  @Test func leapDaysAreDays() {
    #expect(TimeText.parse("2024-02-29T00:00Z") == Timestamp(seconds: 1_709_164_800, nanoseconds: 0))
    #expect(TimeText.parse("2000-02-29T00:00Z") == Timestamp(seconds: 951_782_400, nanoseconds: 0))
  }
}
