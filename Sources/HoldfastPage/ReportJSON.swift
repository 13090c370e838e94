internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastSystem

/// `holdfast report --json`: what the page shows, for programs.
package struct ReportJSON: Encodable {
  private struct Source: Encodable {
    let name: String
    let level: String
    let concerns: [String]
    let snapshots: [SnapshotJSON]
    let runs: [JournalEntry]
  }

  private let schema = 1
  private let level: String
  private let verdict: String
  private let location: String
  private let repository: String
  private let time: String
  private let since: String
  private let sources: [Source]
  /// `null` if the store does not tell.
  private let availableBytes: Known<UInt64>
  /// The time until the repository is full at its present growth; `null` if that is not known.
  private let fullInSeconds: Known<TimeSpan>

  package init(_ facts: ReportFacts) {
    let verdict = Verdict(facts)
    level = StatusText.word(verdict.level)
    self.verdict = verdict.text
    (location, repository) = (facts.location, facts.repository.description)
    (time, since) = (TimeText.utc(facts.now), TimeText.utc(facts.since))
    sources = facts.sources.map { source in
      Source(
        name: source.status.name.text, level: StatusText.word(source.status.level),
        concerns: source.status.concerns.map(\.text), snapshots: source.snapshots.map { SnapshotJSON($0.envelope) },
        runs: source.runs)
    }
    (availableBytes, fullInSeconds) = (Known(facts.availableBytes), Known(facts.timeUntilFull))
  }
}
