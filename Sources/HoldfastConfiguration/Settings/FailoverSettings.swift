package import HoldfastModel

/// The configuration of a failover of a source, as one of its hosts has it.
package struct FailoverSettings: Hashable, Sendable {
  /// A command of the site, with the time that it may take.
  package struct Command: Hashable, Sendable {
    package let text: String
    package let timeout: TimeSpan

    package init(_ text: String, timeout: TimeSpan) { (self.text, self.timeout) = (text, timeout) }
  }

  /// The commands of the site, by their keys.
  package enum Task: String, CaseIterable, Hashable, Sendable {
    /// Succeeds while the service answers.
    case probe
    /// Makes sure that the host that serves cannot serve any more.
    case fence
    /// Lets this host serve.
    case promote
    /// Ends the service on this host.
    case demote

    /// The time that the command may take where nothing is configured.
    package var usualTimeout: TimeSpan { self == .probe ? .seconds(10) : .minutes(2) }
  }

  /// The name of this host, by which numbers of the lease say who serves. It is the same after a change of the
  /// machine's own name.
  package internal(set) var host: HostName?
  /// The directory of the standby on this host.
  package internal(set) var directory: Path?
  package internal(set) var commands: [Task: Command] = [:]

  package init() {}
}
