internal import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore

/// The host that serves a source, from both places that tell of it: the numbers of its lease, which decide and are
/// removed, and its notes, which stay.
package struct ServingStanding: Sendable, Hashable {
  /// The newest number of the lease; 0 if there is none.
  package let number: UInt64
  /// The role in it.
  package let reading: RoleReading
  /// The newest role in the notes; `nil` if there is none.
  package let noted: ServingRole?

  package init(number: UInt64, reading: RoleReading, noted: ServingRole?) {
    (self.number, self.reading, self.noted) = (number, reading, noted)
  }

  /// Reads both.
  package init(of source: SourceName, in repository: Repository) throws {
    let newest = try LeaseNumbers(store: repository.store, name: source.key).serving()
    self.init(
      number: newest.number, reading: newest.serving, noted: try repository.notes.read(source).notes.lastEra?.role)
  }

  /// The role that counts: the one that began later. The numbers may have lost it, with their folder or to an old
  /// holdfast, and a role that was just announced may not be in the notes yet. `nil` if no host was ever announced.
  package var role: ServingRole? {
    guard let noted else { return reading.role }
    guard let role = reading.role, role.since > noted.since else { return noted }
    return role
  }
}

/// The errors of a host that is not the one that serves a source.
package enum ServingRefusal {
  /// Throws unless this host serves the source.
  /// - Parameters:
  ///   - host: the name of this host; `nil` if it has none.
  ///   - begins: true for its failover, which goes on where it was announced and does not serve yet.
  package static func check(
    _ role: ServingRole, is host: HostName?, of source: SourceName, begins: Bool = false
  ) throws {
    guard role.serving == host else { throw other(role, than: host, of: source) }
    guard role.isAwaited, !begins else { return }
    throw EngineError(
      .transient,
      "\(role.serving) was announced to serve \(source), since number \(role.since) of its lease, and does not serve yet: nothing was written",
      hint: "Run `holdfast switchover \(source)` here: it brings the data, and lets this host serve.",
      exitStatus: .notServing)
  }

  static func other(_ role: ServingRole, than host: HostName?, of source: SourceName) -> EngineError {
    let begun = "since number \(role.since) of its lease"
    guard let host else {
      return EngineError(
        .usage, "\(role.serving) serves \(source), \(begun), and this host has no name: nothing was written",
        hint:
          "If this host is \(role.serving), set `failover: {host: \(role.serving)}` at the source, or HOLDFAST_HOST=\(role.serving). If not, leave it to \(role.serving).",
        exitStatus: .notServing)
    }
    return EngineError(
      .transient, "\(role.serving) serves \(source), \(begun), and this host is \(host): nothing was written",
      hint:
        "Leave it to \(role.serving). If this host should serve, run `holdfast serving \(source) --show`, and hand over first.",
      exitStatus: .notServing)
  }

  /// The error of a run at a target that stands in for home: numbers of a lease are compared at home only.
  static func standIn(_ source: SourceName) -> EngineError {
    EngineError(
      .transient, "home is away, and \(source) is served by hosts in turn: its snapshots are taken at home only",
      hint: "Run the same command again when home answers.")
  }
}
