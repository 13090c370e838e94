package import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel
internal import HoldfastRepository

/// Everything that a report shows. The page and its JSON are made of it, and read nothing else.
package struct ReportFacts: Sendable {
  /// A source, and what the repository remembers of it.
  package struct Source: Sendable {
    package let status: SourceStatus
    /// The snapshots whose manifests can be read, without removed ones, by ascending sequence.
    package let snapshots: [Snapshot]
    /// The runs in the journal, the oldest first. The journal is information that nobody signs.
    package let runs: [JournalEntry]

    package init(_ status: SourceStatus, snapshots: [Snapshot], runs: [JournalEntry]) {
      (self.status, self.snapshots, self.runs) = (status, snapshots, runs)
    }
  }

  package let repository: Identifier
  package let location: String
  /// The time at which the facts were read.
  package let now: Timestamp
  /// The beginning of the time that the charts show.
  package let since: Timestamp
  package let sources: [Source]
  /// One for each source; empty for a repository with only one target.
  package let redundancy: [RedundancyStatus]
  /// The bytes that can still be stored; `nil` if the store does not tell.
  package let availableBytes: UInt64?

  package init(
    repository: Identifier, location: String, now: Timestamp, since: Timestamp, sources: [Source],
    redundancy: [RedundancyStatus], availableBytes: UInt64?
  ) {
    (self.repository, self.location) = (repository, location)
    (self.now, self.since) = (now, since)
    (self.sources, self.redundancy, self.availableBytes) = (sources, redundancy, availableBytes)
  }

  /// The time until the repository is full at the speed of the last 30 days; `nil` if that is not known, or nothing
  /// grows.
  package var timeUntilFull: TimeSpan? {
    let growth = sources.compactMap(\.status.growthPerDay).reduce(0, +)
    guard let availableBytes, growth > 0 else { return nil }
    return .days(Double(availableBytes) / growth)
  }
}
