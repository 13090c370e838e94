package import HoldfastConfiguration
package import HoldfastModel

extension MachineContext {
  /// The variable that names this host for every source.
  package static let hostVariable = "HOLDFAST_HOST"

  /// Returns the name by which this host is known to those that take turns in serving a source; `nil` if it has none. A
  /// mistake in the configuration gives it none.
  /// - Parameter settings: the configuration of the source, if it was read already.
  package func hostName(for source: SourceName, _ settings: SourceSettings? = nil) -> HostName? {
    if let text = environment.text(Self.hostVariable) { return HostName(text) }
    return (settings ?? (try? loader().load())?.source(source.text))?.failover.host
  }
}
