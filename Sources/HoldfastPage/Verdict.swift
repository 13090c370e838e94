internal import HoldfastEngine
internal import HoldfastModel

/// The sentences at the top of a report: can the shop be brought back, from when, and how fast.
struct Verdict {
  enum Answer: String {
    case yes
    /// Damage is known, the last drill failed, or a snapshot looks wrong and nobody has accepted it.
    case uncertain
    case no
  }

  let answer: Answer
  /// The answer in words.
  let headline: String
  /// `nil` if nothing is wrong.
  let level: SourceStatus.Concern.Level?
  /// The sentences that follow the answer.
  let reason: String

  /// The answer and its reason.
  var text: String { "\(headline) \(reason)" }

  init(_ facts: ReportFacts) {
    let statuses = facts.sources.map(\.status)
    guard !statuses.isEmpty else {
      (answer, headline, level, reason) = (.no, "No.", .critical, "There is no snapshot.")
      return
    }
    level = statuses.compactMap(\.level).max()
    let lost = statuses.filter { $0.completeAge == nil }
    let damaged = statuses.filter(Self.isDamaged)
    let failed = statuses.filter(Self.hasFailedDrill)
    let suspicious = statuses.filter { !$0.suspicions.isEmpty }
    let concerns = Concerns(statuses)
    if !lost.isEmpty {
      (answer, headline) = (.no, "No.")
      reason = "Of \(Self.names(lost)) there is no complete snapshot that can be restored." + concerns.count
    } else if !damaged.isEmpty {
      (answer, headline) = (.uncertain, Self.uncertain)
      reason = "Damage to \(Self.names(damaged)) was found, and nothing shows that it is mended." + concerns.count
    } else if !failed.isEmpty {
      (answer, headline) = (.uncertain, Self.uncertain)
      reason = "The last drill of \(Self.names(failed)) failed." + concerns.count
    } else if !suspicious.isEmpty {
      (answer, headline) = (.uncertain, Self.uncertain)
      reason = Self.suspicion(suspicious) + concerns.count
    } else {
      (answer, headline) = (.yes, Self.yes(statuses))
      reason = Self.state(statuses) + concerns.worst
    }
  }

  private static let uncertain = "Not for certain."

  /// Returns the name of the first source, and the number of others.
  private static func names(_ statuses: [SourceStatus]) -> String {
    let others = statuses.count - 1
    return "\(statuses[0].name)" + (others > 0 ? " and \(Amount.count(UInt64(others), "other source"))" : "")
  }

  /// Returns sentences about snapshots that look wrong, and the state before them, the oldest of all sources.
  private static func suspicion(_ statuses: [SourceStatus]) -> String {
    let wrong = "Snapshots of \(names(statuses)) do not look like a normal day, and nobody has accepted them. "
    let without = statuses.filter { $0.lastGoodAge == nil }
    guard without.isEmpty, let age = statuses.compactMap(\.lastGoodAge).max() else {
      return wrong + "Of \(names(without)) there is no good snapshot before that."
    }
    return wrong + "The last good state before that is \(statuses.count == 1 ? "" : "at most ")\(Amount.age(age)) old."
  }

  /// True if nothing of the source was ever restored, drilled, or verified with its data, as far as is remembered.
  private static func isUntried(_ status: SourceStatus) -> Bool { duration(status) == nil }

  /// The expected time of a restore; `nil` if none was measured.
  private static func duration(_ status: SourceStatus) -> TimeSpan? {
    status.drills.medianTime ?? status.restoreDuration
  }

  private static func yes(_ statuses: [SourceStatus]) -> String {
    if statuses.allSatisfy(isUntried) { return "Yes, by the manifests; never tried." }
    return statuses.contains(where: isUntried) ? "Yes, but not all was tried." : "Yes."
  }

  private static func isDamaged(_ status: SourceStatus) -> Bool {
    !status.damage.isEmpty || status.standingDamage != nil || !status.notedDamage.isEmpty
      || status.restorable < status.snapshots
  }

  private static func hasFailedDrill(_ status: SourceStatus) -> Bool {
    status.drills.count > 0 && status.drills.passedInRow == 0
  }

  /// Returns a sentence about the age of the state and the time of a restore.
  private static func state(_ statuses: [SourceStatus]) -> String {
    let what = statuses.count == 1 ? "\(statuses[0].name)" : "All \(statuses.count) sources"
    let age = statuses.compactMap(\.completeAge).max().map { Amount.age($0) } ?? "?"
    let state = "\(what) can be restored to a state that is at most \(age) old"
    guard let slowest = statuses.compactMap(duration).max() else {
      return state + ". How long that takes is not known: no restore was measured."
    }
    let time = ", in about \(Amount.duration(slowest))\(statuses.count == 1 ? "" : " each")"
    let untried = statuses.filter(isUntried)
    guard !untried.isEmpty else { return state + time + "." }
    return state + time
      + " where that was measured. Of \(names(untried)) nothing was restored, drilled or verified yet."
  }

  /// The concerns of all sources in sentences; empty without one.
  private struct Concerns {
    private let all: [(level: SourceStatus.Concern.Level, text: String)]

    init(_ statuses: [SourceStatus]) {
      all = statuses.flatMap { status in
        status.concerns.map { (level: $0.level, text: (statuses.count == 1 ? "" : "of \(status.name) ") + $0.text) }
      }
    }

    /// The worst one, and the number of others.
    var worst: String {
      guard let level = all.map(\.level).max(), let first = all.first(where: { $0.level == level }) else { return "" }
      let others = all.count - 1
      return " But \(first.text)." + (others > 0 ? " \(Amount.count(UInt64(others), "more concern")) below." : "")
    }

    var count: String { all.isEmpty ? "" : " \(Amount.count(UInt64(all.count), "concern")) below." }
  }
}
