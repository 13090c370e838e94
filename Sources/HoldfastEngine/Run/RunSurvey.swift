internal import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// The verify rounds of this machine, by source. They are not kept in the repository, because a repository must not
/// decide what is verified next.
struct VerifyProgress: Hashable, MachineRecord {
  static let kind = "proved"

  var repository: Identifier?
  var rounds: [String: VerifyRound] = [:]
}

/// The last drills of this machine, by source: like the verify rounds, they are not kept in the repository.
struct DrillProgress: Hashable, MachineRecord {
  static let kind = "drilled"

  var repository: Identifier?
  var drills: [String: LastDrill] = [:]
}

extension RunHistory {
  /// Reads the history that a run on a source needs.
  /// - Parameter onDamage: gets the errors for parts that cannot be read.
  package init(of name: SourceName, in repository: Repository, onDamage: (any OperatorError) -> Void) throws {
    self.init()
    if try repository.catalog.isKnown(name) {
      items = try repository.catalog.allSnapshots(of: name, onDamage: onDamage).map { RunHistory.Item($0) }
    }
    verifyRound = repository.machine.load(VerifyProgress.self).rounds[name.key]
    lastDrill = repository.machine.load(DrillProgress.self).drills[name.key]
  }
}

extension MachineRecords {
  /// Remembers that parts of a round were verified.
  /// - Parameter time: the time at which the verify began.
  package func remember(provedFrom first: Int, count: Int, of name: SourceName, at time: Timestamp) throws {
    try change(VerifyProgress.self) { record in
      record.rounds[name.key] = VerifyRound(next: (first + count) % VerifyRound.parts, time: time)
    }
  }
}

extension MachineRecords {
  /// Remembers that a source was drilled.
  package func remember(_ drill: LastDrill, of name: SourceName) throws {
    try change(DrillProgress.self) { $0.drills[name.key] = drill }
  }
}

extension RunHistory.Item {
  init(_ snapshot: Snapshot) {
    let envelope = snapshot.envelope
    self.init(
      id: snapshot.id, parent: envelope.parent?.snapshot, kind: envelope.kind, started: envelope.started,
      sequence: snapshot.sequence, standsFor: snapshot.standsFor, storedBytes: envelope.storedBytes)
  }
}
