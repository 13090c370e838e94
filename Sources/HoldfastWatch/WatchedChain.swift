package import HoldfastModel

/// The chain that the next snapshot of a source continues: its length and its weight, by which a watch decides when to
/// gather increments. Weights are stored bytes.
package struct WatchedChain: Hashable, Sendable {
  /// A snapshot, as far as it counts here.
  package struct Link: Hashable, Sendable {
    package let kind: SnapshotKind
    package let storedBytes: UInt64

    package init(_ kind: SnapshotKind, storedBytes: UInt64) { (self.kind, self.storedBytes) = (kind, storedBytes) }
  }

  /// The full; `nil` if it is not known.
  package private(set) var full: Link?
  /// The differential on top of the full; `nil` if the chain has none.
  package private(set) var differential: Link?
  /// The number of increments on top of these.
  package private(set) var increments = 0
  package private(set) var incrementBytes: UInt64 = 0

  /// A chain of which nothing is known.
  package init() {}

  /// - Parameter links: from the full to the newest snapshot.
  package init(_ links: some Sequence<Link>) { for link in links { add(link) } }

  /// True if nothing stands on the full, so that there is nothing to gather.
  package var isShort: Bool { differential == nil && increments == 0 }

  /// A snapshot was taken: it continues the chain, or begins it anew.
  package mutating func add(_ link: Link) {
    switch link.kind {
    case .full: (full, differential, increments, incrementBytes) = (link, nil, 0, 0)
    case .differential: (differential, increments, incrementBytes) = (link, 0, 0)
    case .incremental:
      increments += 1
      incrementBytes = incrementBytes.saturatingAdding(link.storedBytes)
    }
  }
}
