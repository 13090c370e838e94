import HoldfastEngine
import HoldfastModel
import Testing

/// The growth of what is stored is a bound that holds: from above where enough fulls are known, else from below.
@Suite struct StorageGrowthTests {
  private static let now = Timestamp(seconds: 1_800_000_000, nanoseconds: 0)

  private static func time(daysAgo days: Double) -> Timestamp {
    Timestamp(seconds: now.seconds - Int64(days * 86_400), nanoseconds: 0)
  }

  /// A snapshot a day for some days, with a full on every day whose number the interval divides.
  private func source(days: Int, fullEvery interval: Int, full: UInt64, increment: UInt64) -> StorageGrowth.Source {
    let stored = (0..<days).map { day in
      let isFull = day.isMultiple(of: interval)
      return StorageGrowth.Stored(
        Self.time(daysAgo: Double(days - day)), bytes: isFull ? full : increment, isFull: isFull)
    }
    return StorageGrowth.Source(stored, log: nil)
  }

  private func growth(_ sources: [StorageGrowth.Source]) -> StorageGrowth? { StorageGrowth(sources, now: Self.now) }

  /// The median of the slopes does not see fulls that come once in weeks, and they fill the disk all the same.
  @Test func rareFullsCount() throws {
    let found = try #require(growth([source(days: 28, fullEvery: 7, full: 70_000, increment: 100)]))
    #expect(found.bound == .atMost)
    #expect((10_000...10_200).contains(found.bytesPerDay), "\(found.bytesPerDay)")
    #expect(found.time(until: 1_000_000).map { (95...100).contains($0 / .days(1)) } == true)
    #expect(found.time(until: 1_000_000, share: 0.25).map { (380...400).contains($0 / .days(1)) } == true)
  }

  @Test func aGrowthThatBeganLateCounts() throws {
    let early = source(days: 100, fullEvery: 20, full: 10, increment: 10)
    let late = source(days: 80, fullEvery: 4, full: 5000, increment: 5000)
    let found = try #require(growth([early, late]))
    #expect(found.bound == .atMost && found.bytesPerDay > 5000, "\(found.bytesPerDay)")
  }

  /// Retention keeps few snapshots of the past: what they miss is counted where all are there.
  @Test func whatRetentionHasRemovedOfThePastDoesNotHideTheGrowth() throws {
    let daily = source(days: 30, fullEvery: 1, full: 1000, increment: 0).snapshots
    let pinned = StorageGrowth.Stored(Self.time(daysAgo: 730), bytes: 1000, isFull: true)
    let found = try #require(growth([StorageGrowth.Source([pinned] + daily, log: nil)]))
    #expect(found.bound == .atMost && (1000...1200).contains(found.bytesPerDay), "\(found.bytesPerDay)")
  }

  /// Neither 90 days nor all the time have so few fulls as were there.
  @Test func fullsOfEveryMonthCountBesideAPinnedOne() throws {
    let days = [2000.0, 120, 90, 60, 30]
    let fulls = days.map { StorageGrowth.Stored(Self.time(daysAgo: $0), bytes: 30_000, isFull: true) }
    let found = try #require(growth([StorageGrowth.Source(fulls, log: nil)]))
    #expect(found.bound == .atMost && (1000...1400).contains(found.bytesPerDay), "\(found.bytesPerDay)")
    let lately = fulls + [StorageGrowth.Stored(Self.time(daysAgo: 2), bytes: 30_000, isFull: true)]
    let more = try #require(growth([StorageGrowth.Source(lately, log: nil)]))
    #expect((1000...1400).contains(more.bytesPerDay), "one full in a week is not one a week: \(more.bytesPerDay)")
  }

  @Test func withFewFullsOnlyTheRestCounts() throws {
    for days in [2, 6, 21] {
      let found = try #require(growth([source(days: days, fullEvery: 7, full: 1 << 40, increment: 1000)]))
      #expect(found.bound == .atLeast, "\(days) days")
      #expect((500...1000).contains(found.bytesPerDay), "\(found.bytesPerDay) after \(days) days")
    }
    let both = [
      source(days: 28, fullEvery: 7, full: 70_000, increment: 1000),
      source(days: 21, fullEvery: 7, full: 1 << 40, increment: 1000),
    ]
    let found = try #require(growth(both))
    #expect(found.bound == .atLeast && (1600...2000).contains(found.bytesPerDay), "\(found.bytesPerDay)")
  }

  @Test func theArchivedLogCounts() throws {
    let log = LogAmount(storedBytes: 5_000_000, oldest: Self.time(daysAgo: 5))
    let shop = source(days: 28, fullEvery: 7, full: 70_000, increment: 100)
    let found = try #require(growth([StorageGrowth.Source(shop.snapshots, log: log)]))
    #expect(found.bound == .atMost && (1_010_000...1_011_000).contains(found.bytesPerDay), "\(found.bytesPerDay)")
    let alone = try #require(growth([StorageGrowth.Source([], log: log)]))
    #expect(alone.bound == .atLeast && alone.bytesPerDay == 1_000_000)
    #expect(growth([StorageGrowth.Source(shop.snapshots, log: LogAmount(storedBytes: nil, oldest: nil))]) == nil)
  }

  @Test func whereNothingGrowsTheEndIsNotInSight() throws {
    let found = try #require(growth([source(days: 28, fullEvery: 7, full: 0, increment: 0)]))
    #expect(found.time(until: 1) == nil)
    let slow = try #require(growth([source(days: 28, fullEvery: 7, full: 1, increment: 1)]))
    #expect(slow.time(until: 1 << 40) == nil)
  }

  @Test func ofAnHourOrOfTheFutureNothingIsTold() {
    #expect(growth([]) == nil)
    let hour = StorageGrowth.Stored(Self.time(daysAgo: 0.04), bytes: 1000, isFull: true)
    #expect(growth([StorageGrowth.Source([hour], log: nil)]) == nil)
    let future = StorageGrowth.Stored(Self.time(daysAgo: -30), bytes: 1000, isFull: false)
    #expect(growth([StorageGrowth.Source([future], log: nil)]) == nil)
  }
}
