package import HoldfastModel

/// The policy of `holdfast run` for a source.
package struct RunPolicy: Hashable, Sendable {
  /// The shortest time between two snapshots of a kind; a snapshot of a bigger kind counts too. If empty, every run
  /// takes an incremental.
  package var intervals: [SnapshotKind: TimeSpan] = [:]
  /// The number of increments after which a chain is merged.
  package var mergeAfter: Int?
  /// True if snapshots that no rule keeps are removed.
  package var prunes = false
  /// The smallest share of the stored bytes that a verify reads, 0 to 1.
  package var verifyShare: Double?
  /// The time within which all stored bytes are verified.
  package var verifyWithin: TimeSpan?
  /// The time after which the source is drilled again; `nil` if it is not.
  package var drillEvery: TimeSpan?

  package init() {}
}

/// The history of a source, as far as a plan needs it.
package struct RunHistory: Hashable, Sendable {
  package struct Item: Hashable, Sendable {
    package var id: Identifier
    package var parent: Identifier?
    package var kind: SnapshotKind
    /// The start of the backup; for a merged snapshot, the start of the snapshot that it stands for.
    package var started: Timestamp
    package var sequence: UInt64
    package var standsFor: UInt64
    package var storedBytes: UInt64

    package init(
      id: Identifier, parent: Identifier?, kind: SnapshotKind, started: Timestamp, sequence: UInt64,
      standsFor: UInt64? = nil, storedBytes: UInt64 = 0
    ) {
      (self.id, self.parent, self.kind, self.started) = (id, parent, kind, started)
      (self.sequence, self.standsFor, self.storedBytes) = (sequence, standsFor ?? sequence, storedBytes)
    }
  }

  package var items: [Item] = []
  /// The progress of this machine in the current verify round; `nil` before the first.
  package var verifyRound: VerifyRound?
  /// The last drill by this machine; `nil` before the first.
  package var lastDrill: LastDrill?

  package init() {}

  /// The snapshots from the newest down to its full; `nil` if not all of them are known.
  package var newestChain: [Item]? {
    guard var tip = items.max(by: { ($0.standsFor, $0.sequence) < ($1.standsFor, $1.sequence) }) else { return nil }
    let known = Dictionary(items.map { ($0.id, $0) }) { $1 }
    var chain = [tip]
    while let parent = tip.parent {
      guard chain.count < items.count, let next = known[parent] else { return nil }
      chain.append(next)
      tip = next
    }
    return tip.kind == .full ? chain : nil
  }

  /// The number of snapshots after the full up to the newest; `nil` if it is not known.
  var increments: Int? { newestChain.map { $0.count - 1 } }
}

/// The progress of verifies in the fixed order of all stored objects.
package struct VerifyRound: Hashable, Sendable, Codable {
  /// The number of parts of the order.
  package static let parts = 1 << 16

  /// The part with which the next verify begins.
  package var next: Int
  /// The start of the last verify; stored in whole seconds since 1970-01-01 UTC.
  package var time: Timestamp

  package init(next: Int, time: Timestamp) { (self.next, self.time) = (next, time) }

  private enum CodingKeys: String, CodingKey {
    case next, time
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    next = try container.decode(Int.self, forKey: .next)
    time = Timestamp(seconds: try container.decode(Int64.self, forKey: .time), nanoseconds: 0)
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(next, forKey: .next)
    try container.encode(time.seconds, forKey: .time)
  }
}

/// The last drill of a source that a machine has made.
package struct LastDrill: Hashable, Sendable, Codable {
  /// Its beginning, in whole seconds since 1970-01-01 UTC.
  package var seconds: Int64
  package var passed: Bool

  package init(at time: Timestamp, passed: Bool) { (seconds, self.passed) = (time.seconds, passed) }

  var time: Timestamp { Timestamp(seconds: seconds, nanoseconds: 0) }
}
