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
    /// The notes on them.
    package let notes: [SourceNotes.Note]
    /// The runs in the journal, the oldest first. The journal is information that nobody signs.
    package let runs: [JournalEntry]
    /// The decision of the source's retention about each snapshot.
    package let kept: KeptSnapshots
    /// The archived write-ahead log; `nil` if there is none.
    package let log: LogAmount?

    package init(
      _ status: SourceStatus, snapshots: [Snapshot], notes: [SourceNotes.Note], runs: [JournalEntry],
      kept: KeptSnapshots, log: LogAmount? = nil
    ) {
      (self.status, self.snapshots, self.notes, self.runs, self.kept) = (status, snapshots, notes, runs, kept)
      self.log = log
    }
  }

  /// One of several targets of the repository.
  package struct Target: Sendable {
    /// The snapshots of one source that it has.
    package struct Holding: Sendable {
      package let source: SourceName
      /// The start of the newest snapshot there; `nil` if there is none, or its manifest cannot be read.
      package let newest: Timestamp?
      /// The number of snapshots of home that it does not have whole; `nil` if that is not known.
      package let behind: Int?

      package init(_ source: SourceName, newest: Timestamp?, behind: Int?) {
        (self.source, self.newest, self.behind) = (source, newest, behind)
      }
    }

    package let name: String
    package let location: String
    package let isHome: Bool
    /// The policy for all sources there; `nil` if it keeps what home keeps.
    package let keeps: RetentionPolicy?
    /// One for each source there, or the reason why the target could not be listed.
    package let holdings: Result<[Holding], Failure>

    /// The reason why a target could not be listed.
    package struct Failure: Error, Hashable {
      package let message: String
      package init(_ message: String) { self.message = message }
    }

    package init(
      _ name: String, location: String, isHome: Bool, keeps: RetentionPolicy?, holdings: Result<[Holding], Failure>
    ) {
      (self.name, self.location, self.isHome) = (name, location, isHome)
      (self.keeps, self.holdings) = (keeps, holdings)
    }
  }

  package let repository: Identifier
  package let location: String
  /// The time at which the facts were read.
  package let now: Timestamp
  /// The beginning of the time that the charts show.
  package let since: Timestamp
  package let sources: [Source]
  /// True if these are all sources of the repository.
  package let areAllSources: Bool
  /// Home first; empty for a repository with only one target.
  package let targets: [Target]
  /// One for each source; empty for a repository with only one target.
  package let redundancy: [RedundancyStatus]
  /// The bytes that can still be stored; `nil` if the store does not tell.
  package let availableBytes: UInt64?

  package init(
    repository: Identifier, location: String, now: Timestamp, since: Timestamp, sources: [Source],
    areAllSources: Bool = true, targets: [Target] = [], redundancy: [RedundancyStatus] = [], availableBytes: UInt64?
  ) {
    (self.repository, self.location) = (repository, location)
    (self.now, self.since) = (now, since)
    (self.sources, self.targets, self.redundancy) = (sources, targets, redundancy)
    (self.areAllSources, self.availableBytes) = (areAllSources, availableBytes)
  }

  /// The time that the charts show: a young repository fills them as well.
  var axis: TimeAxis {
    let times = sources.flatMap { $0.snapshots.map(\.envelope.started) + $0.runs.map(\.began) }
    return TimeAxis(begin: min(now, max(since, times.min() ?? since)), end: now)
  }

  /// The time by which a target is behind the newest snapshot of a source; `nil` if that is not known.
  func lag(of holding: Target.Holding) -> TimeSpan? {
    let home = sources.first { $0.status.name == holding.source }?.status.newest?.started
    guard let home, let there = holding.newest else { return nil }
    return max(.zero, home - there)
  }
}
