package import HoldfastModel

/// The configuration of a source that hosts take turns in serving.
package struct FailoverSettings: Hashable, Sendable {
  /// The name of this host. It is the same after a change of the machine's own name.
  package internal(set) var host: HostName?
}
