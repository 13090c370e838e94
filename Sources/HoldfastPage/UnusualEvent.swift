internal import HoldfastArchive
internal import HoldfastEngine
package import HoldfastModel
internal import HoldfastSystem

/// Something in the history of a source that is not as usual, with a sentence that says what.
package struct UnusualEvent: Hashable, Sendable {
  package enum Kind: String, Sendable {
    /// A snapshot stored far more or far less than others of its kind.
    case size
    /// The source shrank, or its changes look like a disaster.
    case source
    case missedRuns = "missed-runs"
    case failedRuns = "failed-runs"
    case clock
    case damage
    case drill
  }

  package let kind: Kind
  /// The beginning of what is unusual.
  package let time: Timestamp
  package let text: String

  init(_ kind: Kind, _ time: Timestamp, _ text: String) {
    (self.kind, self.time, self.text) = (kind, time, text)
  }
}

/// The unusual events of a source, the oldest first: what its snapshots, its journal and its notes tell.
struct UnusualEvents {
  let all: [UnusualEvent]

  init(_ source: ReportFacts.Source, on axis: TimeAxis) {
    let found =
      UnusualSnapshots(source).events + UnusualRuns(source, now: axis.end).events
    all = found.filter { axis.contains($0.time) }.sorted { $0.time < $1.time }
  }
}
