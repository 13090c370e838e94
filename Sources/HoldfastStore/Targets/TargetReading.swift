internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// The targets for reading: the order in which they are asked, and what is noted of their answers.
final class TargetReading: Sendable {
  /// The targets, home first.
  let targets: [Target]
  let policy: TargetPolicy
  let clock: Clock
  private let outcomes: TargetOutcomes
  private let times: Mutex<[AnswerTimes]>

  init(_ targets: [Target], _ policy: TargetPolicy, clock: Clock, _ outcomes: TargetOutcomes) {
    (self.targets, self.policy, self.clock, self.outcomes) = (targets, policy, clock, outcomes)
    times = Mutex(targets.map { _ in AnswerTimes() })
  }

  /// Returns the numbers of all targets. Those that failed, or answered late, a short time ago come last.
  func order() -> [Int] {
    let now = clock.uptime()
    let resting = times.withLock { times in times.map { $0.isResting(at: now) } }
    return targets.indices.filter { !resting[$0] } + targets.indices.filter { resting[$0] }
  }

  /// Returns the time to wait for a target before the next one is asked too.
  func hedge(_ target: Int) -> TimeSpan { times.withLock { $0[target].hedge(policy) } }

  func noteAnswer(_ target: Int, after span: TimeSpan) { times.withLock { $0[target].note(span) } }

  /// Notes that another target was asked because this one had not answered soon.
  func noteLate(_ target: Int) {
    outcomes.noteLate(target)
    rest(target)
  }

  func noteFailure(_ target: Int, _ key: String, _ failure: any Error) {
    outcomes.noteBad(target, key, failure)
    // Damage to one object says nothing about other objects.
    if !failure.isDamage { rest(target) }
  }

  private func rest(_ target: Int) {
    let end = clock.uptime() + policy.restAfterFailure
    times.withLock { $0[target].rest(until: end) }
  }
}
