internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The day on which the repository is full if its growth (`StorageGrowth`) goes on.
struct SpaceForecast {
  enum End: Hashable {
    /// The store does not tell what is free, too little is known, or not all sources are.
    case unknown
    /// It takes more than ten years.
    case notInSight
    case full(on: Timestamp)
  }

  private static let tooLittle =
    "When the space ends is not known yet: it takes \(StorageGrowth.daysMin) days, and \(StorageGrowth.intervalsMin) intervals between fulls of each source, to tell."

  /// The stored bytes at the end of each day that the charts show, the oldest first.
  let days: [(time: Timestamp, bytes: Double)]
  /// `nil` if too little is known.
  let growth: StorageGrowth?
  let end: End

  init(_ facts: ReportFacts) {
    let sources = facts.sources.map { source in
      StorageGrowth.Source(source.snapshots.map { StorageGrowth.Stored($0) }, log: source.log)
    }
    days = StorageGrowth.days(of: sources, now: facts.now).filter { $0.time >= facts.since }
    growth = StorageGrowth(sources, now: facts.now)
    end = Self.end(growth, facts)
  }

  private static func end(_ growth: StorageGrowth?, _ facts: ReportFacts) -> End {
    guard facts.areAllSources, let growth, let available = facts.availableBytes else { return .unknown }
    guard let time = growth.time(until: available) else { return growth.bound == .atMost ? .notInSight : .unknown }
    return .full(on: Timestamp(seconds: facts.now.seconds + time.wholeSeconds, nanoseconds: 0))
  }

  /// The growth in words: `at most 12.0 MiB a day`.
  var growthWords: String {
    growth.map { "\($0.bound.words) \(Amount.bytes(UInt64(saturating: $0.bytesPerDay))) a day" } ?? "not known yet"
  }

  /// A sentence about the end of the free space.
  func sentence(_ facts: ReportFacts) -> String {
    guard let available = facts.availableBytes else { return "The store does not tell how much is free." }
    let free = "\(Amount.bytes(available)) are free"
    switch end {
    case .unknown:
      guard facts.areAllSources else {
        return "\(free). When the space ends is not told here: other sources are stored there, too."
      }
      return "\(free). \(Self.tooLittle)"
    case .notInSight:
      return "\(free). At a growth of \(growthWords) the end is not in sight: it takes more than ten years."
    case .full(let time):
      let days = Amount.count(UInt64(saturating: (time - facts.now) / .days(1)), "day")
      let when = "on \(TimeAxis.day(time)), in \(days)"
      guard growth?.bound == .atLeast else { return "\(free). At a growth of \(growthWords) the space ends \(when)." }
      return
        "\(free). At a growth of \(growthWords), without fulls, of which too few are known, the space ends at the latest \(when)."
    }
  }
}
