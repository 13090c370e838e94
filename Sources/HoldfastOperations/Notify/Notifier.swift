package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem
internal import Synchronization

/// Sends notifications about runs. It never makes a run fail, and delays it only until it gives up. Each notification
/// that fails is one warning.
///
/// A command may make several runs on several sources. With one history they count as one run for a ping receiver: it
/// gets the first beginning, and no success after a failure.
final class Notifier: RunObserver {
  /// The longest time for all notifications.
  private static let timeout = TimeSpan.seconds(40)
  private let found: NotificationTargets
  private let client: HTTPClient
  private let history: NotificationHistory
  private let notices: any NoticeObserver
  private var begun: [Delivery] = []
  private var beginning: RunBeginning?
  private var repository: String?

  /// - Returns: `nil` when there is no receiver.
  init?(
    _ found: NotificationTargets, _ history: NotificationHistory, notices: any NoticeObserver,
    client: HTTPClient = HTTPClient()
  ) {
    guard !found.targets.isEmpty || !found.problems.isEmpty else { return nil }
    self.found = found
    self.client = client
    self.history = history
    self.notices = notices
  }

  /// Notifies receivers while the run goes on.
  func began(_ beginning: RunBeginning) {
    self.beginning = beginning
    begun += deliver(Notification(beginning, sources: []))
  }

  /// Notifies receivers of certain sources only, because the sources are known now.
  func opened(_ repository: Repository, sources: [SourceName]) {
    self.repository = repository.location
    if let beginning { begun += deliver(Notification(beginning, sources: sources)) }
  }

  func ended(_ record: RunRecord) {
    // The end must not arrive before the beginning.
    var failed = begun.compactMap { $0.wait(Self.timeout) }
    if let notification = Notification(record, repository: repository) {
      failed += deliver(notification).compactMap { $0.wait(Self.timeout) }
    }
    // If the configuration cannot be parsed, the run itself may report that, and better.
    let problems = found.problems.filter { !$0.isOfConfiguration || record.failure == nil }.map(\.message)
    warn("nobody is told of this run", problems)
    warn("nobody was told of this run", failed)
  }

  private func warn(_ what: String, _ reasons: [String]) {
    for reason in reasons where history.isNews(reason) {
      notices.tell(Notice(.warning, "\(what): \(reason)"))
    }
  }

  private func deliver(_ notification: Notification) -> [Delivery] {
    found.targets.filter { target in
      target.wants(notification) && history.shallHear(target, notification)
    }.map { Delivery($0, notification, client) }
  }
}

/// A notification on its way to one receiver.
private final class Delivery: Sendable {
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

extension RunWatch {
  /// Makes the watch of a run, with its notifications.
  /// - Parameter history: the notifications of the same command about its other runs.
  package convenience init(
    _ command: RunCommand, _ machine: MachineContext, notices: any NoticeObserver, isDryRun: Bool = false,
    notifying history: NotificationHistory
  ) {
    self.init(command, machine, notices: notices, isDryRun: isDryRun)
    guard isRecorded, let notifier = Notifier(NotificationTargets(machine), history, notices: notices) else { return }
    add(notifier)
  }
}
