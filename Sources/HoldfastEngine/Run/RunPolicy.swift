package import HoldfastModel

/// What a site wants to happen to a source by itself.
package struct RunPolicy: Hashable, Sendable {
  /// At least how long since the last snapshot of a kind, or of a bigger one, before another one is taken. Empty: an incremental on every run.
  package var intervals: [SnapshotKind: TimeSpan] = [:]
  /// A chain of so many increments is merged.
  package var mergeAfter: Int?
  /// Whether snapshots that no rule keeps are removed.
  package var prunes = false
  /// At least so much of what is stored is proved when anything is: 0 to 1.
  package var verifyShare: Double?
  /// Everything is proved within this time.
  package var verifyWithin: TimeSpan?

  package init() {}
}

/// What a plan looks at in the past of a source.
package struct RunHistory: Hashable, Sendable {
  package struct Item: Hashable, Sendable {
    package var id: Identifier
    package var parent: Identifier?
    package var kind: SnapshotKind
    /// Of a merged full, when that was begun for which it stands.
    package var started: Timestamp
    package var sequence: UInt64
    package var standsFor: UInt64

    package init(
      id: Identifier, parent: Identifier?, kind: SnapshotKind, started: Timestamp, sequence: UInt64,
      standsFor: UInt64? = nil
    ) {
      (self.id, self.parent, self.kind, self.started) = (id, parent, kind, started)
      (self.sequence, self.standsFor) = (sequence, standsFor ?? sequence)
    }
  }

  package var items: [Item] = []
  /// How far this machine has come with its proofs; `nil` where it has not begun.
  package var proof: VerifyRound?

  package init() {}

  /// How many snapshots lie between the newest one and its full; `nil` where that is not known.
  var increments: Int? {
    guard var tip = items.max(by: { ($0.standsFor, $0.sequence) < ($1.standsFor, $1.sequence) }) else { return nil }
    let known = Dictionary(items.map { ($0.id, $0) }) { $1 }
    var count = 0
    while let parent = tip.parent {
      count += 1
      guard count <= items.count, let next = known[parent] else { return nil }
      tip = next
    }
    return tip.kind == .full ? count : nil
  }
}

/// How far proofs have come in the fixed order of all that is stored, in which one follows on the other.
package struct VerifyRound: Hashable, Sendable, Codable {
  /// Of the whole order.
  package static let parts = 1 << 16

  /// The part with which the next proof begins.
  package var next: Int
  /// When the last one began: seconds since 1970-01-01 UTC.
  package var time: Int64

  package init(next: Int, time: Int64) { (self.next, self.time) = (next, time) }
}
