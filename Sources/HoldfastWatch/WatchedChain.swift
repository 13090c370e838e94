package import HoldfastModel

/// The chain that the next snapshot of a source continues: its length and its weight, by which a watch decides when to
/// gather increments. Weights are stored bytes.
package struct WatchedChain: Hashable, Sendable {
  /// A snapshot, as far as it counts here.
  package struct Link: Hashable, Sendable {
    package let kind: SnapshotKind
    package let storedBytes: UInt64
    /// The time from the begin of the snapshot on which it builds to its own: the time whose changes it contains.
    package var span: TimeSpan

    package init(_ kind: SnapshotKind, storedBytes: UInt64, span: TimeSpan = .zero) {
      (self.kind, self.storedBytes, self.span) = (kind, storedBytes, max(.zero, span))
    }
  }

  /// The full; `nil` if it is not known.
  package private(set) var full: Link?
  /// The differential on top of the full; `nil` if the chain has none.
  package private(set) var differential: Link?
  /// The increments on top of these, the oldest first. One may have been merged of several.
  package private(set) var increments: [Link] = []
  package private(set) var incrementBytes: UInt64 = 0

  /// A chain of which nothing is known.
  package init() {}

  /// - Parameter links: from the full to the newest snapshot.
  package init(_ links: some Sequence<Link>) { for link in links { add(link) } }

  /// Returns the span of an increment whose envelope tells only the time between two snapshots, which may contain a
  /// quiet night. Each of those that were merged counts for `max` at most. What became one at a level spans less than
  /// twice that level; more is idle time, of which nobody knows how much. Such an increment counts as one of the first
  /// level, and so is merged again rather than never.
  /// - Parameters:
  ///   - span: the time between the two.
  ///   - count: the most snapshots that it was merged of; 1 for one that was not merged.
  ///   - max: the longest span of an increment that was not merged.
  package static func span(_ span: TimeSpan, ofMerged count: UInt64, max: TimeSpan, levels: [TimeSpan]) -> TimeSpan {
    let span = min(span, max * Double(count))
    guard count > 1, let first = levels.first, let last = levels.last, span >= last * 2 else { return span }
    return min(span, first)
  }

  /// True if nothing stands on the full, so that there is nothing to gather.
  package var isShort: Bool { differential == nil && increments.isEmpty }

  /// The bytes that were stored since the full.
  package var bytesAboveFull: UInt64 { (differential?.storedBytes ?? 0).saturatingAdding(incrementBytes) }

  /// A snapshot was taken: it continues the chain, or begins it anew.
  package mutating func add(_ link: Link) {
    switch link.kind {
    case .full: (full, differential, increments, incrementBytes) = (link, nil, [], 0)
    case .differential: (differential, increments, incrementBytes) = (link, [], 0)
    case .incremental:
      increments.append(link)
      incrementBytes = incrementBytes.saturatingAdding(link.storedBytes)
    }
  }

  /// The newest increments became one.
  /// - Parameter storedBytes: its bytes.
  package mutating func gather(_ count: Int, storedBytes: UInt64) {
    let gathered = increments.suffix(count)
    let span = gathered.reduce(TimeSpan.zero) { $0 + $1.span }
    let bytes = gathered.reduce(UInt64(0)) { $0.saturatingAdding($1.storedBytes) }
    increments.removeLast(gathered.count)
    incrementBytes -= min(incrementBytes, bytes)
    add(Link(.incremental, storedBytes: storedBytes, span: span))
  }

  /// Returns how many of the newest increments are to become one, together with the next one that is taken; 0 if that
  /// would be too early. For each level the increments that are shorter than it wait until together they are not.
  /// - Parameters:
  ///   - levels: ascending.
  ///   - span: that of the next one.
  ///   - countMax: the most increments that a chain shall have.
  package func gatherable(_ levels: [TimeSpan], next span: TimeSpan, countMax: Int) -> Int {
    if increments.count >= countMax { return increments.count + 1 }
    for level in levels.reversed() where span < level {
      let short = increments.reversed().prefix { $0.span < level }
      guard !short.isEmpty, short.reduce(span, { $0 + $1.span }) >= level else { continue }
      return short.count + 1
    }
    return 0
  }
}
