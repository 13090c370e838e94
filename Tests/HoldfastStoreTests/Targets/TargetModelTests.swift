import Testing

/// Every order of steps of a repository with several targets, within bounds (decision 30): no snapshot that was
/// acknowledged is lost, no number stands for two, and each rule of the protocol is needed.
@Suite struct TargetModelTests {
  @Test func noOrderOfStepsLosesASnapshot() {
    let (count, fault) = TargetModel(targets: 2, writers: 2, snapshotMax: 2).explore()
    print("targets: two targets, two writers: \(count) states")
    #expect(fault == nil && count > 25_000)
  }

  @Test(arguments: TargetModel.Rule.allCases) func withoutARuleAFaultIsFound(rule: TargetModel.Rule) {
    let (count, fault) = TargetModel(without: rule, targets: 3, writers: 2, snapshotMax: 2).explore()
    print("targets without \(rule): \(fault ?? "no fault") after \(count) states")
    #expect(fault != nil)
  }
}
