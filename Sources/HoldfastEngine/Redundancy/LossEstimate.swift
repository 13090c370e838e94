package import HoldfastModel

/// The expected rates of failures. Each is an assumption, which is printed with the result.
package struct FailureRates: Sendable, Hashable {
  /// The number of failures a year of the storage of one target.
  package var storagePerYear = 0.02
  /// The number of failures a year of one failure domain.
  package var domainsPerYear: [FailureDomain: Double] = [
    .site: 0.003, .provider: 0.001, .account: 0.005, .credential: 0.01,
  ]
  /// The time from a failure until the copy is there again: until it is noticed, and the data is copied.
  package var repair: TimeSpan

  package init(repair: TimeSpan) { self.repair = repair }
}

/// The chance that all copies of a snapshot, or more shards than may be, are lost within a year, if failures are
/// independent of each other and are repaired after a while.
///
/// Copies are lost when everything in a *cut* has failed: a smallest set of failures that takes all copies. A cut of
/// n failures with the rates r₁ … rₙ happens at most r₁ · … · rₙ · n · tⁿ⁻¹ times a year, with a repair time of t: one
/// of them is the last, and each other one came within the time t before it (M. Rausand, A. Høyland, System
/// Reliability Theory, on minimal cut sets and repairable components).
package struct LossEstimate: Sendable, Hashable {
  /// A failure of one target's storage, or of a domain that several targets share.
  package enum Failure: Hashable, Sendable {
    case storage(target: String)
    case shared(SharedFailure)
  }

  /// A smallest set of failures that takes all copies.
  package struct Cut: Sendable, Hashable {
    package let failures: [Failure]
    package let perYear: Double
  }

  /// The most failures of a cut. Larger cuts are not looked for: they are far less likely.
  private static let failuresMax = 4

  /// The cuts, the most likely first.
  package let cuts: [Cut]
  package let rates: FailureRates

  /// - Parameters:
  ///   - copies: the copies, or targets with shards, that count; may be empty.
  ///   - needed: the number of them without which the snapshot is lost: 1 for copies.
  package init(_ copies: [HeldCopy], needed: Int = 1, shared: [SharedFailure], _ rates: FailureRates) {
    self.rates = rates
    let storages = copies.map { (failure: Failure.storage(target: $0.target), takes: Set([$0.target])) }
    let names = Set(copies.map(\.target))
    let domains = shared.map { (failure: Failure.shared($0), takes: Set($0.targets).intersection(names)) }
    var search = CutSearch(
      order: copies.map(\.target), needed: needed, failures: storages + domains, most: Self.failuresMax)
    cuts = search.run().map { Cut(failures: $0, perYear: Self.perYear($0, rates)) }
      .sorted { $0.perYear > $1.perYear }
  }

  /// An upper bound of the chance of a loss within a year, 0 to 1; `nil` when no cut was found.
  package var perYear: Double? { cuts.isEmpty ? nil : min(1, cuts.reduce(0) { $0 + $1.perYear }) }

  /// The fewest failures at one time that take all copies; `nil` when there is no copy, or when it takes more failures
  /// than were looked for.
  package var failuresToLoss: Int? { cuts.map(\.failures.count).min() }

  private static func perYear(_ failures: [Failure], _ rates: FailureRates) -> Double {
    let years = rates.repair / .days(365)
    return failures.map { rate(of: $0, rates) }.reduce(Double(failures.count)) { $0 * $1 }
      * (1..<max(1, failures.count)).reduce(1.0) { product, _ in product * years }
  }

  private static func rate(of failure: Failure, _ rates: FailureRates) -> Double {
    switch failure {
    case .storage: rates.storagePerYear
    case .shared(let shared): rates.domainsPerYear[shared.domain] ?? 0
    }
  }
}

/// Finds all smallest sets of failures that leave fewer targets than are needed.
private struct CutSearch {
  let order: [String]
  let needed: Int
  let failures: [(failure: LossEstimate.Failure, takes: Set<String>)]
  let most: Int
  private var found: [Set<Int>] = []

  init(
    order: [String], needed: Int, failures: [(failure: LossEstimate.Failure, takes: Set<String>)], most: Int
  ) {
    (self.order, self.needed, self.failures, self.most) = (order, needed, failures, most)
  }

  mutating func run() -> [[LossEstimate.Failure]] {
    guard order.count >= needed else { return [] }
    extend([])
    let smallest = found.filter { cut in !found.contains { $0.isStrictSubset(of: cut) } }
    return smallest.map { cut in cut.sorted().map { failures[$0].failure } }
  }

  /// Tries each failure that takes another target, and notes the sets that leave too few. If one target is enough, the
  /// first that is left must be taken by some failure; otherwise failures are tried in their order.
  private mutating func extend(_ chosen: Set<Int>) {
    let taken = chosen.reduce(into: Set<String>()) { $0.formUnion(failures[$1].takes) }
    let left = order.filter { !taken.contains($0) }
    guard left.count >= needed, let next = left.first else {
      if !found.contains(chosen) { found.append(chosen) }
      return
    }
    guard chosen.count < most else { return }
    for (index, failure) in failures.enumerated() {
      let isNext =
        needed == 1
        ? failure.takes.contains(next) : chosen.allSatisfy { $0 < index } && !failure.takes.isDisjoint(with: left)
      if isNext { extend(chosen.union([index])) }
    }
  }
}
