package import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// A bound of the growth of the stored bytes of some sources, by all their snapshots that are there.
///
/// *At most* is the largest of the growths over several times before now, for each source: 7, 30 and 90 days, the time
/// since its first snapshot, and the time of its last few fulls, however rarely they come. The long times count what
/// comes rarely. The short ones count what the long ones have lost: a prune leaves few snapshots of the past.
/// A time with few fulls counts none of them, because one that lies in it by chance would count too much. It needs some
/// intervals between fulls of each source: after the first full alone only the increments could be counted. Before
/// there were so many, *at least* is known, which counts no fulls at all (docs/decisions/0043-report.md).
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
  /// The times before now over which a growth is taken, beside those that follow from the snapshots.
  private static let spans = [7, 30, 90].map { TimeSpan.days($0) }
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
    let age = stored.compactMap { Self.age(of: $0, now: now) }.max() ?? .zero
    let largest = stored.compactMap { Self.largest(of: $0, now: now) }
    if age >= .days(Double(Self.daysMin)), largest.count == stored.count {
      (bound, bytesPerDay) = (.atMost, largest.reduce(0, +) + logs)
    } else {
      let known = stored.compactMap { Self.withoutFulls($0, now: now) }
      guard !known.isEmpty || logs > 0 else { return nil }
      (bound, bytesPerDay) = (.atLeast, known.reduce(0, +) + logs)
    }
  }

  /// Returns the largest growth of a source in bytes a day; `nil` if too few fulls are known, or less than a day.
  private static func largest(of source: Source, now: Timestamp) -> Double? {
    let ages = source.snapshots.filter(\.isFull).map { now - $0.time }.filter { $0 >= .zero }.sorted()
    guard let age = age(of: source, now: now), age >= .days(1), ages.count > intervalsMin else { return nil }
    let lastFulls = max(ages[intervalsMin], .days(Double(daysMin)))
    let spans = (spans + [lastFulls]).filter { $0 < age } + [age]
    return spans.map { span in
      let stored = source.snapshots.filter { $0.time <= now && now - $0.time <= span }
      let hasFulls = stored.count(where: \.isFull) > intervalsMin
      return bytesPerDay(stored.filter { hasFulls || !$0.isFull }, over: span)
    }.max()
  }

  /// Returns the growth of a source in bytes a day without its fulls; `nil` if less than a day is known.
  private static func withoutFulls(_ source: Source, now: Timestamp) -> Double? {
    guard let age = age(of: source, now: now), age >= .days(1) else { return nil }
    return bytesPerDay(source.snapshots.filter { $0.time <= now && !$0.isFull }, over: age)
  }

  /// Returns the time since the first snapshot of a source.
  private static func age(of source: Source, now: Timestamp) -> TimeSpan? {
    source.snapshots.map { now - $0.time }.max()
  }

  private static func bytesPerDay(_ stored: [Stored], over span: TimeSpan) -> Double {
    stored.reduce(0) { $0 + Double($1.bytes) } / (span / .days(1))
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
