import HoldfastModel
import Testing

/// A trend is that of most points, and single jumps do not change it.
@Suite struct RobustTrendTests {
  @Test func aLineHasItsSlope() throws {
    #expect(RobustTrend((0..<10).map { (Double($0), 3 * Double($0) + 7) })?.slope == 3)
    #expect(RobustTrend((0..<2000).map { (Double($0), -2 * Double($0)) })?.slope == -2)
  }

  @Test func aJumpDoesNotChangeIt() throws {
    let points = (0..<30).map { (x: Double($0), y: Double($0) + ($0 >= 29 ? 1_000_000 : 0)) }
    #expect(RobustTrend(points)?.slope == 1)
  }

  @Test func fewerThanTwoPointsHaveNone() {
    #expect(RobustTrend([]) == nil)
    #expect(RobustTrend([(1, 1)]) == nil)
    #expect(RobustTrend([(1, 1), (1, 2)]) == nil)
  }
}
