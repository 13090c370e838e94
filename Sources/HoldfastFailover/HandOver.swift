package import HoldfastArchive
package import HoldfastConfiguration
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastStandby
internal import HoldfastStore
internal import HoldfastSystem

/// `holdfast switchover SOURCE --to HOST`, on the host that serves: ends the service here, takes the last snapshot, and
/// announces the other host. That needs no fence, because this host has ended its service itself, and no number says
/// any more that it may serve.
package final class HandOver {
  /// The plan of a hand-over, and its result.
  package struct Report: Sendable {
    package let source: SourceName
    package let repository: Identifier
    package let host: HostName
    package let to: HostName
    package let isDryRun: Bool
    package let demote: FailoverSettings.Command
    /// True if no host of that name has ever served the source: the name may be mistyped.
    package let isNewHost: Bool
    package internal(set) var snapshot: Snapshot?
    package internal(set) var since: UInt64?
    package internal(set) var duration = TimeSpan.zero
  }

  /// The longest wait for whoever held the lease before `demote`.
  private static let patience = TimeSpan.minutes(2)
  /// The source; its stored name is known once the repository is open.
  private var source: SourceName
  private let target: HostName
  private let acceptsNewHost: Bool
  private let context: RepositoryContext
  private let place: FailoverPlace
  private let watch: RunWatch
  private let progress: any ProgressObserver
  private var host: Host { context.machine.host }

  /// - Parameters:
  ///   - target: the name of the host that shall serve.
  ///   - acceptsNewHost: true if that host need not have served the source before.
  package init(
    _ source: SourceName, to target: HostName, acceptsNewHost: Bool, at context: RepositoryContext, _ watch: RunWatch,
    progress: any ProgressObserver
  ) throws {
    (self.source, self.target, self.acceptsNewHost, self.context) = (source, target, acceptsNewHost, context)
    (self.watch, self.progress) = (watch, progress)
    place = try FailoverPlace(source, at: context, directory: nil)
    guard target != place.name else {
      throw EngineError(
        .usage, "this host is called \(target) itself", hint: "Name the other one with --to.", exitStatus: .usage)
    }
  }

  private func open() throws -> Repository {
    let opened = try context.openHome(for: source) { [watch] in watch.tellAndRecord(Notice(.warning, $0), as: $0) }
    source = try opened.repository.names.source(source)
    return opened.repository
  }

  /// Finds out if this host can hand over.
  package func look() throws -> Report { try plan(isDryRun: true).report }

  private func plan(isDryRun: Bool) throws -> (report: Report, repository: Repository) {
    let repository = try open()
    let demote = try place.site.command(.demote)
    let standing = try ServingStanding(of: source, in: repository)
    if let role = standing.role, role.serving != place.name {
      throw EngineError(
        .usage,
        "\(role.serving) serves \(source) since number \(role.since), and this host, \(place.name), has nothing to hand over",
        hint: role.serving == target
          ? "It was handed over: run `holdfast switchover \(source)` on \(target)."
          : "Run the command on \(role.serving).", exitStatus: .usage)
    }
    // What would refuse the last snapshot refuses the plan: nothing was ended yet.
    let admission = Lease.admission(to: source, of: repository)
    try admission(standing.reading)
    if let role = standing.role { try admission(.known(role)) }
    let notes = try repository.catalog.checkIsNotRemoved(source)
    _ = try ConfiguredSource(place.configured, in: repository, at: context)
    let isNewHost = (notes.eras ?? []).allSatisfy { $0.serving != target }
    let report = Report(
      source: source, repository: repository.id, host: place.name, to: target, isDryRun: isDryRun, demote: demote,
      isNewHost: isNewHost)
    return (report, repository)
  }

  /// Hands over.
  /// - Parameter confirm: shows the plan; throws unless it may be done.
  package func run(confirm: (Report) throws -> Void) throws -> Report {
    let begun = host.clock.uptime()
    let planned = try plan(isDryRun: false)
    var (report, repository) = planned
    watch.opened(repository, source: source)
    guard !report.isNewHost || acceptsNewHost else {
      throw EngineError(
        .usage,
        "no host called \(target) has ever served \(source): only one with `failover: {host: \(target)}` could",
        hint: "Correct the name; or say --new-host, if that is how the other host is called.", exitStatus: .usage)
    }
    try confirm(report)
    try demote("it is not known if the service runs here, and \(stillServes)")
    var standing = "The service here was ended, and \(stillServes)"
    do {
      let lease = try takeLease(repository)
      defer { lease.end() }
      repository.held = (source, lease)
      // The gate may have let the service start before this run had the lease. From here on it does not.
      try demote(standing)
      let snapshot = try lease.whileHeld { try lastSnapshot(repository) }
      // Whoever asked the gate before may have been slow to start the service.
      try demote(standing)
      standing =
        "The service here was ended, and it is not known if \(target) is announced: `holdfast serving \(source) --show` tells"
      do {
        let role = try lease.announce(
          target, from: snapshot, highest: snapshot.sequence, isAwaited: true, of: source, in: repository)
        (report.snapshot, report.since) = (snapshot, role.since)
      } catch LeaseError.taken(let name, let location) {
        standing = "The service here was ended, and \(target) is not announced"
        throw LeaseError.taken(name: name, location: location)
      }
    } catch let error as FailoverError {
      throw error
    } catch {
      throw FailoverError(handingOver: source, error, standing: standing)
    }
    report.duration = host.clock.uptime() - begun
    return report
  }

  private var stillServes: String { "\(place.name) still counts as the host that serves" }

  /// Ends the service here.
  /// - Parameter standing: the state of both hosts if that fails, in words.
  private func demote(_ standing: String) throws {
    do {
      let end = try place.site.run(.demote, ["HOLDFAST_PRIMARY": place.name.text])
      guard !end.isSuccess else { return }
      throw EngineError(
        .machine, "demote has not succeeded: \(end.text)", hint: "See if the service runs here, and start it again.")
    } catch {
      throw FailoverError(handingOver: source, error, standing: standing)
    }
  }

  private func takeLease(_ repository: Repository) throws -> Lease {
    let until = host.clock.uptime() + Self.patience
    while true {
      let lease = try Lease.take(
        source.key, in: repository.store, host: host, terms: place.terms, waits: false,
        // Without the name of this host: the gate here takes such a number for no run of this host, and stays shut.
        as: { nil }, admits: Lease.admission(to: source, of: repository),
        onWait: { [progress, source] in
          progress.note("waiting to see if the last holder of the lease on \(source) is gone")
        })
      if let lease { return lease }
      guard host.clock.uptime() < until else {
        throw EngineError(
          .transient, "another run still holds the lease on \(source)",
          hint: "Let demote end `holdfast watch` as well, and run the same command again.", exitStatus: .locked)
      }
      try host.cancellation.check()
      Pause.time(.milliseconds(250))
    }
  }

  /// Takes the last snapshot under the lease, with everything that the source has.
  private func lastSnapshot(_ repository: Repository) throws -> Snapshot {
    var settings = place.configured
    // The configuration may have an earlier name of it, which is no reason not to hand over.
    settings.name = source
    let configured = try ConfiguredSource(settings, in: repository, at: context)
    let taken = try configured.backup(configured.backupOptions(kind: nil), watch, progress)
    watch.tell(taken.report)
    guard taken.report.exitStatus == .done else {
      throw EngineError(
        .machine, "the last snapshot, \(taken.report.envelope.snapshot.short), is not whole, or looks wrong",
        hint: "Correct that, or accept it with `holdfast accept`, and run the same command again.",
        exitStatus: .incomplete)
    }
    _ = try configured.bringUp(taken, progress)
    let all = try repository.catalog.allSnapshots(of: source) { [progress] in progress.warn($0.message) }
    guard let last = all.first(where: { $0.id == taken.report.envelope.snapshot }) else {
      throw EngineError(
        .repository, "the last snapshot, \(taken.report.envelope.snapshot.short), cannot be read",
        hint: "Run `holdfast verify`.")
    }
    return last
  }
}

extension HandOver.Report: Encodable {
  private enum CodingKeys: String, CodingKey {
    case source, repository, host, to, dryRun, demote, snapshot, seconds
    case since = "sinceNumber"
  }

  private struct Taken: Encodable {
    let id: String
    let sequence: UInt64
  }

  /// The report for people.
  package var lines: [String] {
    guard let since, let snapshot else {
      return [
        "\(host) hands \(source) over to \(to): it runs demote, takes the last snapshot, and announces \(to)",
        "  demote     \(Path(demote.text)) (\(demote.timeout) at most)",
      ]
        + (isNewHost
          ? ["  WARNING    no host called \(to) has ever served \(source): is that its name in its configuration?"]
          : [])
    }
    return [
      "handed \(source) over to \(to) with number \(since), after snapshot \(snapshot.id.short), number \(snapshot.sequence), in \(Amount.duration(duration))",
      "  next: holdfast switchover \(source), on \(to)",
    ]
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(source.text, forKey: .source)
    try container.encode(repository.description, forKey: .repository)
    try container.encode(host.text, forKey: .host)
    try container.encode(to.text, forKey: .to)
    try container.encode(isDryRun, forKey: .dryRun)
    try container.encode(demote.text, forKey: .demote)
    try container.encode(
      snapshot.map { Taken(id: $0.id.description, sequence: $0.sequence) }, forKey: .snapshot)
    try container.encode(since, forKey: .since)
    try container.encode(duration, forKey: .seconds)
  }
}
