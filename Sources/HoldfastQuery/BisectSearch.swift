/// The answer of one snapshot to a test.
package enum BisectAnswer: Hashable, Sendable {
  case holds
  case fails
  /// The test could not be made, because of what the snapshot holds: it has no such table, or no such database.
  case unanswerable(String)
  /// The snapshot says nothing: it is damaged, or a command asked to skip it.
  case skipped(String)

  package var isSkipped: Bool { if case .skipped = self { true } else { false } }

  /// The reason why it says neither that it holds nor that it fails.
  package var reason: String? {
    switch self {
    case .holds, .fails: nil
    case .unanswerable(let reason), .skipped(let reason): reason
    }
  }
}

/// The search for the last of several snapshots, the oldest first, in which a test holds before it fails.
package struct BisectSearch {
  package enum Outcome: Hashable, Sendable {
    /// It holds in the newest snapshot that was not skipped.
    case holds(Int)
    /// It holds in one and fails, or cannot be answered any more, in a later one. All between them were skipped.
    case found(holding: Int, failing: Int)
    /// It holds in none that was examined.
    case nowhere
  }

  /// The answers by the index of the snapshot.
  package private(set) var answers: [Int: BisectAnswer] = [:]
  private let count: Int
  private let examine: (Int) throws -> BisectAnswer

  /// - Parameters:
  ///   - count: the number of snapshots.
  ///   - examine: gives the answer of one of them. It is called at most once for each.
  package init(count: Int, examine: @escaping (Int) throws -> BisectAnswer) {
    (self.count, self.examine) = (count, examine)
  }

  /// Examines every snapshot, the oldest first.
  package mutating func linear() throws -> Outcome {
    for index in 0..<count { _ = try answer(index) }
    let told = (0..<count).filter { answers[$0]?.isSkipped == false }
    guard let holding = told.last(where: { answers[$0] == .holds }) else { return .nowhere }
    guard let failing = told.first(where: { $0 > holding }) else { return .holds(holding) }
    return .found(holding: holding, failing: failing)
  }

  /// Examines the newest, the oldest, and then always the middle of what is left: two and the logarithm of their
  /// number. It finds a change only if the test held up to a moment, and failed after it.
  ///
  /// A snapshot that cannot answer counts as too old to hold what the test asks for, until an older one holds. If even
  /// the newest cannot answer, what the test asks for was taken away: then such a snapshot counts as one that fails.
  package mutating func binary() throws -> Outcome {
    guard var high = try firstTold(of: (0..<count).reversed()) else { return .nowhere }
    let newest = answers[high]
    if newest == .holds { return .holds(high) }
    let isTakenAway = newest != .fails
    func isLate(_ answer: BisectAnswer) -> Bool {
      switch answer {
      case .holds: false
      case .fails: true
      case .unanswerable, .skipped: isTakenAway
      }
    }
    guard var low = try firstTold(of: 0..<high), let oldest = answers[low], !isLate(oldest) else { return .nowhere }
    while let middle = middle(between: low, and: high) {
      let answer = try answer(middle)
      if answer.isSkipped { continue }
      // Between one that holds and one that does not, one that cannot answer is not too old.
      let isAfterHolding = answers[low] == .holds && answer != .holds
      if isAfterHolding || isLate(answer) { high = middle } else { low = middle }
    }
    return answers[low] == .holds ? .found(holding: low, failing: high) : .nowhere
  }

  private mutating func answer(_ index: Int) throws -> BisectAnswer {
    if let known = answers[index] { return known }
    let answer = try examine(index)
    answers[index] = answer
    return answer
  }

  /// Returns the first of some snapshots that is not skipped.
  private mutating func firstTold(of indices: some Sequence<Int>) throws -> Int? {
    for index in indices where try !answer(index).isSkipped { return index }
    return nil
  }

  /// Returns the snapshot nearest to the middle that was not examined; `nil` if there is none between the two.
  private func middle(between low: Int, and high: Int) -> Int? {
    let middle = low + (high - low) / 2
    return (low + 1..<max(high, low + 1)).filter { answers[$0] == nil }.min {
      (abs($0 - middle), $0) < (abs($1 - middle), $1)
    }
  }
}
