internal import HoldfastArchive
package import HoldfastModel

/// The drills of a source, as its journal tells them. Only drills that came to a result count.
package struct DrillStatus: Sendable, Hashable {
  /// The number of drills after which a bound on the failure rate is given: with fewer it says next to nothing.
  package static let boundMin = 3
  /// The number of passed drills from which the time of a restore is taken, the newest ones.
  private static let timesMax = 5

  /// The last drill.
  package var last: SourceStatus.Run?
  /// True if that was one of another snapshot than the newest.
  package var isLastOlder = false
  /// The time since the last one that passed; `nil` if none did, or its time is later than this machine's clock.
  package var passedAge: TimeSpan?
  package var count = 0
  package var passed = 0
  /// The number of drills that passed since the last one that failed.
  package var passedInRow = 0
  /// The times until the restored database answered, of the newest drills that passed, in ascending order.
  package var restoreTimes: [TimeSpan] = []
  /// The number of drills that are not signed by a writer of the sealed repository. They do not count.
  package var unsigned = 0

  package init() {}

  /// - Parameters:
  ///   - entries: the oldest first.
  ///   - run: returns what the status tells of a run.
  init(_ entries: [JournalEntry], unsigned: Int, run: (JournalEntry) -> SourceStatus.Run) {
    // By their own times: whoever can write to the store can put an old entry behind a newer one.
    let drills = entries.compactMap { entry in entry.drill.map { (entry: entry, evidence: $0) } }.sorted {
      $0.entry.ended < $1.entry.ended
    }
    last = drills.last.map { run($0.entry) }
    isLastOlder = drills.last?.evidence.isOlder == true
    passedAge = drills.last { $0.evidence.passed }.flatMap { run($0.entry).age }
    count = drills.count
    passed = drills.count { $0.evidence.passed }
    passedInRow = drills.reversed().prefix { $0.evidence.passed }.count
    restoreTimes = drills.filter(\.evidence.passed).suffix(Self.timesMax).map(\.evidence.restoreTime).sorted()
    self.unsigned = unsigned
  }

  /// The highest rate of failures with which a row of passed drills as long as this one has a chance of 5 % or more
  /// (the exact form of the rule of three); `nil` after fewer than three.
  package var failureRateBound: Double? { Self.failureRateBound(passed: passedInRow) }

  /// Returns 1 − 0.05^(1/n) for n drills that all passed; `nil` for fewer than three.
  package static func failureRateBound(passed count: Int) -> Double? {
    guard count >= boundMin else { return nil }
    // The n-th root, by halving the interval in which it lies until that is as narrow as a `Double` can tell.
    var (low, high) = (0.0, 1.0)
    for _ in 0..<60 {
      let middle = (low + high) / 2
      let power = (0..<count).reduce(1.0) { product, _ in product * middle }
      if power < 0.05 { low = middle } else { high = middle }
    }
    return 1 - high
  }

  /// The median of the restore times, which is the expected time of a restore; `nil` without a drill that passed.
  package var medianTime: TimeSpan? {
    guard let upper = restoreTimes.dropFirst(restoreTimes.count / 2).first else { return nil }
    guard restoreTimes.count.isMultiple(of: 2) else { return upper }
    return (restoreTimes[restoreTimes.count / 2 - 1] + upper) / 2
  }

  /// The longest of them.
  package var worstTime: TimeSpan? { restoreTimes.last }
}
