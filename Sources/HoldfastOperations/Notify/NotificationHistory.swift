internal import HoldfastConfiguration
package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// The notifications of one command so far, over all its runs.
package final class NotificationHistory: Sendable {
  private struct Told {
    var begun: Set<HTTPAddress> = []
    var failed: Set<HTTPAddress> = []
    var reasons: Set<String> = []
    /// The uptimes of the last news of success.
    var succeeded: [NotificationTarget.Way: TimeSpan] = [:]
    /// The failures that receivers know of and that no success of the same command has followed.
    var worries: Set<Worry> = []
  }

  /// A failure that a receiver knows of. Only a success of the same command ends it: a backup proves nothing of what a
  /// verify has found.
  private struct Worry: Hashable {
    let way: NotificationTarget.Way
    let command: String
  }

  private let told = Mutex(Told())
  /// The clock and the interval of a watch; `nil` for a command that ends.
  private let watch: (clock: Clock, interval: TimeSpan)?

  package init() { watch = nil }

  /// The notifications of a watch, which makes a run every few seconds.
  /// - Parameter interval: the time between two successes that a receiver gets.
  package init(every interval: TimeSpan, clock: Clock) { watch = (clock, interval) }

  /// True if a reason has not been reported yet. It counts as reported from now on.
  func isNews(_ reason: String) -> Bool { told.withLock { $0.reasons.insert(reason).inserted } }

  /// True if a receiver should get this notification after those that it has got. A ping receiver gets the first
  /// beginning, and no success after a failure.
  /// Of a watch every receiver gets the first of several failures of a command; a success when no failure of any
  /// command stands any more, and then one at every interval.
  func shallHear(_ target: NotificationTarget, _ notification: Notification) -> Bool {
    if let watch { return told.withLock { Self.shallHear(&$0, watch, target, notification) } }
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

  private static func shallHear(
    _ told: inout Told, _ watch: (clock: Clock, interval: TimeSpan), _ target: NotificationTarget,
    _ notification: Notification
  ) -> Bool {
    let worry = Worry(way: target.way, command: notification.command)
    switch notification.event {
    case .start: return false
    case .failure, .incomplete: return told.worries.insert(worry).inserted
    case .success:
      let wasWorried = told.worries.remove(worry) != nil
      guard !told.worries.contains(where: { $0.way == target.way }) else { return false }
      let now = watch.clock.uptime()
      guard wasWorried || told.succeeded[target.way].map({ now - $0 >= watch.interval }) ?? true else { return false }
      told.succeeded[target.way] = now
      return true
    }
  }
}
