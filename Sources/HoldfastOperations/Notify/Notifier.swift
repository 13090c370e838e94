package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Sends notifications about a run. It never makes a run fail, and delays it only until it gives up. Each notification
/// that fails is one warning.
///
/// A command may make several runs on several sources. With one history they count as one run for a ping receiver: it
/// gets the first beginning, and no success after a failure. The runs of `holdfast run` are told by a `RunDigest`.
final class Notifier: RunObserver {
  private let messenger: Messenger
  private var begun: [Delivery] = []
  private var beginning: RunBeginning?
  private var repository: String?
  private var names: SourceNameStore?

  init(_ messenger: Messenger) { self.messenger = messenger }

  /// Notifies receivers while the run goes on.
  func began(_ beginning: RunBeginning) {
    self.beginning = beginning
    begun += deliver(Notification(beginning, sources: []))
  }

  /// Notifies receivers of certain sources only, because the sources are known now.
  func opened(_ repository: Repository, sources: [SourceName]) {
    (self.repository, names) = (repository.location, repository.names)
    if let beginning { begun += deliver(Notification(beginning, sources: sources)) }
  }

  func ended(_ record: RunRecord) {
    // The end must not arrive before the beginning.
    var failures = messenger.failures(of: begun)
    if let notification = Notification(record, repository: repository) {
      failures += messenger.failures(of: deliver(notification))
    }
    messenger.warn(failures, isFailed: record.failure != nil)
  }

  private func deliver(_ notification: Notification) -> [Delivery] {
    messenger.targets.compactMap { messenger.deliver(notification, to: $0, in: names) }
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
    guard isRecorded, let messenger = Messenger(NotificationTargets(machine), history, notices: notices) else { return }
    add(Notifier(messenger))
  }
}
