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
  private let total: TimeSpan?
  private let other: String?

  /// - Parameters:
  ///   - limit: the longest time that one trial may take, whatever it says itself.
  ///   - total: the longest time that all of them together may take; `nil` for no limit.
  ///   - other: the user of the schedule, if that is not the caller: what depends on the user is not tried.
  init(on machine: MachineContext, limit: TimeSpan, total: TimeSpan?, other: String?) {
    (self.machine, self.limit, self.total, self.other) = (machine, limit, total, other)
  }

  /// - Returns: the results of all trials, in the order of the trials.
  /// - Throws: `Interrupted` after a signal.
  func results(of trials: [any Trial]) throws -> [TrialResult] {
    let found = Mutex<[Int: [TrialResult]]>([:])
    let begun = machine.host.clock.uptime()
    func run(_ indices: [Int], within span: TimeSpan?) throws {
      let end = span.map { begun + $0 }
      try SideBySide.run(indices.count, threads: Self.threads) { [self] position in
        let index = indices[position]
        let results = try limited(trials[index], until: end)
        found.withLock { $0[index] = results }
      }
    }
    // What needs an open repository comes after the trials that open them.
    // The first ones leave time for these.
    try run(trials.indices.filter { trials[$0].opening == nil }, within: total.map { $0 / 2 })
    try run(trials.indices.filter { trials[$0].opening != nil }, within: total)
    // A trial may have failed because the signal reached what it had started.
    try machine.host.cancellation.check()
    return found.withLock { found in trials.indices.flatMap { found[$0] ?? [] } }
  }

  /// - Parameter end: the uptime at which it must have ended; `nil` for its own limit alone.
  private func limited(_ trial: any Trial, until end: TimeSpan?) throws -> [TrialResult] {
    if trial.isOfUser, let other {
      return [trial.result(.notTried, "what it says of this user says nothing of \(other), who runs the schedule")]
    }
    if let opening = trial.opening, opening.repository == nil {
      return [trial.result(.notTried, "the repository is not open")]
    }
    let left = end.map { $0 - machine.host.clock.uptime() } ?? limit
    guard left > .zero else {
      return [
        trial.result(
          .warning, "there was no time left to try it", hint: "Run `holdfast check` without --nagios, which waits.")
      ]
    }
    let limit = min(trial.limit, limit, left)
    let cancellation = Cancellation(below: machine.host.cancellation)
    let answer = try TimedWork.run(1, within: limit, unless: machine.host.cancellation) { [machine] _ in
      try trial.run(on: machine.with(cancellation))
    }
    // What it has opened may be used by others, so only what has not ended is cancelled.
    switch answer[0] {
    case .success(let results): return results
    case .failure(let error): return [trial.failure(error)]
    case nil: break
    }
    cancellation.raise()
    return [
      trial.result(
        .failed, "it did not end within \(Amount.duration(limit))",
        hint: "See whether what it asks answers, and run the same command again.")
    ]
  }
}
