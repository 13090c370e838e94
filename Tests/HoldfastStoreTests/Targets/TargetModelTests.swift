import HoldfastTestSupport
import Testing

/// Every order of steps of a repository with several targets, within bounds (decision 30): no snapshot that was
/// acknowledged is lost, no number stands for two, and each rule of the protocol is needed.
@Suite struct TargetModelTests {
  @Test func noOrderOfStepsLosesASnapshot() {
    let (count, fault) = TargetModel(targets: 2, writers: 2, snapshotMax: 2).explore()
    print("targets: two targets, two writers: \(count) states")
    #expect(fault == nil && count > 25_000)
  }

  /// With data in shards, two of which are needed (decision 32). Two snapshots have half a million states.
  @Test func noOrderOfStepsLosesASnapshotInShards() {
    let snapshots = Trials.areAll ? 2 : 1
    let (count, fault) = Self.divided(snapshotMax: snapshots).explore()
    print("targets: three targets with shards, \(snapshots) snapshots: \(count) states")
    #expect(fault == nil && count > 500)
  }

  /// With a target that has a retention of its own (decision 33).
  @Test func noOrderOfStepsTakesWhatATargetKeeps() {
    let (count, fault) = Self.apart().explore()
    print("targets: two targets, one with a retention of its own: \(count) states")
    #expect(fault == nil && count > 40_000)
  }

  @Test(arguments: TargetModel.Rule.allCases) func withoutARuleAFaultIsFound(rule: TargetModel.Rule) {
    let model =
      switch rule {
      case .shardsBeforeNumber, .enoughShards: Self.divided(without: rule, snapshotMax: 2)
      case .removalSaysWhere, .keeperFirst: Self.apart(without: rule)
      default: TargetModel(without: rule, targets: 3, writers: 2, snapshotMax: 2)
      }
    let (count, fault) = model.explore()
    print("targets without \(rule): \(fault ?? "no fault") after \(count) states")
    #expect(fault != nil)
  }

  private static func divided(without rule: TargetModel.Rule? = nil, snapshotMax: Int) -> TargetModel {
    TargetModel(without: rule, targets: 3, writers: 1, snapshotMax: snapshotMax, minCopies: 3, shards: 2)
  }

  private static func apart(without rule: TargetModel.Rule? = nil) -> TargetModel {
    TargetModel(without: rule, targets: 2, writers: 1, snapshotMax: 2, minCopies: 1, isLastApart: true)
  }
}
