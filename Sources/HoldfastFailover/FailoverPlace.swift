internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastStandby
internal import HoldfastStore
internal import HoldfastSystem

/// This host in the failovers of a source: its name, its directory, its commands.
struct FailoverPlace {
  /// The name of this host, by which numbers of the lease say who serves.
  let name: HostName
  let site: SiteCommands
  let configured: SourceSettings
  private let source: SourceName
  private let context: RepositoryContext
  private let directory: Path?

  /// - Parameter directory: the directory of the standby; `nil` for the configured one.
  /// - Throws: with exit status 2 when the configuration does not say how this host is called.
  init(_ source: SourceName, at context: RepositoryContext, directory: Path?) throws {
    guard let configured = try context.configuration(of: source) else {
      throw EngineError(
        .usage, "the source \(source) is not configured on this host",
        hint: "Name it in the configuration, with `failover: {host: NAME, probe: …, fence: …, promote: …}`.",
        exitStatus: .usage)
    }
    guard let name = context.machine.hostName(for: source, configured) else {
      throw EngineError(
        .usage, "the configuration of \(source) does not say how this host is called in a failover",
        hint: "Write `failover: {host: NAME}`, with another NAME on each host.", exitStatus: .usage)
    }
    (self.source, self.context, self.configured, self.name) = (source, context, configured, name)
    site = SiteCommands(source: source, settings: configured.failover, host: context.machine.host)
    self.directory = directory ?? configured.failover.directory
  }

  /// The terms under which the lease is held.
  var terms: LeaseTerms { LeaseTerms(duration: configured.watch.lease, renewal: configured.watch.heartbeat) }

  /// Takes the directory of the standby into the hands of a failover.
  func takeover(isDryRun: Bool, _ progress: any ProgressObserver) throws -> Takeover {
    guard let directory else {
      throw EngineError(
        .usage, "it is not said where the standby of \(source) is", hint: "Say --in DIR, or `failover: {in: DIR}`.",
        exitStatus: .usage)
    }
    return try Takeover(source, at: context, in: directory, isDryRun: isDryRun, progress: progress)
  }
}
