internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// The usual growth of the stored bytes, and the day on which the repository is full if that goes on.
///
/// The growth is the median of the slopes between all days (`RobustTrend`), so that one large full does not change it.
/// Snapshots that a prune has removed since are not counted: the real growth is less, and the day is no earlier.
struct SpaceForecast {
  enum End: Hashable {
    /// The store does not tell what is free, or too few days are known.
    case unknown
    /// Nothing grows, or it takes more than ten years.
    case notInSight
    case full(on: Timestamp)
  }

  private static let daysMin = 7
  private static let daysMax = 3650
  private static let spanMax = TimeSpan.days(3650)

  /// The stored bytes at the end of each day that counts, the oldest first.
  let days: [(time: Timestamp, bytes: Double)]
  /// `nil` if too few days are known.
  let bytesPerDay: Double?
  let end: End

  init(_ facts: ReportFacts) {
    let made = facts.sources.flatMap(\.snapshots).map { (time: $0.storedAt, bytes: Double($0.envelope.storedBytes)) }
      .sorted { $0.time < $1.time }
    let begin = made.first.map { max($0.time, facts.since) } ?? facts.now
    let count = max(0, min(Self.daysMax, Int(saturating: (facts.now - begin) / .days(1))))
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
    self.days = days
    bytesPerDay =
      days.count > Self.daysMin
      ? RobustTrend(days.enumerated().map { (Double($0.offset), $0.element.bytes) })?.slope : nil
    end = Self.end(bytesPerDay, facts)
  }

  private static func end(_ bytesPerDay: Double?, _ facts: ReportFacts) -> End {
    guard let bytesPerDay, let available = facts.availableBytes else { return .unknown }
    guard bytesPerDay > 0 else { return .notInSight }
    let span = TimeSpan.days(Double(available) / bytesPerDay)
    guard span < spanMax else { return .notInSight }
    return .full(on: Timestamp(seconds: facts.now.seconds + span.wholeSeconds, nanoseconds: 0))
  }

  /// The growth in words: `12.0 MiB a day`.
  var growth: String {
    guard let bytesPerDay else { return "not known: fewer than \(Self.daysMin) days are" }
    return bytesPerDay > 0 ? "\(Amount.bytes(UInt64(saturating: bytesPerDay))) a day" : "none"
  }

  /// A sentence about the end of the free space.
  func sentence(now: Timestamp, available: UInt64?) -> String {
    guard let available else { return "The store does not tell how much is free." }
    let free = "\(Amount.bytes(available)) are free"
    switch end {
    case .unknown: return "\(free). When the space ends is not known yet: it takes \(Self.daysMin) days to tell."
    case .notInSight:
      return bytesPerDay.map { $0 > 0 } == true
        ? "\(free). At the usual growth of \(growth) the end is not in sight: it takes more than ten years."
        : "\(free). Usually nothing grows, so the end is not in sight."
    case .full(let time):
      return
        "\(free). At the usual growth of \(growth) the space ends on \(TimeAxis.day(time)), in \(Amount.count(UInt64(saturating: (time - now) / .days(1)), "day"))."
    }
  }
}

extension Snapshot {
  /// The time at which its bytes were stored.
  var storedAt: Timestamp { envelope.merged?.time.moment ?? envelope.time.finished.moment }
}
