internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// Finds what is unusual in the journal of a source: backups that were missed or failed, damage, failed drills, and
/// clocks that were set back.
struct UnusualRuns {
  /// With fewer backups no interval between them counts as usual.
  private static let intervalsMin = 8
  private static let spreadsMax = 6.0
  /// An interval is unusual if it is this many times the median.
  private static let timesMin = 2.5
  /// So many other intervals that are about as long make one usual: nights and weekends.
  private static let similarMin = 3
  private static let similarShare = 0.2
  /// A clock that was set back by less is being adjusted.
  private static let stepMin = TimeSpan.minutes(1)

  private let runs: [JournalEntry]
  private let now: Timestamp

  init(_ source: ReportFacts.Source, now: Timestamp) {
    runs = source.runs.filter { $0.status != ExitStatus.locked.rawValue }
    self.now = now
  }

  var events: [UnusualEvent] { missed + failedBackups + damage + failedDrills + clockSteps }

  // MARK: Missed

  private var missed: [UnusualEvent] {
    let begun = runs.filter { $0.command == .backup && $0.began <= now }.map(\.began).sorted()
    let intervals = zip(begun, begun.dropFirst()).map { ($1 - $0).seconds }
    guard intervals.count >= Self.intervalsMin, let usual = RobustStatistic(intervals), usual.median > 0 else {
      return []
    }
    let bound = max(Self.timesMin * usual.median, usual.median + Self.spreadsMax * usual.spread)
    let found = zip(begun, intervals).filter { _, interval in
      interval > bound && !Self.isRegular(interval, among: intervals)
    }.map { missed(after: $0, for: $1, usual: usual.median) }
    guard let last = begun.last, (now - last).seconds > bound, !Self.isRegular((now - last).seconds, among: intervals)
    else { return found }
    return found + [missed(after: last, for: (now - last).seconds, usual: usual.median)]
  }

  private func missed(after begin: Timestamp, for interval: Double, usual: Double) -> UnusualEvent {
    let count = UInt64(saturating: max(1, (interval / usual).rounded() - 1))
    let usually = TimeAxis.length(.seconds(usual))
    return UnusualEvent(
      .missedRuns, begin,
      "No backup began for \(TimeAxis.length(.seconds(interval))); usually one begins every \(usually), so about \(Amount.count(count, "backup")) \(count == 1 ? "was" : "were") missed."
    )
  }

  private static func isRegular(_ interval: Double, among all: [Double]) -> Bool {
    all.count { abs($0 - interval) <= similarShare * interval } > similarMin
  }

  // MARK: Failed

  private var failedBackups: [UnusualEvent] {
    rows {
      $0.command == .backup
    } where: {
      $0.hasFailed
    }.map { row in
      let what = row.count == 1 ? "A backup failed" : "\(row.count) backups failed in a row"
      return event(.failedRuns, row, what)
    }
  }

  private var damage: [UnusualEvent] {
    [RunCommand.verify, .scrub].flatMap { command in
      rows {
        $0.command == command
      } where: {
        Self.foundDamage($0)
      }.map { row in
        let costs = row.contains { $0.status == ExitStatus.dataLoss.rawValue }
        let what = row.count == 1 ? "A \(command) found" : "\(row.count) of \(command) in a row found"
        return event(.damage, row, "\(what) damage that costs \(costs ? "data" : "no data")")
      }
    }
  }

  private static func foundDamage(_ entry: JournalEntry) -> Bool {
    [ExitStatus.dataLoss, .repairableDamage].contains { $0.rawValue == entry.status }
  }

  private var failedDrills: [UnusualEvent] {
    rows {
      $0.command == .drill
    } where: {
      $0.hasFailed
    }.map { row in
      event(.drill, row, row.count == 1 ? "A drill failed" : "\(row.count) drills failed in a row")
    }
  }

  private func event(_ kind: UnusualEvent.Kind, _ row: ArraySlice<JournalEntry>, _ what: String) -> UnusualEvent {
    let until = row.count > 1 ? row.last.map { ", until \(TimeText.local($0.ended).prefix(16))" } : nil
    let text = row.compactMap { $0.texts?.first }.first.map { ": \($0)" }
    let sentence = what + (until ?? "") + (text ?? "")
    return UnusualEvent(kind, row.first?.began ?? now, sentence.hasSuffix(".") ? sentence : sentence + ".")
  }

  /// Returns the runs that meet a condition, those that follow each other together.
  private func rows(
    of isOf: (JournalEntry) -> Bool, where isMet: (JournalEntry) -> Bool
  ) -> [ArraySlice<JournalEntry>] {
    runs.filter(isOf)[...].split(omittingEmptySubsequences: true) { !isMet($0) }
  }

  // MARK: Clocks

  /// A journal is in the order in which runs ended, so a run that ended before the one above it tells of a clock that
  /// was set back.
  private var clockSteps: [UnusualEvent] {
    let hosts = Dictionary(grouping: runs, by: \.host)
    return hosts.values.flatMap { its in
      zip(its, its.dropFirst()).compactMap { before, after -> UnusualEvent? in
        let step = before.ended - after.ended
        guard step > Self.stepMin else { return nil }
        return UnusualEvent(
          .clock, min(now, after.ended),
          "The clock of \(after.host) was set back by at least \(Amount.age(step)) before this \(after.command).")
      }
    }
  }
}
