internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem
internal import Synchronization

/// Sends notifications to the receivers of a command, and warns of what does not arrive.
struct Messenger {
  /// The longest time for all notifications.
  private static let timeout = TimeSpan.seconds(40)
  private let found: NotificationTargets
  private let client: HTTPClient
  private let history: NotificationHistory
  private let notices: any NoticeObserver

  /// - Returns: `nil` when there is no receiver.
  init?(
    _ found: NotificationTargets, _ history: NotificationHistory, notices: any NoticeObserver,
    client: HTTPClient = HTTPClient()
  ) {
    guard !found.targets.isEmpty || !found.problems.isEmpty else { return nil }
    (self.found, self.history, self.notices, self.client) = (found, history, notices, client)
  }

  /// The receivers.
  var targets: [NotificationTarget] { found.targets }

  /// Begins to send a notification to a receiver, if it wants it.
  /// - Parameter names: the names of the repository of the run; `nil` if its sources are named as they are configured.
  func deliver(
    _ notification: Notification, to target: NotificationTarget, in names: SourceNameStore? = nil
  ) -> Delivery? {
    guard target.wants(notification, names), history.shallHear(target, notification) else { return nil }
    return Delivery(target, notification, client)
  }

  /// Waits until notifications have arrived, or cannot.
  /// - Returns: the reasons why some did not arrive.
  func failures(of deliveries: [Delivery]) -> [String] { deliveries.compactMap { $0.wait(Self.timeout) } }

  /// Warns of receivers that cannot be used, and of notifications that did not arrive.
  /// - Parameters:
  ///   - failures: the reasons why some did not arrive.
  ///   - isFailed: true if the run failed: if the configuration cannot be parsed, it may report that itself, and
  ///     better.
  func warn(_ failures: [String], isFailed: Bool) {
    let problems = found.problems.filter { !$0.isOfConfiguration || !isFailed }.map(\.message)
    warn("nobody is told of this run", problems)
    warn("nobody was told of this run", failures)
  }

  private func warn(_ what: String, _ reasons: [String]) {
    for reason in reasons where history.isNews(reason) {
      notices.tell(Notice(.warning, "\(what): \(reason)"))
    }
  }
}

/// A notification on its way to one receiver.
final class Delivery: Sendable {
  private enum State { case underWay, arrived, failed(String) }
  private let state = Mutex(State.underWay)

  init(_ target: NotificationTarget, _ notification: Notification, _ client: HTTPClient) {
    WorkerThread.detach { [self] in
      do {
        try target.send(notification, client: client)
        state.withLock { $0 = .arrived }
      } catch {
        let reason = describe(error).message
        state.withLock { $0 = .failed(reason) }
      }
    }
  }

  /// - Returns: the reason why it did not arrive; `nil` when it did.
  func wait(_ timeout: TimeSpan) -> String? {
    let deadline = Clock.system.uptime() + timeout
    while true {
      switch state.withLock({ $0 }) {
      case .arrived: return nil
      case .failed(let reason): return reason
      case .underWay: break
      }
      guard Clock.system.uptime() < deadline else { return "it took too long" }
      Pause.forAnotherThread()
    }
  }
}
