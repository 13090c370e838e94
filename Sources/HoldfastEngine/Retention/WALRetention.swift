internal import HoldfastArchive
package import HoldfastModel

/// The rule for the archived WAL that a prune removes: segments that end before the beginning of every remaining
/// snapshot. No recovery can use them.
///
/// In a sealed repository, the positions at which timelines branch are sealed. So all segments of a timeline are kept
/// as long as there is a snapshot on an older timeline, whose recovery may lead to it.
package struct WALRetention {
  /// The position at which recovery from a snapshot begins.
  package struct Start: Hashable {
    let timeline: UInt32
    let lsn: LogSequenceNumber

    package init(timeline: UInt32, lsn: LogSequenceNumber) { (self.timeline, self.lsn) = (timeline, lsn) }
  }

  private let starts: [Start]

  package init(_ starts: [Start]) { self.starts = starts }

  /// - Parameter snapshots: all remaining snapshots; those of other clusters are ignored.
  init(_ snapshots: [Snapshot], of system: SystemIdentifier) {
    starts = snapshots.compactMap(\.envelope.postgres).filter { $0.system == system.description }.map {
      Start(timeline: $0.timeline, lsn: $0.start)
    }
  }

  /// Returns the position before which no segment of a timeline is needed; `nil` if all of it is kept.
  package func floor(of timeline: UInt32) -> LogSequenceNumber? {
    if starts.contains(where: { $0.timeline < timeline }) { return nil }
    let own = starts.filter { $0.timeline == timeline }
    return (own.isEmpty ? starts : own).map(\.lsn).min()
  }
}
