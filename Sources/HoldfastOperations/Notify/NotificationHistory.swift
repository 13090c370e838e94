internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// The notifications of one command so far, over all its runs.
package final class NotificationHistory: Sendable {
  private struct Told {
    var begun: Set<HTTPAddress> = []
    var failed: Set<HTTPAddress> = []
    var reasons: Set<String> = []
  }

  private let told = Mutex(Told())

  package init() {}

  /// True if a reason has not been reported yet. It counts as reported from now on.
  func isNews(_ reason: String) -> Bool { told.withLock { $0.reasons.insert(reason).inserted } }

  /// True if a receiver should get this notification after those that it has got. A ping receiver gets the first
  /// beginning, and no success after a failure.
  func shallHear(_ target: NotificationTarget, _ notification: Notification) -> Bool {
    guard case .ping(let address) = target.way else { return true }
    return told.withLock { told in
      switch notification.event {
      case .start: return told.begun.insert(address).inserted
      case .success: return !told.failed.contains(address)
      case .failure, .incomplete:
        told.failed.insert(address)
        return true
      }
    }
  }
}
