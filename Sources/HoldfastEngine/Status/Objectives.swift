/// What an operator has promised of every source; `nil`: nothing.
package struct Objectives: Sendable, Hashable {
  /// How old the newest complete snapshot may be, in seconds (RPO).
  package var maxAge: Double?
  /// How many snapshots the chain of the newest may have.
  package var maxChain: Int?
  /// Within how many seconds every stored byte is to be proved anew.
  package var proveWithin: Double?

  package init() {}

  package var isEmpty: Bool { self == Objectives() }
}

/// One of them.
package enum Objective: String, CaseIterable, Sendable {
  case age, chain, proof
}
