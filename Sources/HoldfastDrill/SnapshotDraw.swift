package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository

/// Draws the snapshot of a drill, so that older ones are proved to come back as well.
package enum SnapshotDraw {
  /// Draws one of the snapshots. The chance of the nth newest is proportional to 1/n: recent ones are what a restore is
  /// likely to need, and every one is drawn at some time.
  /// - Parameter seed: the same seed draws the same one of the same snapshots.
  /// - Returns: `nil` if there are none.
  package static func draw(_ snapshots: [Snapshot], seed: UInt64) -> Snapshot? {
    let ranked = snapshots.sorted { Snapshot.isOlder($1, $0) }
    let weights = ranked.indices.map { 1 / Double($0 + 1) }
    var left = uniform(seed) * weights.reduce(0, +)
    for (snapshot, weight) in zip(ranked, weights) {
      left -= weight
      if left < 0 { return snapshot }
    }
    return ranked.last
  }

  /// Draws the snapshot of the next drill of `run`, if it is the turn of an older one.
  /// - Parameters:
  ///   - turns: the number of drills of which one takes an older snapshot.
  ///   - entries: the journal of the source. A drill that could not be made does not count there, so the same snapshot
  ///     is drawn again.
  /// - Returns: `nil` if it is the turn of the newest one, or there is no other.
  package static func older(
    among snapshots: [Snapshot], than newest: Snapshot, every turns: Int, after entries: [JournalEntry]
  ) -> Snapshot? {
    let drills = entries.filter { $0.drill != nil }.sorted { $0.ended < $1.ended }
    let sinceOlder = drills.reversed().prefix { $0.drill?.isOlder != true }.count
    guard sinceOlder + 1 >= turns else { return nil }
    let seed = UInt64(bitPattern: drills.last?.ended.seconds ?? 0)
    return draw(snapshots.filter { $0.id != newest.id }, seed: seed)
  }

  /// Returns a number from 0 to below 1, made of the seed by the finalizer of SplitMix64.
  private static func uniform(_ seed: UInt64) -> Double {
    var mixed = seed &+ 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    mixed ^= mixed >> 31
    return Double(mixed >> 11) / Double(1 << 53)
  }
}
