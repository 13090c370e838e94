import HoldfastModel
import Testing

/// Where several things ended, cron is told of the worst: one order says which that is, for every pair.
@Suite struct ExitStatusTests {
  /// From the mildest to the worst.
  private static let order: [HoldfastModel.ExitStatus] = [
    .done, .repairableDamage, .incomplete, .objectiveMissed, .locked, .notServing, .usage, .wrongKey, .noRepository,
    .serviceAnswers, .failed, .fetchFailed, .drillFailed, .servingUnknown, .dataLoss, .interrupted,
  ]

  @Test func everyPairIsInOneOrder() {
    #expect(Set(Self.order) == Set(HoldfastModel.ExitStatus.allCases))
    for (first, milder) in Self.order.enumerated() {
      for (second, worse) in Self.order.enumerated() {
        #expect((milder < worse) == (first < second), "\(milder) and \(worse)")
        let worst = HoldfastModel.ExitStatus.worst(of: [milder, worse])
        #expect(worst == Self.order[max(first, second)], "\(milder) and \(worse)")
      }
    }
  }

  @Test func theWorstOfNothingIsDone() {
    #expect(HoldfastModel.ExitStatus.worst(of: []) == .done)
    #expect(HoldfastModel.ExitStatus.worst(of: Self.order.shuffled()) == .interrupted)
  }
}
