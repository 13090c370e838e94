import FoundationEssentials
import HoldfastModel
import Testing

/// A length of time: what operators write, what is computed with it, and what is stored of it.
@Suite struct TimeSpanTests {
  @Test func everyUnitGivesTheSameLength() {
    #expect(TimeSpan.milliseconds(1500) == .seconds(1.5))
    #expect(TimeSpan.minutes(2) == .seconds(120))
    #expect(TimeSpan.hours(0.5) == .minutes(30))
    #expect(TimeSpan.days(1) == .hours(24))
    #expect(TimeSpan("90s") == .minutes(1.5))
    #expect(TimeSpan("0") == .zero)
    #expect(TimeSpan.milliseconds(50).seconds == 0.05, "as exact as the number itself")
  }

  @Test(arguments: ["", "1", "5m", "-1s", "1.5h", " 1s", "1 s", "1000001d", "9223372036854775807d"])
  func whatIsNoLengthOfTimeIsRefused(_ text: String) { #expect(TimeSpan(text) == nil) }

  @Test func lengthsAreComparedAndComputedWith() {
    let span = TimeSpan.seconds(90)
    #expect(span + .seconds(30) == .minutes(2))
    #expect(span - .minutes(2) == -.seconds(30))
    #expect(span * 2 == .minutes(3))
    #expect(span / 3 == .seconds(30))
    #expect(span / .seconds(60) == 1.5)
    #expect(-span < .zero && .zero < span)
    #expect(max(.zero, -span) == .zero)
    #expect(TimeSpan.seconds(1.6).rounded() == .seconds(2))
  }

  /// What is passed to systemd and cron is a whole number, and no length of time makes the conversion fail.
  @Test func wholeSecondsAreCut() {
    #expect(TimeSpan.seconds(1.9).wholeSeconds == 1)
    #expect(TimeSpan.seconds(.infinity).wholeSeconds == .max)
    #expect(TimeSpan.seconds(.nan).wholeSeconds == 0)
  }

  @Test(arguments: [
    ("0", "0"), ("45s", "45s"), ("90s", "90s"), ("120s", "2min"), ("24h", "1d"), ("14d", "2w"), ("1mo", "30d"),
  ])
  func aLengthIsShownInTheLargestUnitThatFits(_ text: String, _ shown: String) throws {
    #expect(try #require(TimeSpan(text)).description == shown)
  }

  @Test(arguments: [
    (TimeSpan.zero, "[0]"), (.hours(1), "[3600]"), (.milliseconds(100), "[0.1]"), (.days(1_000_000), "[86400000000]"),
  ])
  func aLengthIsStoredAsANumberOfSeconds(_ span: TimeSpan, _ stored: String) throws {
    let bytes = try JSONEncoder().encode([span])
    #expect(String(decoding: bytes, as: UTF8.self) == stored)
    #expect(try JSONDecoder().decode([TimeSpan].self, from: bytes) == [span])
  }

  /// Times in files come from anywhere: the longest way between two of them does not trap.
  @Test func theTimeBetweenTwoMomentsHasASign() {
    let early = Timestamp(seconds: .min, nanoseconds: 0)
    let late = Timestamp(seconds: .max, nanoseconds: 999_999_999)
    #expect(late - early == .seconds(0x1p64))
    #expect(early - late == -(late - early))
    #expect(Timestamp(seconds: 2, nanoseconds: 0) - Timestamp(seconds: 0, nanoseconds: 500_000_000) == .seconds(1.5))
  }
}
