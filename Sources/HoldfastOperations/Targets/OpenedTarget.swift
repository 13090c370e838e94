package import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastStore
internal import Synchronization

/// A target beside home, and its store. Nothing is asked of it yet.
package struct OpenedTarget: Sendable {
  package let settings: TargetSettings
  /// Its store, or why it has none that may be used.
  let store: Result<any Store, any Error>

  package var name: String { settings.name }

  /// As a pass or a reader uses it; `nil` when it has no store.
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

  /// Why a target is not asked again; `nil` when it has answered, or was not asked.
  func obstacle(at target: String, of repository: String) -> BehindReason? {
    reasons.withLock { $0[Key(repository: repository, target: target)] }.map { .wasAway(reason: $0) }
  }

  /// Notes what a sync found.
  func note(_ result: TargetResult, of repository: String) {
    let failures = [result.failure].compactMap(\.self) + result.sources.compactMap(\.failure)
    // Whoever says that somebody else is at work has answered.
    guard let failure = failures.first(where: { $0.isTransient && $0.exitStatus != .locked && !($0 is BehindReason) })
    else { return }
    reasons.withLock { $0[Key(repository: repository, target: result.target)] = failure.message }
  }
}
