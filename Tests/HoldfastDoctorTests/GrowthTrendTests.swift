import HoldfastDoctor
import HoldfastModel
import Testing

/// The trend of what is stored follows the usual day, and no full snapshot or merge leads it astray.
@Suite struct GrowthTrendTests {
  private static let now = Timestamp(seconds: 1_800_000_000, nanoseconds: 0)

  private func points(days: ClosedRange<Int>, _ bytes: (Int) -> UInt64) -> [(time: Timestamp, bytes: UInt64)] {
    days.map { (Timestamp(seconds: Self.now.seconds - Int64($0) * 86_400, nanoseconds: 0), bytes($0)) }
  }

  @Test func aSteadyGrowthIsTold() throws {
    let trend = try #require(GrowthTrend(points(days: 0...30) { _ in 1000 }, now: Self.now))
    #expect(abs(trend.bytesPerDay - 1000) < 0.001)
    #expect(trend.time(until: 10_000).map { abs($0 / .days(1) - 10) < 0.001 } == true)
  }

  @Test func oneFullSnapshotHardlyChangesIt() throws {
    let trend = try #require(GrowthTrend(points(days: 0...30) { $0 == 3 ? 1_000_000 : 1000 }, now: Self.now))
    #expect((900...1200).contains(trend.bytesPerDay), "\(trend.bytesPerDay)")
  }

  @Test func aYearOfIncrementsIsThinned() throws {
    let many = (0..<20_000).map { index in
      (time: Timestamp(seconds: Self.now.seconds - Int64(index) * 300, nanoseconds: 0), bytes: UInt64(10))
    }
    let trend = try #require(GrowthTrend(many, now: Self.now))
    #expect(abs(trend.bytesPerDay - 2880) < 30, "\(trend.bytesPerDay)")
  }

  @Test func whereNothingGrowsTheEndIsNotInSight() throws {
    let trend = try #require(GrowthTrend(points(days: 0...30) { _ in 0 }, now: Self.now))
    #expect(trend.time(until: 1) == nil)
    #expect(try #require(GrowthTrend(points(days: 0...30) { _ in 1 }, now: Self.now)).time(until: 1 << 40) == nil)
  }

  @Test func ofAnHourOrOfTheFutureNothingIsTold() {
    #expect(GrowthTrend([], now: Self.now) == nil)
    #expect(GrowthTrend(points(days: 0...1) { _ in 1000 }, now: Self.now) == nil)
    #expect(GrowthTrend(points(days: -30 ... -1) { _ in 1000 }, now: Self.now) == nil)
    #expect(GrowthTrend(points(days: 100...130) { _ in 1000 }, now: Self.now) == nil)
  }
}
