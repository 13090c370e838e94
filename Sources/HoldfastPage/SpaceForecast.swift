internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// A bound of the growth of the stored bytes, and the day on which the repository is full if that goes on.
///
/// The growth is the larger of two, by all snapshots that are known: all bytes of each source over the time since its
/// first snapshot, which counts fulls that come once in weeks; and the median of the slopes between all days
/// (`RobustTrend`), which is larger where the growth has begun late. It is not known before there were some intervals
/// between fulls: after the first full alone only the increments could be counted. Snapshots that a prune has removed
/// since are not counted.
struct SpaceForecast {
  enum End: Hashable {
    /// The store does not tell what is free, too little is known, or not all sources are.
    case unknown
    /// It takes more than ten years.
    case notInSight
    case full(on: Timestamp)
  }

  private static let daysMin = 7
  private static let daysMax = 3650
  private static let spanMax = TimeSpan.days(3650)
  /// The intervals between fulls of each source that must be known.
  private static let intervalsMin = 3
  private static let tooLittle =
    "When the space ends is not known yet: it takes \(daysMin) days, and \(intervalsMin) intervals between fulls of each source, to tell."

  /// The stored bytes at the end of each day that the charts show, the oldest first.
  let days: [(time: Timestamp, bytes: Double)]
  /// `nil` if too little is known.
  let bytesPerDay: Double?
  let end: End

  init(_ facts: ReportFacts) {
    let all = Self.days(facts)
    days = all.filter { $0.time >= facts.since }
    bytesPerDay = Self.growth(facts, all)
    end = Self.end(bytesPerDay, facts)
  }

  /// Returns the stored bytes at the end of each day since the first snapshot.
  private static func days(_ facts: ReportFacts) -> [(time: Timestamp, bytes: Double)] {
    let made = facts.sources.flatMap(\.snapshots).map { (time: $0.storedAt, bytes: Double($0.envelope.storedBytes)) }
      .sorted { $0.time < $1.time }
    let count = max(0, min(daysMax, Int(saturating: (facts.now - (made.first?.time ?? facts.now)) / .days(1))))
    var days: [(time: Timestamp, bytes: Double)] = []
    var (next, bytes) = (made.startIndex, 0.0)
    for back in (0...count).reversed() {
      let time = Timestamp(
        seconds: facts.now.seconds - Int64(back) * 86_400, nanoseconds: facts.now.nanoseconds)
      while next < made.endIndex, made[next].time <= time {
        bytes += made[next].bytes
        next += 1
      }
      days.append((time, bytes))
    }
    return days
  }

  private static func growth(_ facts: ReportFacts, _ days: [(time: Timestamp, bytes: Double)]) -> Double? {
    let stored = facts.sources.filter { !$0.snapshots.isEmpty || $0.log != nil }
    guard days.count > daysMin, !stored.isEmpty,
      let slope = RobustTrend(days.enumerated().map { (Double($0.offset), $0.element.bytes) })?.slope
    else { return nil }
    var (means, logs) = (0.0, 0.0)
    for source in stored {
      guard let mean = mean(of: source.snapshots, now: facts.now) else { return nil }
      means += mean
      guard let log = source.log else { continue }
      guard let mean = log.bytesPerDay(now: facts.now) else { return nil }
      logs += mean
    }
    return max(slope, means) + logs
  }

  /// Returns the bytes of a source for each day since its first snapshot; `nil` if too few fulls are known.
  private static func mean(of snapshots: [Snapshot], now: Timestamp) -> Double? {
    guard let first = snapshots.map(\.storedAt).min(), now - first >= .days(1),
      snapshots.count(where: { $0.envelope.kind == .full }) > intervalsMin
    else { return nil }
    return snapshots.reduce(0) { $0 + Double($1.envelope.storedBytes) } / ((now - first) / .days(1))
  }

  private static func end(_ bytesPerDay: Double?, _ facts: ReportFacts) -> End {
    guard facts.areAllSources, let bytesPerDay, let available = facts.availableBytes else { return .unknown }
    guard bytesPerDay > 0 else { return .notInSight }
    let span = TimeSpan.days(Double(available) / bytesPerDay)
    guard span < spanMax else { return .notInSight }
    return .full(on: Timestamp(seconds: facts.now.seconds + span.wholeSeconds, nanoseconds: 0))
  }

  /// The growth in words: `at most 12.0 MiB a day`.
  var growth: String {
    bytesPerDay.map { "at most \(Amount.bytes(UInt64(saturating: $0))) a day" } ?? "not known yet"
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
      return "\(free). At a growth of \(growth) the end is not in sight: it takes more than ten years."
    case .full(let time):
      let days = Amount.count(UInt64(saturating: (time - facts.now) / .days(1)), "day")
      return "\(free). At a growth of \(growth) the space ends on \(TimeAxis.day(time)), in \(days)."
    }
  }
}

extension Snapshot {
  /// The time at which its bytes were stored.
  var storedAt: Timestamp { envelope.merged?.time.moment ?? envelope.time.finished.moment }
}

extension LogAmount {
  /// The archived bytes for each day since the oldest file; `nil` if that is not known, or less than a day ago.
  fileprivate func bytesPerDay(now: Timestamp) -> Double? {
    guard let storedBytes, let oldest, now - oldest >= .days(1) else { return nil }
    return Double(storedBytes) / ((now - oldest) / .days(1))
  }
}
