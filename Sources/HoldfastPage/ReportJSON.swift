internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastSystem

/// `holdfast report --json`: what the page shows, for programs.
package struct ReportJSON: Encodable {
  private let level: String
  /// `yes`, `uncertain` or `no`: the first words of the verdict.
  private let answer: String
  private let verdict: String
  private let location: String
  private let repository: String
  private let time: String
  private let since: String
  private let sources: [Source]
  /// Empty for a repository with only one target.
  private let targets: [Target]
  private let redundancy: [RedundancyJSON]
  /// `null` if the store does not tell.
  private let availableBytes: Known<UInt64>
  /// A bound of the growth of the stored bytes; `null` if too little is known.
  private let growthBytesPerDay: Known<Double>
  /// `at-most`, or `at-least` if too few fulls are known to count them; `null` without a bound.
  private let growthBound: Known<String>
  /// `unknown`, `not-in-sight` or `full`.
  private let spaceEnd: String
  /// The time at which the repository is full at that growth; `null` unless `spaceEnd` is `full`.
  private let fullAt: Known<String>

  package init(_ facts: ReportFacts) {
    let (verdict, forecast) = (Verdict(facts), SpaceForecast(facts))
    level = StatusText.word(verdict.level)
    (answer, self.verdict) = (verdict.answer.rawValue, verdict.text)
    (location, repository) = (facts.location, facts.repository.description)
    (time, since) = (TimeText.utc(facts.now), TimeText.utc(facts.since))
    sources = facts.sources.map { Source($0, on: facts.axis) }
    targets = facts.targets.map { Target($0, facts) }
    redundancy = facts.redundancy.map { RedundancyJSON($0) }
    availableBytes = Known(facts.availableBytes)
    growthBytesPerDay = Known(forecast.growth?.bytesPerDay)
    growthBound = Known(forecast.growth?.bound.rawValue)
    switch forecast.end {
    case .unknown: (spaceEnd, fullAt) = ("unknown", Known(nil))
    case .notInSight: (spaceEnd, fullAt) = ("not-in-sight", Known(nil))
    case .full(let time): (spaceEnd, fullAt) = ("full", Known(TimeText.utc(time)))
    }
  }

  private struct Source: Encodable {
    let source: String
    let level: String
    let concerns: [String]
    let snapshots: [SnapshotJSON]
    let unusual: [Event]
    let retention: Retention
    let runs: [JournalRunJSON]

    init(_ source: ReportFacts.Source, on axis: TimeAxis) {
      (self.source, level) = (source.status.name.text, StatusText.word(source.status.level))
      concerns = source.status.concerns.map(\.text)
      let notes = Dictionary(source.notes.map { ($0.snapshot, $0) }) { first, _ in first }
      snapshots = source.snapshots.map { SnapshotJSON($0.envelope, notes[$0.id]) }
      unusual = UnusualEvents(source, on: axis).all.map {
        Event(kind: $0.kind.rawValue, time: TimeText.utc($0.time), text: $0.text)
      }
      (retention, runs) = (Retention(source.kept), source.runs.map { JournalRunJSON($0) })
    }
  }

  /// Something that is not as usual.
  private struct Event: Encodable {
    /// `size`, `source`, `missed-runs`, `failed-runs`, `clock`, `damage` or `drill`.
    let kind: String
    let time: String
    let text: String
  }

  private struct Retention: Encodable {
    /// The rules; `null` if there are none, so that everything is kept.
    let keep: Known<RetentionText>
    let snapshots: [Line]

    struct Line: Encodable {
      let id: String
      let sequence: UInt64
      let kept: Bool
      let reasons: [String]
    }

    init(_ kept: KeptSnapshots) {
      keep = Known(kept.policy.map { RetentionText($0) })
      snapshots = kept.lines.map {
        Line(
          id: $0.snapshot.id.description, sequence: $0.snapshot.sequence, kept: kept.isKept($0),
          reasons: $0.reasons.map(\.description))
      }
    }
  }

  private struct Target: Encodable {
    let target: String
    let location: String
    let home: Bool
    /// The policy for all sources there; `null` if it keeps what home keeps.
    let keep: Known<RetentionText>
    /// The reason why it could not be listed.
    let unlistedReason: Known<String>
    let sources: [Holding]

    struct Holding: Encodable {
      let source: String
      let newestTime: Known<String>
      /// The time between the newest snapshot at home and the newest there.
      let lagSeconds: Known<TimeSpan>
      /// The number of snapshots of home that it does not have whole.
      let behindCount: Known<Int>
    }

    init(_ target: ReportFacts.Target, _ facts: ReportFacts) {
      (self.target, location, home) = (target.name, target.location, target.isHome)
      keep = Known(target.keeps.map { RetentionText($0) })
      switch target.holdings {
      case .failure(let failure): (unlistedReason, sources) = (Known(failure.message), [])
      case .success(let holdings):
        unlistedReason = Known(nil)
        sources = holdings.map {
          Holding(
            source: $0.source.text, newestTime: Known($0.newest.map { TimeText.utc($0) }),
            lagSeconds: Known(target.isHome ? nil : facts.lag(of: $0)), behindCount: Known($0.behind))
        }
      }
    }
  }
}
