internal import HoldfastEngine
internal import HoldfastModel

/// The sentences at the top of a report: can the shop be brought back, from when, and how fast.
struct Verdict {
  enum Answer: String {
    case yes
    /// Damage is known, or the last drill failed.
    case uncertain
    case no

    var words: String {
      switch self {
      case .yes: "Yes."
      case .uncertain: "Not for certain."
      case .no: "No."
      }
    }
  }

  let answer: Answer
  /// `nil` if nothing is wrong.
  let level: SourceStatus.Concern.Level?
  /// The sentences that follow the answer.
  let reason: String

  /// The answer and its reason.
  var text: String { "\(answer.words) \(reason)" }

  init(_ facts: ReportFacts) {
    let statuses = facts.sources.map(\.status)
    guard !statuses.isEmpty else {
      (answer, level, reason) = (.no, .critical, "There is no snapshot.")
      return
    }
    level = statuses.compactMap(\.level).max()
    let lost = statuses.filter { $0.completeAge == nil }
    let doubtful = statuses.filter { Self.isDamaged($0) || Self.hasFailedDrill($0) }
    let concerns = Concerns(statuses)
    if let first = lost.first {
      let more = lost.count > 1 ? " and \(Amount.count(UInt64(lost.count - 1), "other source"))" : ""
      answer = .no
      reason = "Of \(first.name)\(more) there is no complete snapshot that can be restored." + concerns.count
    } else if let first = doubtful.first {
      let more = doubtful.count > 1 ? " and \(Amount.count(UInt64(doubtful.count - 1), "other source"))" : ""
      answer = .uncertain
      reason =
        (Self.isDamaged(first)
          ? "Damage to \(first.name)\(more) was found, and nothing shows that it is mended."
          : "The last drill of \(first.name)\(more) failed.") + concerns.count
    } else {
      (answer, reason) = (.yes, Self.state(statuses) + concerns.worst)
    }
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
    let slowest = statuses.compactMap { $0.drills.medianTime ?? $0.restoreDuration }.max()
    let duration =
      slowest.map { ", in about \(Amount.duration($0))\(statuses.count == 1 ? "" : " each")." }
      ?? ". How long that takes is not known: no restore was measured."
    return "\(what) can be restored to a state that is at most \(age) old\(duration)"
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
