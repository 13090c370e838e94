internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastSystem

/// Tries the ways by which people are told of runs: each receiver gets one notification that says so.
package struct NotificationTest: Sendable {
  /// A receiver, and what it answered.
  package struct Answer: Sendable {
    /// The variable or the key of the configuration that names the receiver.
    package let receiver: String
    /// The answer in words, without the address.
    package let result: Result<String, any Error>
  }

  /// Why a receiver that is named cannot be used, without its address.
  package let problems: [String]
  private let targets: [NotificationTarget]
  private let machine: MachineContext

  /// Finds the receivers of the environment and of the configuration.
  package init(_ machine: MachineContext) {
    let found = NotificationTargets(machine)
    (problems, targets, self.machine) = (found.problems.map(\.message), found.targets, machine)
  }

  /// The names of the receivers.
  package var receivers: [String] { targets.map(\.name) }

  /// Sends a notification to each receiver, one after the other.
  package func send() -> [Answer] {
    let notification = Notification(testOn: Host.name, at: machine.host.clock.now())
    return targets.map { target in
      do {
        return Answer(receiver: target.name, result: .success(try target.send(notification, client: HTTPClient())))
      } catch {
        return Answer(receiver: target.name, result: .failure(error))
      }
    }
  }
}
