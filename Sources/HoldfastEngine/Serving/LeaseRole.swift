package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
internal import HoldfastSystem

extension Lease {
  /// Returns what a run that adds to a source, or prunes it, asks of the newest number before it creates the next one.
  /// - Parameter begins: true for the failover of a host that was announced and does not serve yet.
  package static func admission(
    to source: SourceName, of repository: Repository, begins: Bool = false
  ) -> @Sendable (RoleReading) throws -> Void {
    { reading in
      switch reading {
      case .none: break
      case .unclear: throw LeaseError.roleUnclear(name: source.text, location: repository.location)
      case .known(let role):
        try ServingRefusal.check(role, is: repository.hostName(source), of: source, begins: begins)
      }
    }
  }

  /// Brings the numbers of this lease and the notes together, before anything is committed under it. A role that the
  /// numbers have lost comes back from the notes, in a number above that in which it began, and one that is not noted
  /// yet is noted.
  /// - Parameters:
  ///   - notes: the notes on the source as they are now; `nil` to read them.
  ///   - begins: true for the failover of a host that was announced and does not serve yet.
  /// - Throws: `EngineError` if the notes say that another host serves, or that this one does not serve yet.
  package func settleRole(
    of source: SourceName, in repository: Repository, _ notes: SourceNotes? = nil, begins: Bool = false
  ) throws {
    let noted = try (notes ?? repository.notes.read(source).notes).lastEra?.role
    let role = serving.role
    guard role != nil || noted != nil else { return }
    guard repository.isHome else { throw ServingRefusal.standIn(source) }
    if let role, role.since > noted?.since ?? 0 { return try repository.note(role, of: source) }
    guard let noted, noted != role else { return }
    try ServingRefusal.check(noted, is: repository.hostName(source), of: source, begins: begins)
    try restore(noted)
  }

  /// Says that a host serves a source from now on: in the next number of the lease, and then in the notes. Only when
  /// this has returned may the host begin to serve, and only after another `checkHeld`.
  /// - Parameters:
  ///   - snapshot: the snapshot with which it begins; `nil` if there is none.
  ///   - highest: the highest number of a snapshot in the listing in which `snapshot` was chosen, or in an earlier one.
  ///     What has arrived after that is diverged.
  ///   - isAwaited: true if the host does not serve yet: `begin` says when it does.
  /// - Throws: `LeaseError` if the lease is lost: then the role is as it was, or another host has announced one. After
  ///   any other error it is not known if the role has changed. Another call under the same lease goes on.
  @discardableResult
  package func announce(
    _ host: HostName, from snapshot: Snapshot?, highest: UInt64, isAwaited: Bool = false, of source: SourceName,
    in repository: Repository
  ) throws -> ServingRole {
    guard repository.isHome else { throw ServingRefusal.standIn(source) }
    let noted = try repository.notes.read(source).notes.lastEra?.role
    let start = snapshot.map { ServingRole.Start(sequence: $0.sequence, snapshot: $0.id) }
    let role = try announce(
      host, from: start, highest: max(highest, snapshot?.sequence ?? 0), above: noted?.since ?? 0, isAwaited: isAwaited)
    try repository.note(role, of: source)
    return role
  }

  /// Says that the host of a role begins to serve: in the next number, and then in the notes. Only when this has
  /// returned may its service start.
  package func begin(_ role: ServingRole, of source: SourceName, in repository: Repository) throws {
    try restore(role.begun)
    try repository.note(role.begun, of: source)
  }
}

extension Repository {
  fileprivate func note(_ role: ServingRole, of source: SourceName) throws {
    try notes.change(source) { notes, _ in notes.note(role, at: RecordedTime(host.clock.now())) }
  }
}
