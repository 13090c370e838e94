internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository

/// The retention of another target than home.
package struct TargetRetention: Sendable {
  /// The name of the target in the configuration.
  package let name: String
  /// The policy for every source there; `nil` if the target keeps what home keeps.
  package let policy: RetentionPolicy?
  /// Returns the snapshots of a source there.
  let look: @Sendable (SourceName, _ home: Repository) throws -> TargetHoldings
}

/// The snapshots of one source that another target than home has.
struct TargetHoldings: Sendable {
  let repository: Repository
  /// The numbers of the snapshots whose manifests it lists.
  let listed: Set<UInt64>
  /// The numbers of the snapshots of home that it shall have and does not have whole.
  let missing: Set<UInt64>
  /// The snapshots that home does not have, by ascending sequence.
  var onlyThere: [Snapshot] = []
  /// True if it lacks archived WAL that home has.
  var lacksLogs = false

  init(_ repository: Repository, listed: Set<UInt64>, missing: Set<UInt64>) {
    (self.repository, self.listed, self.missing) = (repository, listed, missing)
  }

  /// True if it has a snapshot of home, and the archived WAL that a recovery from there may need.
  func has(_ snapshot: Snapshot) -> Bool {
    listed.contains(snapshot.sequence) && !missing.contains(snapshot.sequence)
      && !(lacksLogs && snapshot.envelope.postgres != nil)
  }
}

/// A target with a retention of its own, and one source: its policy, and its snapshots.
struct TargetApart: Sendable {
  let name: String
  /// The policy that counts there.
  let policy: RetentionPolicy
  /// Its snapshots, or the reason why they are not known and nothing is removed there.
  let holdings: Result<TargetHoldings, Prune.Refusal>

  /// - Throws: a signal.
  init(_ target: TargetRetention, _ policy: RetentionPolicy, of source: SourceName, home: Repository) throws {
    (name, self.policy) = (target.name, policy)
    do {
      holdings = .success(try target.look(source, home))
    } catch let signal as Interrupted {
      throw signal
    } catch {
      let known = describe(error)
      let isAway = known.isTransient || known.exitStatus == .noRepository
      holdings = .failure(
        Prune.Refusal(
          scope: known.scope, message: "nothing of \(source) is removed at \(name): \(known.message)",
          hint: known.hint, exitStatus: isAway ? .incomplete : known.exitStatus))
    }
  }

  func has(_ snapshot: Snapshot) -> Bool { (try? holdings.get())?.has(snapshot) ?? false }

  /// True if it is known to list a snapshot.
  func lists(_ sequence: UInt64) -> Bool { (try? holdings.get())?.listed.contains(sequence) ?? false }

  /// True if it is known which snapshots it has.
  var isKnown: Bool { (try? holdings.get()) != nil }
}
