package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore

/// The result of a trial to remove something at a target, with the credentials of this host.
package struct RemovalTrial: Hashable, Sendable, Codable {
  package enum Outcome: String, Sendable, Codable {
    /// A locked object was not deleted, with all rights that the credentials have.
    case objectLock
    /// The server, or the file system, has refused the removal.
    case appendOnly
    /// The object was removed.
    case removed
  }

  package let outcome: Outcome
  /// In milliseconds since 1970-01-01 UTC.
  private let tried: Int64
  /// The time until which an object that was stored then is locked, in milliseconds; `nil` without a lock.
  private let locked: Int64?

  package init(_ outcome: Outcome, at time: Timestamp, lockedUntil: Timestamp? = nil) {
    (self.outcome, tried, locked) = (outcome, time.milliseconds, lockedUntil?.milliseconds)
  }

  /// - Parameter found: the capabilities that a probe has found.
  package init(_ found: StoreCapabilities, at time: Timestamp) {
    let outcome: Outcome = found.objectLock != nil ? .objectLock : found.removes ? .removed : .appendOnly
    self.init(outcome, at: time, lockedUntil: found.objectLock?.end(from: time))
  }

  package var time: Timestamp { Timestamp(milliseconds: tried) }

  /// The time until which an object that was stored then is locked; `nil` without a lock.
  package var lockedUntil: Timestamp? { locked.map { Timestamp(milliseconds: $0) } }
}

/// The last trials of this machine, by the names of the targets.
private struct TrialRecord: Equatable, MachineRecord {
  static let kind = "tried"

  struct Place: Equatable, Codable {
    /// The location at which it was tried. A trial at another location does not count.
    let location: String
    let trial: RemovalTrial
  }

  var repository: Identifier?
  var targets: [String: Place] = [:]
}

extension MachineRecords {
  /// Remembers a trial to remove something at a target.
  package func remember(_ trial: RemovalTrial, at target: String, in location: String) throws {
    try change(TrialRecord.self) { $0.targets[target] = TrialRecord.Place(location: location, trial: trial) }
  }

  /// Returns the last trial at a target; `nil` when this machine remembers none.
  package func trial(at target: String, in location: String) -> RemovalTrial? {
    load(TrialRecord.self).targets[target].flatMap { $0.location == location ? $0.trial : nil }
  }
}
