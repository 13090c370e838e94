import HoldfastTestSupport
import Testing

/// Every order of steps of the protocol of leases, within bounds: nobody overlaps, nothing that was acknowledged loses
/// its objects, and each of its rules is needed.
@Suite struct LeaseModelTests {
  @Test func noOrderOfStepsLetsTwoHoldIt() {
    let (count, lateCount, fault) = LeaseModel(rates: [3, 4], timeMax: 5, numberMax: 3).explore()
    print("leases: two processes: \(count) states, \(lateCount) with a late renewal")
    #expect(fault == nil && count > 100_000)
    // A holder that comes late, and was not overtaken, goes on.
    #expect(lateCount > 1000)
  }

  @Test func norDoThreeOverlap() {
    let (count, _, fault) = LeaseModel(rates: [3, 4, 4], timeMax: 3, numberMax: 2).explore()
    print("leases: three processes: \(count) states")
    #expect(fault == nil && count > 100_000)
  }

  @Test(arguments: LeaseModel.Rule.allCases) func withoutARuleAFaultIsFound(rule: LeaseModel.Rule) {
    let (count, _, fault) = LeaseModel(without: rule, rates: [3, 4], timeMax: 4, numberMax: 4).explore()
    print("leases without \(rule): \(fault ?? "no fault") after \(count) states")
    #expect(fault != nil)
  }
}
