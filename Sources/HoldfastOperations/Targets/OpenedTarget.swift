package import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastStore
internal import Synchronization

/// A target other than home, and its store, to which no request was sent yet.
package struct OpenedTarget: Sendable {
  package let settings: TargetSettings
  /// Its store, or the reason why it cannot be used.
  let store: Result<any Store, any Error>

  package var name: String { settings.name }

  /// The target as a pass or a reader uses it; `nil` when it has no store.
  var asTarget: Target? { (try? store.get()).map { Target(name: name, store: $0) } }
}

/// The targets that did not answer in a run on several sources: each is waited for once.
package final class AwayTargets: Sendable {
  private struct Key: Hashable {
    let repository: String
    let target: String
  }

  private let reasons = Mutex<[Key: String]>([:])

  package init() {}

  /// Returns the reason why a target is not asked again; `nil` when it has answered, or was not asked.
  func obstacle(at target: String, of repository: String) -> BehindReason? {
    reasons.withLock { $0[Key(repository: repository, target: target)] }.map { .wasAway(reason: $0) }
  }

  /// Notes that a target did not answer.
  func note(_ failure: any OperatorError, at target: String, of repository: String) {
    guard !(failure is BehindReason) else { return }
    reasons.withLock { $0[Key(repository: repository, target: target)] = failure.message }
  }

  /// Notes if the target did not answer a sync.
  func note(_ result: TargetResult, of repository: String) {
    note([result.failure].compactMap(\.self) + result.sources.compactMap(\.failure), at: result.target, of: repository)
  }

  /// Notes if the target did not answer a scrub.
  func note(_ result: ScrubResult, of repository: String) {
    note([result.failure].compactMap(\.self) + result.sources.compactMap(\.failure), at: result.target, of: repository)
  }

  private func note(_ failures: [any OperatorError], at target: String, of repository: String) {
    // A target with a lease of another run has answered.
    guard let failure = failures.first(where: { $0.isTransient && $0.exitStatus != .locked && !($0 is BehindReason) })
    else { return }
    reasons.withLock { $0[Key(repository: repository, target: target)] = failure.message }
  }
}
