internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The verifies of this machine, by source. What is verified next must not depend on what a repository says.
struct VerifyProgress: Hashable, MachineRecord {
  static let kind = "proved"

  var repository: Identifier?
  var rounds: [String: VerifyRound] = [:]
}

/// What a run on a source needs to know of it, and remembers for the next.
extension Repository {
  /// - Parameter onDamage: gets what cannot be read.
  package func runHistory(of name: SourceName, onDamage: (any OperatorError) -> Void) throws -> RunHistory {
    var history = RunHistory()
    if try sourceNames().contains(name) {
      history.items = try allSnapshots(of: name, onDamage: onDamage).map { RunHistory.Item($0) }
    }
    history.verifyRound = machine.load(VerifyProgress.self, of: self).rounds[name.text]
    return history
  }

  /// Whether this machine has a key that opens the newest snapshot of a source.
  package func opensNewest(of name: SourceName) throws -> Bool {
    guard let sealed else { return true }
    guard try !sealed.identities().isEmpty else { return false }
    guard try sourceNames().contains(name),
      let newest = try allSnapshots(of: name, onDamage: { _ in }).max(by: Snapshot.isOlder)
    else { return true }
    return try sealed.opens(newest)
  }

  /// Remembers that parts of a round were verified.
  /// - Parameter time: when the verify began.
  package func remember(provedFrom first: Int, count: Int, of name: SourceName, at time: Timestamp) throws {
    try machine.change(VerifyProgress.self, of: self) { record in
      record.rounds[name.text] = VerifyRound(next: (first + count) % VerifyRound.parts, time: time.seconds)
    }
  }
}

extension RunHistory.Item {
  init(_ snapshot: Snapshot) {
    let envelope = snapshot.envelope
    self.init(
      id: snapshot.id, parent: envelope.parent?.snapshot, kind: envelope.kind, started: envelope.started,
      sequence: snapshot.sequence, standsFor: snapshot.standsFor)
  }
}
