package import HoldfastModel

/// Pieces of blocking work, each on a thread of its own. One that does not end in time is left behind, so that it hides
/// nothing that the others have found.
package enum TimedWork {
  /// Calls `work` for every number below `count`.
  /// - Parameter limit: the longest time for all of them, at most a day.
  /// - Returns: the results by these numbers; without those that did not end in time.
  /// - Throws: `Interrupted` after a signal.
  package static func run<Value: Sendable>(
    _ count: Int, within limit: TimeSpan, unless cancellation: Cancellation,
    _ work: @escaping @Sendable (Int) throws -> Value
  ) throws -> [Int: Result<Value, any Error>] {
    let found = Monitor<[Int: Result<Value, any Error>]>([:])
    for index in 0..<count {
      let isUnderWay = WorkerThread.detach {
        let result = Result { try work(index) }
        found.withLock { $0[index] = result }
      }
      guard !isUnderWay else { continue }
      let failure = EngineError(.machine, "this machine has no thread left", hint: nil)
      found.withLock { $0[index] = .failure(failure) }
    }
    let all = try found.wait(limit, unless: cancellation) { $0.count == count ? $0 : nil }
    return all ?? found.withLock { $0 }
  }
}
