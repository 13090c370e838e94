package import HoldfastModel

/// A run may not commit any more, because another run may hold its lease; or no number is left for a lease.
package enum LeaseError: OperatorError, Equatable {
  /// Another run has taken the next number.
  case taken(name: String, location: String)
  /// - Parameter reason: the reason why the next number could not be created in time.
  case notRenewed(name: String, location: String, reason: String)
  /// The manifest of a snapshot took so long to store that another run may have held the lease meanwhile.
  case committedLate(name: String, location: String)
  /// The newest number names a host that serves, in a way that this program does not understand.
  case roleUnclear(name: String, location: String)
  /// The highest possible number is in use.
  case noNumberLeft(name: String, location: String)

  package var message: String {
    switch self {
    case .taken(let name, let location):
      "another run has taken over \(name) in \(location), because this one was out of reach for too long; nothing was committed"
    case .notRenewed(let name, let location, let reason):
      "the lease on \(name) in \(location) could not be renewed in time, so nothing was committed: \(reason)"
    case .committedLate(let name, let location):
      "the manifest of this snapshot took too long to store, and another run has taken over \(name) in \(location), or may have: the snapshot is there, but the other run may still remove it"
    case .roleUnclear(let name, let location):
      "the newest number of the lease on \(name) in \(location) says which host serves, but not in a way that this version understands: nothing was written"
    case .noNumberLeft(let name, let location): "no number is left for a lease on \(name) in \(location)"
    }
  }

  package var hint: String? {
    switch self {
    case .taken, .notRenewed, .committedLate: "Run the same command again."
    case .roleUnclear(let name, _):
      "Use the version of holdfast that has written it. If it is damaged, look at \(LeaseNumbers.prefix)\(name)/ there, and remove the newest number when you know which host serves."
    case .noNumberLeft(let name, _): "Look at \(LeaseNumbers.prefix)\(name)/ there, and remove what is no lease."
    }
  }

  package var exitStatus: ExitStatus { .failed }

  package var scope: ErrorScope {
    switch self {
    case .taken, .notRenewed, .committedLate: .transient
    case .roleUnclear: .repository
    case .noNumberLeft: .machine
    }
  }
}
