package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
internal import HoldfastSystem

extension Lease {
  /// Returns what a run that adds to a source, or prunes it, asks of the newest number before it creates the next one.
  package static func admission(
    to source: SourceName, of repository: Repository
  ) -> @Sendable (RoleReading) throws -> Void {
    { reading in
      switch reading {
      case .none: break
      case .unclear: throw LeaseError.roleUnclear(name: source.text, location: repository.location)
      case .known(let role): try ServingRefusal.check(role, is: repository.hostName(source), of: source)
      }
    }
  }

  /// Brings the numbers of this lease and the notes together, before anything is committed under it. A role that the
  /// numbers have lost comes back from the notes, in a number above that in which it began, and one that is not noted
  /// yet is noted.
  /// - Parameter notes: the notes on the source as they are now; `nil` to read them.
  /// - Throws: `EngineError` if the notes say that another host serves.
  package func settleRole(of source: SourceName, in repository: Repository, _ notes: SourceNotes? = nil) throws {
    let noted = try (notes ?? repository.notes.read(source).notes).lastEra?.role
    let role = serving.role
    guard role != nil || noted != nil else { return }
    guard repository.isHome else { throw ServingRefusal.standIn(source) }
    if let role, role.since > noted?.since ?? 0 { return try repository.note(role, of: source) }
    guard let noted, noted != role else { return }
    try ServingRefusal.check(noted, is: repository.hostName(source), of: source)
    try restore(noted)
  }

  /// Says that a host serves a source from now on: in the next number of the lease, and then in the notes. Only when
  /// this has returned may the host begin to serve, and only after another `checkHeld`.
  /// - Parameter snapshot: the snapshot with which it begins; `nil` if there is none.
  /// - Throws: `LeaseError` if the lease is lost: then the role is as it was, or another host has announced one. After
  ///   any other error it is not known if the role has changed. Another call under the same lease goes on.
  @discardableResult
  package func announce(
    _ host: HostName, from snapshot: Snapshot?, of source: SourceName, in repository: Repository
  ) throws -> ServingRole {
    guard repository.isHome else { throw ServingRefusal.standIn(source) }
    let noted = try repository.notes.read(source).notes.lastEra?.role
    let start = snapshot.map { ServingRole.Start(sequence: $0.sequence, snapshot: $0.id) }
    let highest = try repository.catalog.highestPresent(of: source)
    let role = try announce(host, from: start, highest: highest, above: noted?.since ?? 0)
    try repository.note(role, of: source)
    return role
  }
}

extension Repository {
  fileprivate func note(_ role: ServingRole, of source: SourceName) throws {
    try notes.change(source) { notes, _ in notes.note(role, at: RecordedTime(host.clock.now())) }
  }
}
