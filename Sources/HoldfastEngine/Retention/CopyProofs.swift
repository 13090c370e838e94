package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository

/// The evidence that a target has the bytes of a snapshot, from the worst to the best.
package enum CopyEvidence: Int, Comparable, Sendable {
  /// Damage was found there, and nothing has shown since that it is gone.
  case damaged
  /// Its bytes were not all read there since they were stored.
  case unproved
  /// Its bytes were read there, and had the signed digests.
  case proved

  package static func < (one: CopyEvidence, other: CopyEvidence) -> Bool { one.rawValue < other.rawValue }
}

/// Tells how far the copies of snapshots are proved.
package protocol CopyProofs: Sendable {
  /// - Parameters:
  ///   - chain: the snapshot, and all that it builds on.
  ///   - target: the name of the target; `nil` for home.
  func evidence(for chain: [Snapshot], at target: String?) -> CopyEvidence
}

/// The rule that a prune takes away no last proved copy: for each state of the source that is kept somewhere, the best
/// evidence after the prune is as good as before. A merged snapshot has the same state as the one that it stands for.
struct LastProvedCopies {
  /// A copy of a state: at a target with a retention of its own, or at home and at all that keep what home keeps.
  private struct Copy {
    /// The snapshot, and all that it builds on.
    let chain: [Snapshot]
    let target: String?
    let evidence: CopyEvidence
    let isGoing: Bool
    let isKept: Bool
  }

  /// The snapshots that must stay at home and at each target, by the name of the target, each with the words for the
  /// copy that must be proved before.
  private var held: [String?: [Identifier: String]] = [:]

  /// - Parameters:
  ///   - going: the snapshots that would be collected, by the name of the target.
  ///   - proofs: the evidence; `nil` if nothing is known of any copy.
  init(_ survey: SourceSurvey, going: [String?: Set<Identifier>], _ proofs: (any CopyProofs)?) {
    guard let proofs, going.values.contains(where: { !$0.isEmpty }) else { return }
    let places = [survey.home] + survey.targets.map(\.survey)
    var copies: [UInt64: [Copy]] = [:]
    for place in places {
      let target = survey.targets.first { $0.name == place.target }
      let chains = Dictionary(place.snapshots.map { ($0.id, $0) }) { $1 }
      for snapshot in place.snapshots where target?.has(snapshot) ?? true {
        let holders = place.target.map { [$0] } ?? [nil] + survey.followers
        let chain = Array(sequence(first: snapshot) { $0.envelope.parent.flatMap { chains[$0.snapshot] } })
        copies[snapshot.standsFor, default: []].append(
          Copy(
            chain: chain, target: place.target,
            evidence: holders.map { proofs.evidence(for: chain, at: $0) }.max() ?? .unproved,
            isGoing: going[place.target]?.contains(snapshot.id) ?? false, isKept: place.kept.contains(snapshot.id)))
      }
    }
    for copies in copies.values where copies.contains(where: \.isKept) { hold(copies) }
  }

  /// Returns the reason why a snapshot is not collected; `nil` if its copy is not the last proved one.
  func hold(_ snapshot: Snapshot, at target: String?) -> Prune.Hold? {
    held[target]?[snapshot.id].map { .lastProved(copy: $0) }
  }

  /// Holds the best copies of a kept state, if those that stay are worse.
  private mutating func hold(_ copies: [Copy]) {
    let staying = copies.filter { !$0.isGoing }
    guard let best = copies.map(\.evidence).max(), let left = staying.map(\.evidence).max(), left < best,
      let unproved = staying.first(where: { $0.isKept && $0.evidence == left }) ?? staying.first
    else { return }
    let text =
      "\(unproved.chain[0].id.short) at \(unproved.target ?? "home") is \(left == .damaged ? "damaged" : "not proved")"
    for copy in copies where copy.isGoing && copy.evidence == best {
      for snapshot in copy.chain { held[copy.target, default: [:]][snapshot.id] = text }
    }
  }
}
