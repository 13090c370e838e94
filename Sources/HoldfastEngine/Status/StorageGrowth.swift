package import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// A bound of the growth of the stored bytes of some sources, by all their snapshots that are there.
///
/// *At most* is the larger of two: all bytes of each source over the time since its first snapshot, which counts fulls
/// that come once in weeks; and the median of the slopes between all days (`RobustTrend`), which is larger where the
/// growth has begun late. It needs some intervals between fulls of each source: after the first full alone only the
/// increments could be counted. Before there were so many, *at least* is known, which counts no fulls at all.
///
/// What a prune has removed since is not counted (docs/decisions/0043-report.md).
package struct StorageGrowth: Sendable {
  package enum Bound: String, Sendable {
    case atMost = "at-most"
    case atLeast = "at-least"

    /// As in "a growth of at most 12.0 MiB a day".
    package var words: String { self == .atMost ? "at most" : "at least" }
  }

  /// The stored bytes of one source.
  package struct Source: Sendable {
    package let snapshots: [Stored]
    /// The archived write-ahead log; `nil` if there is none.
    package let log: LogAmount?

    /// The full that was stored last.
    package var newestFull: Stored? { snapshots.filter(\.isFull).max { $0.time < $1.time } }

    package init(_ snapshots: [Stored], log: LogAmount?) { (self.snapshots, self.log) = (snapshots, log) }
  }

  /// The stored bytes of a snapshot.
  package struct Stored: Sendable {
    package let time: Timestamp
    package let bytes: UInt64
    package let isFull: Bool

    package init(_ snapshot: Snapshot) {
      (time, bytes, isFull) = (snapshot.storedAt, snapshot.envelope.storedBytes, snapshot.envelope.kind == .full)
    }

    package init(_ time: Timestamp, bytes: UInt64, isFull: Bool) {
      (self.time, self.bytes, self.isFull) = (time, bytes, isFull)
    }
  }

  /// The days for which snapshots must be there before the growth is bounded from above.
  package static let daysMin = 7
  /// The intervals between fulls of each source that must be known for that.
  package static let intervalsMin = 3
  private static let timeMax = TimeSpan.days(3650)

  package let bound: Bound
  package let bytesPerDay: Double

  /// - Parameter now: the time of this machine. What was stored after it does not count.
  /// - Returns: `nil` if less than a day is known, or the size of a log is not.
  package init?(_ sources: [Source], now: Timestamp) {
    let stored = sources.filter { !$0.snapshots.isEmpty || $0.log != nil }
    guard !stored.isEmpty else { return nil }
    var logs = 0.0
    for log in stored.compactMap(\.log) {
      guard let growth = log.bytesPerDay(now: now) else { return nil }
      logs += growth
    }
    let days = Self.days(of: stored, now: now).map(\.bytes)
    let slope = days.count > Self.daysMin ? RobustTrend(days.enumerated().map { (Double($0), $1) })?.slope : nil
    let means = stored.map { source in Self.mean(of: source, now: now) { _ in true } }
    if let slope, !stored.contains(where: Self.hasFewFulls), !means.contains(nil) {
      (bound, bytesPerDay) = (.atMost, max(slope, means.reduce(0) { $0 + ($1 ?? 0) }) + logs)
    } else {
      let known = stored.compactMap { source in Self.mean(of: source, now: now) { !$0.isFull } }
      guard !known.isEmpty || logs > 0 else { return nil }
      (bound, bytesPerDay) = (.atLeast, known.reduce(0, +) + logs)
    }
  }

  private static func hasFewFulls(_ source: Source) -> Bool {
    source.snapshots.count(where: \.isFull) <= intervalsMin
  }

  /// Returns the bytes of some snapshots of a source for each day since its first; `nil` if that is less than a day
  /// ago.
  private static func mean(of source: Source, now: Timestamp, where counts: (Stored) -> Bool) -> Double? {
    guard let first = source.snapshots.map(\.time).min(), now - first >= .days(1) else { return nil }
    return source.snapshots.filter { $0.time <= now && counts($0) }.reduce(0) { $0 + Double($1.bytes) }
      / ((now - first) / .days(1))
  }

  /// Returns the bytes that were stored at the end of each day since the first snapshot, the oldest first; at most ten
  /// years.
  package static func days(of sources: [Source], now: Timestamp) -> [(time: Timestamp, bytes: Double)] {
    let made = sources.flatMap(\.snapshots).sorted { $0.time < $1.time }
    let age = now - (made.first?.time ?? now)
    let count = max(0, min(Int(saturating: timeMax / .days(1)), Int(saturating: age / .days(1))))
    var days: [(time: Timestamp, bytes: Double)] = []
    var (next, bytes) = (made.startIndex, 0.0)
    for back in (0...count).reversed() {
      let time = Timestamp(seconds: now.seconds - Int64(back) * 86_400, nanoseconds: now.nanoseconds)
      while next < made.endIndex, made[next].time <= time {
        bytes += Double(made[next].bytes)
        next += 1
      }
      days.append((time, bytes))
    }
    return days
  }

  /// The time until so many bytes are used up, if a share of the growth is stored there; `nil` if that is not in sight:
  /// nothing grows, or it takes ten years.
  package func time(until bytes: UInt64, share: Double = 1) -> TimeSpan? {
    guard bytesPerDay * share > 0 else { return nil }
    let time = TimeSpan.days(Double(bytes) / (bytesPerDay * share))
    return time < Self.timeMax ? time : nil
  }
}

extension Snapshot {
  /// The time at which its bytes were stored.
  package var storedAt: Timestamp { envelope.merged?.time.moment ?? envelope.time.finished.moment }
}

extension LogAmount {
  /// The archived bytes for each day since the oldest file; `nil` if that is not known, or less than a day ago.
  fileprivate func bytesPerDay(now: Timestamp) -> Double? {
    guard let storedBytes, let oldest, now - oldest >= .days(1) else { return nil }
    return Double(storedBytes) / ((now - oldest) / .days(1))
  }
}
