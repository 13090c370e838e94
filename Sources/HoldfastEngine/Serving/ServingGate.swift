internal import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Decides if the service of a source may start on this host. It may if the newest number of the lease says that this
/// host served last, and is not only awaited, and after a run of this host has created the number that follows: then a
/// host that was about to take over under the older number finds that out, and begins anew
/// (docs/decisions/0045-standby-and-failover.md).
package struct ServingGate: Sendable {
  package struct Options: Sendable {
    package var source: SourceName
    /// The longest wait for another run that holds the lease, if that run is this host's own.
    package var patience = TimeSpan.minutes(1)

    package init(_ source: SourceName) { self.source = source }
  }

  package struct Report: Sendable {
    package let source: SourceName
    /// The name of this host; `nil` if it has none.
    package let host: HostName?
    /// `nil` if no host was ever announced.
    package let role: ServingRole?
    /// The newest number of the lease; 0 if there is none.
    package let number: UInt64
    /// True if the service may start on this host now.
    package let mayServe: Bool
  }

  private let repository: Repository
  private let options: Options
  private let host: HostName?

  package init(_ options: Options, in repository: Repository) {
    (self.repository, self.options) = (repository, options)
    host = repository.hostName(options.source)
  }

  private var source: SourceName { options.source }

  /// Only says who serves. It creates nothing, and so allows nothing.
  package func look() throws -> Report {
    let standing = try standing()
    return Report(source: source, host: host, role: standing.role, number: standing.number, mayServe: false)
  }

  /// Lets the service start.
  /// - Throws: `EngineError` with exit status 13 if another host serves, or with 1 if no host was ever announced; or
  ///   the reason why it is not known who serves.
  package func enter() throws -> Report {
    let standing = try standing()
    guard let role = standing.role else { throw Self.neverAnnounced(source) }
    try ServingRefusal.check(role, is: host, of: source)
    let end = repository.host.clock.uptime() + options.patience
    while true {
      if let number = try ownNumber(after: standing.number) {
        return Report(source: source, host: host, role: role, number: number, mayServe: true)
      }
      try repository.host.cancellation.check()
      guard repository.host.clock.uptime() < end else { throw Self.heldByAnother(source, options.patience) }
      Pause.time(.milliseconds(500))
    }
  }

  /// Says for the first time that a host serves the source: this one. Then the service may start.
  /// - Throws: `EngineError` with exit status 13 if another host serves.
  package func enterFirst() throws -> Report {
    guard let host else {
      throw EngineError(
        .usage, "this host has no name by which others know it",
        hint: "Say --host NAME, or set `failover: {host: NAME}` at the source.", exitStatus: .usage)
    }
    guard try standing().role == nil else { return try enter() }
    guard let lease = try Lease.take(on: source, of: repository, waits: false, serves: true) else {
      throw Self.heldByAnother(source, .zero)
    }
    defer { lease.end() }
    try lease.settleRole(of: source, in: repository)
    var role = lease.serving.role
    if role == nil {
      let highest = try repository.catalog.isKnown(source) ? repository.catalog.highestPresent(of: source) : 0
      role = try lease.announce(host, from: newest(), highest: highest, of: source, in: repository)
    }
    try lease.checkHeld()
    return Report(source: source, host: host, role: role, number: lease.number, mayServe: true)
  }

  /// - Throws: `DamageError` if a snapshot cannot be read: it may be the newest.
  private func newest() throws -> Snapshot? {
    guard try repository.catalog.isKnown(source) else { return nil }
    var damage: DamageError?
    let snapshots = try repository.catalog.allSnapshots(of: source) { damage = damage ?? $0 }
    if let damage { throw damage }
    return snapshots.max(by: Snapshot.isOlder)
  }

  private func standing() throws -> ServingStanding {
    let standing = try ServingStanding(of: source, in: repository)
    guard standing.reading != .unclear else {
      throw LeaseError.roleUnclear(name: source.text, location: repository.location)
    }
    return standing
  }

  /// Creates the next number, or finds that a run of this host has created one after a known number. Either has read in
  /// the number before that this host serves.
  /// - Returns: `nil` if another run has the lease, and has not gone on yet.
  private func ownNumber(after known: UInt64) throws -> UInt64? {
    if let lease = try Lease.take(on: source, of: repository, waits: false, serves: true) {
      defer { lease.end() }
      try lease.settleRole(of: source, in: repository)
      try lease.checkHeld()
      return lease.number
    }
    let numbers = LeaseNumbers(store: repository.store, name: source.key)
    guard let newest = try numbers.newest() else { return nil }
    try Lease.admission(to: source, of: repository)(newest.record.serving)
    let isOwn = newest.record.maker == host && newest.record.serving.role?.serving == host
    return isOwn && newest.number > known && !newest.record.isGivenBack ? newest.number : nil
  }

  private static func neverAnnounced(_ source: SourceName) -> EngineError {
    EngineError(
      .usage, "no host was ever announced to serve \(source)",
      hint:
        "On the host that serves it now, and only there, run `holdfast serving \(source) --first` once.")
  }

  private static func heldByAnother(_ source: SourceName, _ patience: TimeSpan) -> EngineError {
    EngineError(
      .transient,
      "another run has the lease on \(source)\(patience > .zero ? ", and no run of this host has renewed it within \(patience)" : "")",
      hint: "Run the same command again; `holdfast status --source \(source)` tells who has it.", exitStatus: .locked)
  }
}
