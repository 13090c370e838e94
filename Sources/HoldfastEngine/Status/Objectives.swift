package import HoldfastModel

/// The objectives that an operator has set for a source; `nil` for none.
package struct Objectives: Sendable, Hashable {
  /// The greatest age of the newest complete snapshot (RPO).
  package var maxAge: TimeSpan?
  /// The most snapshots in the chain of the newest.
  package var maxChain: Int?
  /// The time within which every stored byte must be verified again.
  package var proveWithin: TimeSpan?
  /// The longest time that a restore may take until the database answers (RTO), as drills measure it.
  package var restoreWithin: TimeSpan?
  /// The time within which a drill must have passed.
  package var drilledWithin: TimeSpan?

  package init() {}

  package var isEmpty: Bool { self == Objectives() }
}

/// The kind of an objective.
package enum Objective: String, CaseIterable, Sendable {
  case age, chain, proof, restore, drill
}
