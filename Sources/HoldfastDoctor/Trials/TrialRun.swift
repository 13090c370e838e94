internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem
internal import Synchronization

/// Runs trials side by side. None keeps the others from being run: one that throws has failed, and one that does not
/// end in time is left behind.
struct TrialRun {
  private static let threads = 8
  private let machine: MachineContext
  private let limit: TimeSpan

  /// - Parameter limit: the longest time that one trial may take, whatever it says itself.
  init(on machine: MachineContext, limit: TimeSpan) { (self.machine, self.limit) = (machine, limit) }

  /// - Returns: the results of all trials, in the order of the trials.
  /// - Throws: `Interrupted` after a signal.
  func results(of trials: [any Trial]) throws -> [TrialResult] {
    let found = Mutex<[Int: [TrialResult]]>([:])
    func run(_ indices: [Int]) throws {
      try SideBySide.run(indices.count, threads: Self.threads) { [self] position in
        let index = indices[position]
        let results = try limited(trials[index])
        found.withLock { $0[index] = results }
      }
    }
    // What needs an open repository comes after the trials that open them.
    try run(trials.indices.filter { trials[$0].opening == nil })
    try run(trials.indices.filter { trials[$0].opening != nil })
    return found.withLock { found in trials.indices.flatMap { found[$0] ?? [] } }
  }

  private func limited(_ trial: any Trial) throws -> [TrialResult] {
    if let opening = trial.opening, opening.repository == nil {
      return [trial.result(.notTried, "the repository is not open")]
    }
    let limit = min(trial.limit, limit)
    let cancellation = Cancellation()
    let answer = Monitor<[TrialResult]?>(nil)
    let isUnderWay = WorkerThread.detach { [machine] in
      let results = Self.attempt(trial, machine.with(cancellation))
      answer.withLock { $0 = results }
    }
    guard isUnderWay else { return [trial.result(.notTried, "this machine has no thread left")] }
    defer { cancellation.raise() }
    if let results = try answer.wait(limit, unless: machine.host.cancellation, until: { $0 }) { return results }
    return [
      trial.result(
        .failed, "it did not end within \(Amount.duration(limit))",
        hint: "See whether what it asks answers, and run the same command again.")
    ]
  }

  private static func attempt(_ trial: any Trial, _ machine: MachineContext) -> [TrialResult] {
    do {
      return try trial.run(on: machine)
    } catch {
      return [trial.failure(error)]
    }
  }
}
