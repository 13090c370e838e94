package import HoldfastModel
internal import HoldfastSystem

/// A `holdfast run` that has failed before its first step: its configuration cannot be used, or has no such source.
/// Receivers in the environment hear of it even without a configuration.
package enum UnbegunRun {
  /// Sends each receiver a notification of the failure.
  /// - Parameter began: the time at which the command began.
  package static func tell(
    _ error: any Error, began: Timestamp, on machine: MachineContext, notices: any NoticeObserver
  ) {
    guard let messenger = Messenger(NotificationTargets(machine), NotificationHistory(), notices: notices) else {
      return
    }
    let notification = Notification(
      digestBegan: began, on: machine.environment.hostName, failure: describe(error), ended: machine.host.clock.now())
    let deliveries = messenger.targets.compactMap { messenger.deliver(notification, to: $0) }
    messenger.warn(messenger.failures(of: deliveries), isFailed: true)
  }
}
