import HoldfastTestSupport
import Testing

/// Every order of steps of the protocol of a failover, within bounds: never two that serve, no acknowledged snapshot
/// lost, a late one never the newest; and each of its rules is needed.
@Suite struct FailoverModelTests {
  @Test func noOrderOfStepsLetsTwoServeOrLosesASnapshot() {
    let (count, promotedCount, fault) = FailoverModel(numberMax: Trials.areAll ? 7 : 5).explore()
    print("failover: \(count) states, \(promotedCount) in which the standby serves")
    #expect(fault == nil && count > 10_000 && promotedCount > 1000)
  }

  @Test(arguments: FailoverModel.Rule.allCases) func withoutARuleAFaultIsFound(rule: FailoverModel.Rule) {
    let (count, _, fault) = FailoverModel(without: rule).explore()
    print("failover without \(rule): \(fault ?? "no fault") after \(count) states")
    #expect(fault != nil)
  }
}
