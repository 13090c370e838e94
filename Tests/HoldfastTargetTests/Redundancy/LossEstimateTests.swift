import Glibc
import HoldfastEngine
import HoldfastModel
import HoldfastTestSupport
import Testing

/// The chance of a loss is that of the smallest sets of failures that take all copies.
struct LossEstimateTests {
  private func copies(_ names: String...) -> [HeldCopy] {
    names.map { HeldCopy($0, .proved(within: .days(8)), medium: "disk") }
  }

  private func rates(_ storage: Double, site: Double = 0, repairDays: Double) -> FailureRates {
    var rates = FailureRates(repair: .days(repairDays))
    (rates.storagePerYear, rates.domainsPerYear) = (storage, [.site: site])
    return rates
  }

  @Test func oneCopyIsLostAsOftenAsItsStorageFails() {
    let estimate = LossEstimate(copies("here"), shared: [], rates(0.02, repairDays: 10))
    #expect(estimate.perYear == 0.02)
    #expect(estimate.failuresToLoss == 1)
  }

  @Test func twoCopiesAreLostWhenTheSecondFailsBeforeTheFirstIsRepaired() throws {
    let estimate = LossEstimate(copies("here", "cloud"), shared: [], rates(0.02, repairDays: 36.5))
    let chance = try #require(estimate.perYear)
    #expect(abs(chance - 0.02 * 0.02 * 2 * 0.1) < 1e-12)
    #expect(estimate.failuresToLoss == 2)
  }

  /// Two targets in one building are one when it burns.
  @Test func whatAllTargetsShareTakesAllOfThem() throws {
    let site = SharedFailure(domain: .site, name: "office", targets: ["here", "barn"])
    let estimate = LossEstimate(copies("here", "barn"), shared: [site], rates(0.02, site: 0.003, repairDays: 8))
    #expect(estimate.failuresToLoss == 1)
    #expect(estimate.cuts.first?.failures == [.shared(site)])
    #expect(try #require(estimate.perYear) > 0.003)
  }

  /// A set that holds a smaller one is no cut of its own, or its failures would count twice.
  @Test func onlySmallestSetsCount() {
    let site = SharedFailure(domain: .site, name: "office", targets: ["here", "barn"])
    let estimate = LossEstimate(
      copies("here", "barn", "cloud"), shared: [site], rates(0.02, site: 0.003, repairDays: 8))
    let cuts = Set(estimate.cuts.map { Set($0.failures) })
    let storages: Set<LossEstimate.Failure> = [
      .storage(target: "here"), .storage(target: "barn"), .storage(target: "cloud"),
    ]
    #expect(cuts == [storages, [.shared(site), .storage(target: "cloud")]])
    #expect(estimate.failuresToLoss == 2)
  }

  @Test func withoutACopyNothingIsEstimated() {
    let estimate = LossEstimate([], shared: [], rates(0.02, repairDays: 8))
    #expect(estimate.perYear == nil)
    #expect(estimate.failuresToLoss == nil)
  }

  /// Fifteen targets, the most there can be, are answered at once: sets of more than four failures are left out.
  @Test func manyTargetsAreNoWorkWithoutEnd() {
    let names = (1...15).map { "target\($0)" }
    let shared = FailureDomain.allCases.flatMap { domain in
      stride(from: 0, to: 14, by: 2).map {
        SharedFailure(domain: domain, name: "\($0)", targets: [names[$0], names[$0 + 1]])
      }
    }
    let copies = names.map { HeldCopy($0, .proved(within: .days(8)), medium: "disk") }
    #expect(LossEstimate(copies, shared: shared, FailureRates(repair: .days(8))).cuts.isEmpty)
  }

  /// The formula against failures that are drawn: three copies, two of which share a site. Events are so frequent that
  /// a hundred thousand years have some thousand losses.
  @Test(arguments: [UInt64.random(in: 0 ... .max)]) func theFormulaIsThatOfASimulation(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let site = SharedFailure(domain: .site, name: "office", targets: ["here", "barn"])
    let estimate = LossEstimate(
      copies("here", "barn", "cloud"), shared: [site], rates(0.5, site: 0.2, repairDays: 14.6))
    let failures: [(rate: Double, takes: Set<Int>)] = [(0.5, [0]), (0.5, [1]), (0.5, [2]), (0.2, [0, 1])]
    let (years, repair, total) = (100_000.0, 14.6 / 365, 1.7)
    var (now, losses, down) = (0.0, 0, [0: 0.0, 1: 0.0, 2: 0.0])
    while now < years {
      now -= log(Double.random(in: 0..<1, using: &random).nextUp) / total
      let drawn = Double.random(in: 0..<total, using: &random)
      let index = failures.indices.first { drawn < failures[...$0].reduce(0) { $0 + $1.rate } }
      let failure = failures[try #require(index)]
      let wereDown = down.values.allSatisfy { $0 > now }
      for target in failure.takes { down[target] = now + repair }
      if !wereDown, down.values.allSatisfy({ $0 > now }) { losses += 1 }
    }
    let simulated = Double(losses) / years
    let computed = try #require(estimate.perYear)
    #expect(abs(computed / simulated - 1) < 0.2, "seed \(seed): computed \(computed), simulated \(simulated)")
  }
}
