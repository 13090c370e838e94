package import HoldfastArchive

/// The share of the stored bytes that one verify has read.
package struct ReadShare: Sendable {
  /// 0 to 1.
  private let share: Double
  /// The beginning of the share in the fixed order; `nil` if it was chosen at random.
  private let begin: Double?

  package init(_ entry: JournalEntry) { (share, begin) = (entry.share ?? 0, entry.begin) }

  /// Returns the share that several verifies have read together, 0 to 1; where shares were chosen at random, the
  /// expected one. What two of them have read counts once.
  package static func union(of shares: [ReadShare]) -> Double {
    1 - shares.filter { $0.begin == nil }.reduce(1 - reached(by: shares)) { $0 * (1 - $1.share) }
  }

  /// Returns the share that was covered by all verifies with a fixed beginning.
  private static func reached(by shares: [ReadShare]) -> Double {
    let spans = shares.flatMap { one -> [(from: Double, to: Double)] in
      guard let begin = one.begin else { return [] }
      let end = begin + one.share
      // A share that passes the end of the order goes on at its beginning.
      return end <= 1 ? [(begin, end)] : [(begin, 1), (0, end - 1)]
    }.sorted { $0.from < $1.from }
    var (reached, end) = (0.0, 0.0)
    for span in spans where span.to > end {
      reached += span.to - max(span.from, end)
      end = span.to
    }
    return min(1, reached)
  }
}
